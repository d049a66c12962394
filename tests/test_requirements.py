"""The list of dependencies installs from wheels on every platform and Python that the README claims."""

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements.txt"
UV = shutil.which("uv", path=str(Path(sys.executable).parent))
MAC = {"tensorflow": "2.16.2", "keras": "3.6.0", "numpy": "1.26.4"}
# Platform, its Pythons, and what must come out there.
PLATFORMS = {
    "aarch64-apple-darwin": (
        ("3.10", "3.11", "3.12"),
        MAC | {"tensorflow-macos": "2.16.2", "tensorflow-metal": "1.2.0"},
    ),
    "x86_64-apple-darwin": (("3.10", "3.11", "3.12"), MAC),
    "x86_64-manylinux_2_28": (("3.11", "3.12", "3.13"), {"tensorflow-cpu": "2.21.0", "keras": "3.15.1"}),
    "aarch64-manylinux_2_28": (("3.11", "3.12", "3.13"), {"tensorflow": "2.21.0", "keras": "3.15.1"}),
    "x86_64-pc-windows-msvc": (("3.11", "3.12", "3.13"), {"tensorflow-cpu": "2.21.0", "keras": "3.15.1"}),
}


@pytest.fixture(scope="module")
def resolved():
    """The resolver's answer for every platform and Python, asked all at once: most of the time is the index's."""
    if UV is None:
        pytest.skip("needs uv, which is not part of the Mac's set")
    command = [UV, "pip", "compile", "--no-python-downloads", "--no-header", "--no-annotate", "--only-binary", ":all:"]

    def resolve(target):
        platform, python = target
        options = ["--python-platform", platform, "--python-version", python]
        return subprocess.run([*command, *options, str(REQUIREMENTS)], text=True, capture_output=True)

    targets = [(p, v) for p, (versions, _) in PLATFORMS.items() for v in versions]
    with ThreadPoolExecutor(8) as pool:
        runs = dict(zip(targets, pool.map(resolve, targets), strict=True))
    if all(run.returncode for run in runs.values()):
        pytest.skip("needs a package index; the network is cut")
    return runs


@pytest.mark.parametrize(("platform", "python"), [(p, v) for p, (versions, _) in PLATFORMS.items() for v in versions])
def test_every_claimed_platform_resolves_from_wheels(platform, python, resolved):
    run = resolved[platform, python]
    assert run.returncode == 0, run.stderr
    found = dict(re.findall(r"^([\w.-]+)==(\S+)", run.stdout, flags=re.M))
    assert PLATFORMS[platform][1].items() <= found.items()
    assert ("tensorflow-metal" in found) == (platform == "aarch64-apple-darwin")
    if "apple" in platform:
        assert int(found["setuptools"].split(".")[0]) < 82, "TensorBoard 2.16 needs pkg_resources"
