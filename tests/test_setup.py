"""The set-up finds a supported Python, says so when there is none, and does its work only once."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "tools" / "setup.sh"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="make and sh are not part of Windows")


def fake(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(folder, tmp_path, **environment):
    requirements = tmp_path / "requirements.txt"
    requirements.touch()
    path = f"{folder}:/usr/bin:/bin"
    return subprocess.run(
        ["sh", str(SETUP), str(tmp_path / "env"), str(requirements)],
        text=True,
        capture_output=True,
        env={"PATH": path, **environment},
    )


@pytest.fixture
def only_old_pythons(tmp_path):
    """A PATH on which every Python is too old, or a stand-in that only prints an error."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3", "python", "python3.11"):
        fake(folder, name, 'case "$1" in --version) echo Python 3.9.9;; *) echo 3.9;; esac')
    for name in ("python3.10", "python3.12", "python3.13"):
        fake(folder, name, "echo version manager: command not found >&2; exit 127")
    return folder


def test_an_unsupported_python_fails_with_a_sentence_and_leaves_nothing(only_old_pythons, tmp_path):
    result = run(only_old_pythons, tmp_path)
    assert result.returncode == 1
    assert "needs one of Python 3.12 3.11" in result.stderr
    assert "Python 3.9.9" in result.stderr
    assert not (tmp_path / "env").exists()


def test_a_supported_python_under_any_name_is_found(only_old_pythons, tmp_path):
    working = 'if [ "$1" = -c ]; then echo 3.11; else mkdir -p "$3/bin" && printf "#!/bin/sh\\n" > "$3/bin/python"'
    fake(only_old_pythons, "python3", f'{working} && chmod +x "$3/bin/python"; fi')
    assert run(only_old_pythons, tmp_path).returncode == 0
    assert (tmp_path / "env" / "requirements.txt").exists(), "the mark of a finished set-up"


def test_an_environment_for_these_requirements_is_kept(only_old_pythons, tmp_path):
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "requirements.txt").touch()
    assert run(only_old_pythons, tmp_path).returncode == 0, "no Python is needed when all is there"


def test_a_python_that_cannot_make_environments_is_named(only_old_pythons, tmp_path):
    fake(only_old_pythons, "python3", 'if [ "$1" = -c ]; then echo 3.11; else exit 1; fi')
    result = run(only_old_pythons, tmp_path)
    assert result.returncode == 1
    assert "apt install python3.11-venv" in result.stderr
