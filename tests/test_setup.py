"""The set-up finds a supported Python, says so when there is none, and does its work only once."""

import os
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "tools" / "setup.sh"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="make and sh are not part of Windows")
OLD = 'case "$1" in --version) echo Python 3.9.9;; *) echo 3.9;; esac'
NONE = "echo version manager: command not found >&2; exit 127"
# A Python 3.11: what it does as `python -m venv FOLDER`, which makes an environment whose pip does nothing, or fails.
WORKING = 'mkdir -p "$3/bin" && printf "#!/bin/sh\\n" > "$3/bin/python" && chmod +x "$3/bin/python"'


@pytest.fixture
def set_up(tmp_path):
    """Make an environment where every Python is too old or only prints an error, but for `python3` as given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "requirements.txt").touch()

    def set_up(python3=OLD):
        commands = dict.fromkeys(("python", "python3.11"), OLD) | {"python3": python3}
        commands |= dict.fromkeys(("python3.10", "python3.12", "python3.13"), NONE)
        for name, script in commands.items():
            path = tmp_path / "bin" / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        command, path = ["sh", SETUP, tmp_path / "env", tmp_path / "requirements.txt"], f"{tmp_path}/bin:/usr/bin:/bin"
        return subprocess.run(command, text=True, capture_output=True, env={"PATH": path})

    return set_up


def test_an_unsupported_python_fails_with_a_sentence_and_leaves_nothing(set_up, tmp_path):
    result = set_up()
    assert result.returncode == 1
    assert "needs one of Python 3.12 3.11" in result.stderr
    assert "Python 3.9.9" in result.stderr
    assert not (tmp_path / "env").exists()


def test_a_supported_python_under_any_name_is_found_and_then_no_more_needed(set_up, tmp_path):
    assert set_up(f'if [ "$1" = -c ]; then echo 3.11; else {WORKING}; fi').returncode == 0
    assert (tmp_path / "env" / "requirements.txt").exists(), "the mark of a finished set-up"
    assert set_up(OLD).returncode == 0


def test_a_python_that_cannot_make_environments_is_named(set_up):
    result = set_up('if [ "$1" = -c ]; then echo 3.11; else exit 1; fi')
    assert result.returncode == 1
    assert "apt install python3.11-venv" in result.stderr
