"""Plant realistic mistakes, one at a time, and report which check notices each, how soon, and with which words.

    python tools/planted_bugs.py                 all of them
    python tools/planted_bugs.py kl eps          only those whose names contain one of these words
    python tools/planted_bugs.py --list          their names

The mistakes stand in tools/planted_bugs.json: in `file`, `old` becomes `new`; `check` is what should notice, a list of
pytest arguments or a section's number, which nbval then executes. Each is planted in a copy of the repository. It
counts as noticed only when that check fails with a claim of its own (an assertion, or a compared output), and not
because Python could not read the file or a name is missing. A mistake that nothing notices ends the run with status 1.
Two run at a time. Trained models are copied along.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUGS = json.loads((ROOT / "tools" / "planted_bugs.json").read_text(encoding="utf-8"))
# A check that ends with one of these has not understood anything.
BROKEN = r"(?:Syntax|Indentation|Name|Import|ModuleNotFound)Error\b"


def occurrences(bug: dict[str, str], folder: Path = ROOT) -> int:
    """Return how often the text that the mistake replaces stands in its file, in code cells for a notebook."""
    text = (folder / bug["file"]).read_text(encoding="utf-8")
    if bug["file"].endswith(".ipynb"):
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        return sum("".join(cell["source"]).count(bug["old"]) for cell in cells)
    return text.count(bug["old"])


def plant(bug: dict[str, str], folder: Path) -> None:
    """Change the file; for a notebook, the code cell that holds the text."""
    path = folder / bug["file"]
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                source = "".join(cell["source"]).replace(bug["old"], bug["new"])
                cell["source"] = source.splitlines(keepends=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
    else:
        path.write_text(text.replace(bug["old"], bug["new"]), encoding="utf-8")


def copy_repository(folder: Path) -> None:
    """Copy the files and the trained models, without environments and what was built."""
    shutil.copytree(ROOT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "build", "__pycache__"))


def run_check(check: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a check in a copy of the repository."""
    arguments = shlex.split(check)
    if arguments[0].startswith("4.3."):
        arguments = [str(path) for path in (folder / "notebooks").glob(f"{arguments[0]}_*.ipynb")]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def notice(bug: dict[str, str], folder: Path) -> tuple[bool, str]:
    """Run the check in the copy; return whether it failed for a reason of its own, and its words."""
    run = run_check(bug["check"], folder)
    said = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout)
    tests = re.findall(r"^FAILED \S+::(\S+)", said, flags=re.M)
    errors = re.findall(r"^(?:E +)?((?:AssertionError|Failed|\w*Error)\b.*)$", said, flags=re.M)
    words = " | ".join(dict.fromkeys(tests[:1] + errors[:1])) or said[-240:]
    return run.returncode == 1 and bool(tests) and not (errors and re.match(BROKEN, errors[0])), words[:240]


def main(words: list[str]) -> int:
    """Plant every mistake whose name contains one of `words`, print a line for each, and return the exit status."""
    bugs = [bug for bug in BUGS if not words or any(word.lower() in bug["name"].lower() for word in words)]
    if not bugs:
        sys.exit(f"No mistake has {' or '.join(words)} in its name: see --list.")
    missed, started = [], time.monotonic()

    def passes(check: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            copy_repository(Path(folder))
            return run_check(check, Path(folder)).returncode == 0

    def plant_one(bug: dict[str, str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            copy_repository(Path(folder))
            plant(bug, Path(folder))
            clock = time.monotonic()
            noticed, said = notice(bug, Path(folder))
        missed.extend([] if noticed else [bug["name"]])
        how = "noticed" if noticed else "MISSED"
        print(f"{bug['name']}: {how} by {bug['check']} in {time.monotonic() - clock:.0f} s: {said}", flush=True)

    with ThreadPoolExecutor(2) as pool:
        checks = list(dict.fromkeys(bug["check"].split()[0] for bug in bugs))
        if broken := [check for check, passed in zip(checks, pool.map(passes, checks), strict=True) if not passed]:
            sys.exit(f"{', '.join(broken)}: fails without any mistake, so it cannot notice one.")
        list(pool.map(plant_one, bugs))
    print(f"{len(bugs) - len(missed)} of {len(bugs)} noticed in {(time.monotonic() - started) / 60:.0f} minutes.")
    if missed:
        print(f"Missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(f"{bug['name']:50} {bug['file']:38} {bug['check']}" for bug in BUGS))
    else:
        sys.exit(main(sys.argv[1:]))
