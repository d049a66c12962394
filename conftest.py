"""The tests are strict: a number outside its range is an error here, and words for a student (see course.py)."""

import os

import pytest

os.environ["VAE_STRICT"] = "1"


# 4.3.06 trains the model that later sections load, so these come last.
ORDER = ("4.3.06", "4.3.05", "4.3.04", "4.3.03", "4.3.02", "4.3.01", "tests/", "solutions")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: next((i for i, name in enumerate(ORDER) if name in item.nodeid), len(ORDER)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give two workers (`pytest -n 2`) a file at a time; of tests/test_knobs.py a section, for it shares models."""
    from xdist.scheduler import LoadScopeScheduling

    class BySection(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file, _, test = nodeid.partition("::")
            return file + test.partition("[")[2][:6] if file.endswith("test_knobs.py") else file

    return BySection(config, log)
