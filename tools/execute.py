"""Execute every notebook top to bottom, each in a fresh kernel, and write the results to a folder.

    python tools/execute.py build/notebooks LATENT_DIM=8    leaves the notebooks as they are; with other parameters
    python tools/execute.py notebooks 4.3.02 4.3.06         in place, before a commit; only these

Two run at a time, each in a process of its own: one alone leaves half of a machine idle. A notebook is written when all
of its cells have run; the first cell that fails is shown, and no further notebook starts.
"""

import ast
import contextlib
import logging
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient.exceptions import CellTimeoutError
from papermill import execute_notebook, inspect_notebook
from papermill.exceptions import PapermillExecutionError
from papermill.utils import chdir
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from course import check_parameters
from machine import quiet_libraries, write_whole

NOTEBOOKS = ROOT / "notebooks"
EXECUTED = ROOT / "build" / "notebooks"
CELL_TIMEOUT = 600  # seconds; the slowest cell needs about a tenth of it
TRAINED = "4.3.07"  # from here on, notebooks load the models that those before have trained
BAR = {"bar_format": "{desc}  |{bar:20}| cell {n_fmt} of {total_fmt}, {elapsed}", "file": sys.stdout, "leave": False}
# How a line in a C++ library's log starts: of the machine, not of the notebook.
LOG = re.compile(r"\d{4}-\d\d-\d\d \S+: [IWEF] |[IWEF]\d{4} |WARNING: All log messages before|To enable the following")
logging.getLogger("papermill").setLevel(logging.ERROR)


def choose(prefixes: tuple[str, ...], given: dict[str, str]) -> tuple[list[Path], dict[str, object]]:
    """Return the notebooks whose names start so, and the parameters as Python's values; a word needs no quotes.

    Raises:
        ValueError: there is no such notebook, or a parameter would change nothing or has a value that cannot be used.
    """
    notebooks = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if path.name.startswith(prefixes or ("",))]
    if not notebooks:
        raise ValueError(f"No notebook in {NOTEBOOKS} starts with {' or '.join(prefixes)}.")
    parameters = dict(given)
    for name, text in given.items():
        with contextlib.suppress(ValueError, SyntaxError):
            parameters[name] = ast.literal_eval(text)
    check_parameters(parameters)
    if unused := set(parameters).difference(*map(inspect_notebook, notebooks)):
        raise ValueError(f"No notebook has {' or '.join(sorted(unused))} in its parameters cell: it changes nothing.")
    return notebooks, parameters


def clean(notebook: nbformat.NotebookNode) -> list[str]:
    """Remove what belongs to this run or machine; return what cells wrote to stderr, but for the logs of libraries."""
    lines = []
    for cell in notebook.cells:
        for output in [output for output in cell.get("outputs", []) if output.get("name") == "stderr"]:
            lines += output.text.splitlines()
            cell.outputs.remove(output)
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
    # The exact Python is printed by the notebook itself; here it would change the file on every machine.
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return [line for line in lines if line.strip() and not LOG.match(line)]


def reason(error: Exception) -> str:
    """Return the failing cell, the lines around the one that failed, and why, in at most ten lines."""
    if isinstance(error, CellTimeoutError):
        return f"A cell ran for more than {CELL_TIMEOUT} s and was stopped."
    if isinstance(error, RuntimeError):
        return "Its kernel died or did not start, most often for want of memory: close other programs and try again."
    if isinstance(error, OSError):
        return f"{error.strerror or error}: free some space, or mend that, and try again."
    trace = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback))
    around = re.search(r"(?:^ +\d+ .*\n){0,2}^-+> \d.*(?:\n +\d+ .*)?", trace, flags=re.M)
    code = around[0].splitlines() if around else error.source.splitlines()[:4]
    code = [f"  {line}" for line in code]
    return "\n".join([f"Cell {error.exec_count}:", *code, *f"{error.ename}: {error.evalue}".splitlines()[:5]])


def execute_all(folder: Path, prefixes: tuple[str, ...], given: dict[str, str]) -> int:
    """Execute the notebooks whose names start with one of `prefixes` into `folder`; return the exit status."""
    try:
        notebooks, parameters = choose(prefixes, given)
        if given and folder == NOTEBOOKS:
            raise ValueError("In place, notebooks keep the course's parameters: name another folder.")
    except ValueError as error:
        print(error)
        return 2
    begun, failed = time.monotonic(), []

    def run(source: Path) -> None:
        if failed:
            return
        started, what = time.monotonic(), f"[{notebooks.index(source) + 1:2} of {len(notebooks)}] {source.stem:26}"
        try:
            notebook = execute_notebook(
                nbformat.read(source, as_version=4),
                None,
                {name: value for name, value in parameters.items() if name in inspect_notebook(source)},
                progress_bar=BAR | {"desc": what} if sys.stdout.isatty() else False,
                kernel_name="python3",
                execution_timeout=CELL_TIMEOUT,
                record_timing=False,
                coalesce_streams=True,
                extra_arguments=["--log-level=40"],
            )
            said = clean(notebook)
            write_whole(folder / source.name, (nbformat.writes(notebook) + "\n").encode())
            lines = [f"{what}{time.monotonic() - started:5.0f} s", *(f"    {line}" for line in said[:5])]
        except (PapermillExecutionError, CellTimeoutError, RuntimeError, OSError) as error:
            failed.append(source)
            lines = [f"{what}  failed after {time.monotonic() - started:.0f} s", reason(error)]
            lines += [f"{source.relative_to(ROOT)} was not written. Open it with `make lab` and run it to that cell."]
        tqdm.write("\n".join(lines), file=sys.stdout)
        sys.stdout.flush()

    first = [path for path in notebooks if path.name < TRAINED]
    # The kernels inherit folder and silence; with it goes the kernel's own log.
    with quiet_libraries(), chdir(NOTEBOOKS), ThreadPoolExecutor(2) as pool:
        try:
            list(pool.map(run, reversed(first)))  # the longest, which trains, begins
            list(pool.map(run, notebooks[len(first) :]))
        except KeyboardInterrupt:
            os._exit(130)  # without waiting for the two that run: a kernel ends when its parent is gone
    if failed:
        return 1
    print(f"{len(notebooks)} of {len(notebooks)} notebooks ran without an error, in {time.monotonic() - begun:.0f} s.")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    names = tuple(word for word in sys.argv[2:] if "=" not in word)
    given = dict(word.split("=", 1) for word in sys.argv[2:] if "=" in word)
    sys.exit(execute_all(Path(sys.argv[1]).resolve(), names, given))
