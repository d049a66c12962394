"""The tests are strict: a number outside its range is an error here, and words for a student (see course.py)."""

import os

import pytest

os.environ["VAE_STRICT"] = "1"
FILES = ("4.3.06", "4.3.05", "4.3.04", "4.3.03", "4.3.02", "4.3.01", "tests/", "solutions")


def pytest_collection_modifyitems(items):
    """Begin with 4.3.06, which trains the model that the sections after it load; these come last."""
    place = {name: i for i, name in enumerate(FILES)}
    items.sort(key=lambda item: next((place[name] for name in FILES if name in item.nodeid.split("::")[0]), len(FILES)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give two workers (`pytest -n 2`) a file at a time; of tests/test_knobs.py a section, for it shares models."""
    from xdist.scheduler import LoadScopeScheduling

    class BySection(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file, _, test = nodeid.partition("::")
            return file + test.partition("[")[2][:6] if file.endswith("test_knobs.py") else file

    return BySection(config, log)
