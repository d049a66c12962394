"""The set-up finds a supported Python, says so when there is none, and does its work only once."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "tools" / "setup.sh"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="make and sh are not part of Windows")
OLD = 'case "$1" in --version) echo Python 3.9.9;; *) echo 3.9;; esac'
NONE = "echo version manager: command not found >&2; exit 127"
BROKEN = 'if [ "$1" = -c ]; then echo 3.11; else exit 1; fi'
# As `python -m venv FOLDER` it makes an environment whose pip does nothing.
WORKING = BROKEN.replace("exit 1", 'mkdir -p "$3/bin"; echo "#!/bin/sh" > "$3/bin/python"; chmod +x "$3/bin/python"')


def set_up(folder, python3):
    """Make an environment where every Python is too old or only prints an error, but for `python3` as given."""
    commands = {"python": OLD, "python3": python3, "python3.11": OLD}
    for name in (*commands, "python3.10", "python3.12", "python3.13"):
        (folder / name).write_text(f"#!/bin/sh\n{commands.get(name, NONE)}\n")
        (folder / name).chmod(0o755)
    (folder / "list.txt").touch()
    command, environment = ["sh", SETUP, folder / "env", folder / "list.txt"], {"PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run(command, text=True, capture_output=True, env=environment)


@pytest.mark.parametrize(
    ("python3", "words"),
    [(OLD, "needs one of Python 3.12 3.11.*Python 3.9.9"), (BROKEN, "apt install python3.11-venv")],
)
def test_a_python_that_is_too_old_or_makes_no_environment_is_named_and_leaves_nothing(python3, words, tmp_path):
    result = set_up(tmp_path, python3)
    assert result.returncode == 1
    assert re.search(words, result.stderr, flags=re.S)
    assert not (tmp_path / "env").exists()


def test_a_supported_python_under_any_name_is_found_and_then_no_more_needed(tmp_path):
    assert set_up(tmp_path, WORKING).returncode == 0
    assert (tmp_path / "env" / "requirements.txt").exists(), "the mark of a finished set-up"
    assert set_up(tmp_path, OLD).returncode == 0
