"""Plant realistic mistakes, one at a time, and report which check notices each, and with which words.

    python tools/planted_bugs.py                 all of them, two at a time
    python tools/planted_bugs.py kl eps          only those whose names contain one of these words
    python tools/planted_bugs.py --list          their names

The mistakes stand in tools/planted_bugs.json: in `file`, `old` becomes `new`; `check` is what should notice, a list of
pytest arguments or a section's number, which nbval then executes. It counts as noticed only when that check fails with
a claim of its own (an assertion, or a compared output), and not because Python could not read the file or a name is
missing. A mistake that nothing notices ends the run with status 1.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
BUGS = json.loads((ROOT / "tools" / "planted_bugs.json").read_text(encoding="utf-8"))
# A check that ends with one of these has not understood anything.
BROKEN = r"(?:Syntax|Indentation|Name|Import|ModuleNotFound)Error\b"


def planted(bug: dict[str, str]) -> tuple[int, str]:
    """Return how often the file, or the code of the notebook, holds what is replaced, and its text with the mistake."""
    text = (ROOT / bug["file"]).read_text(encoding="utf-8")
    if not bug["file"].endswith(".ipynb"):
        return text.count(bug["old"]), text.replace(bug["old"], bug["new"])
    notebook, count = nbformat.reads(text, as_version=4), 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += cell.source.count(bug["old"])
            cell.source = cell.source.replace(bug["old"], bug["new"])
    return count, nbformat.writes(notebook)


def run(check: str, bug: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run a check in a copy of the repository, made without environments and what was built, with a mistake or none."""
    with tempfile.TemporaryDirectory() as folder:
        ignore = shutil.ignore_patterns(".*", "build", "__pycache__")
        shutil.copytree(ROOT, folder, dirs_exist_ok=True, ignore=ignore)
        if bug:
            Path(folder, bug["file"]).write_text(planted(bug)[1], encoding="utf-8")
        file, *options = shlex.split(check)
        if file.startswith("4.3."):
            (file,) = Path(folder, "notebooks").glob(f"{file}_*.ipynb")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", file, *options]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def notices(bug: dict[str, str]) -> bool:
    """Plant a mistake, run its check, say how that ended, and return whether it failed for a reason of its own."""
    result = run(bug["check"], bug)
    said = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    tests = re.findall(r"^FAILED \S+::(\S+)", said, flags=re.M)
    errors = re.findall(r"^(?:E +)?((?:AssertionError|Failed|\w*Error)\b.*)$", said, flags=re.M)
    noticed = result.returncode == 1 and bool(tests) and not (errors and re.match(BROKEN, errors[0]))
    words = " | ".join(dict.fromkeys(tests[:1] + errors[:1])) or said[-240:]
    print(f"{bug['name']}: {'noticed' if noticed else 'MISSED'} by {bug['check']}: {words[:240]}", flush=True)
    return noticed


if __name__ == "__main__":
    words = [word.lower() for word in sys.argv[1:]] or [""]
    if words == ["--list"]:
        print("\n".join(bug["name"] for bug in BUGS))
        sys.exit()
    bugs = [bug for bug in BUGS if any(word in bug["name"].lower() for word in words)]
    with ThreadPoolExecutor(2) as pool:
        checks = list(dict.fromkeys(bug["check"].split()[0] for bug in bugs))
        for check, result in zip(checks, pool.map(run, checks), strict=True):
            if result.returncode:
                sys.exit(f"{check}: fails without any mistake, so it cannot notice one.")
        missed = [bug["name"] for bug, noticed in zip(bugs, pool.map(notices, bugs), strict=True) if not noticed]
    print(f"{len(bugs) - len(missed)} of {len(bugs)} noticed. Missed: {', '.join(missed) or 'none'}")
    sys.exit(1 if missed or not bugs else 0)
