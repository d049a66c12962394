"""The list of dependencies installs from wheels on every platform and Python that the README claims."""

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"
UV = shutil.which("uv", path=str(Path(sys.executable).parent))
MAC = {"tensorflow": "2.16.2", "keras": "3.6.0", "numpy": "1.26.4"}
NEW = {"keras": "3.15.1", "numpy": "2.4.6"}
# What must come out on each platform.
PLATFORMS = {
    "aarch64-apple-darwin": MAC | {"tensorflow-macos": "2.16.2", "tensorflow-metal": "1.2.0"},
    "x86_64-apple-darwin": MAC,
    "x86_64-manylinux_2_28": NEW | {"tensorflow-cpu": "2.21.0"},
    "aarch64-manylinux_2_28": NEW | {"tensorflow": "2.21.0"},
    "x86_64-pc-windows-msvc": NEW | {"tensorflow-cpu": "2.21.0"},
}
TARGETS = [(platform, f"3.{10 + i + ('apple' not in platform)}") for platform in PLATFORMS for i in range(3)]


def resolve(target):
    command = [UV, "pip", "compile", "--no-python-downloads", "--no-header", "--no-annotate", "--only-binary", ":all:"]
    options = ["--python-platform", target[0], "--python-version", target[1], REQUIREMENTS]
    return subprocess.run([*command, *options], text=True, capture_output=True)


@pytest.mark.skipif(UV is None, reason="needs uv, which is not part of the Mac's set")
def test_every_claimed_platform_resolves_from_wheels():
    with ThreadPoolExecutor(8) as pool:  # most of the time is the index's
        runs = list(pool.map(resolve, TARGETS))
    if all(run.returncode for run in runs):
        pytest.skip("needs a package index; the network is cut")
    for (platform, python), run in zip(TARGETS, runs, strict=True):
        assert run.returncode == 0, f"{platform}, Python {python}: {run.stderr}"
        found = dict(re.findall(r"^([\w.-]+)==(\S+)", run.stdout, flags=re.M))
        assert PLATFORMS[platform].items() <= found.items()
        assert ("tensorflow-metal" in found) == (platform == "aarch64-apple-darwin")
        if "apple" in platform:
            assert int(found["setuptools"].split(".")[0]) < 82, "TensorBoard 2.16 needs pkg_resources"
