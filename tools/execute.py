"""Execute every notebook top to bottom, each in a fresh kernel, and write the results to a folder.

    python tools/execute.py build/notebooks          leaves the notebooks as they are
    python tools/execute.py notebooks                in place, before a commit
    python tools/execute.py notebooks 4.3.02 4.3.06  only these

A notebook is written when all of its cells have run; the first cell that fails is shown and ends the run.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
CELL_TIMEOUT = 600  # seconds; the slowest cell needs about a tenth of it


def execute(source: Path, target: Path) -> None:
    """Execute the notebook `source` in its own folder and write it to `target`, both or neither."""
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    client.execute()
    # A stored widget view has no kernel behind it and is shown as an error; the picture beside it in the output stays.
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    # The exact Python is printed by the notebook itself; here it would change the file on every machine.
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    nbformat.write(notebook, partial)
    os.replace(partial, target)


def main(folder: Path, prefixes: tuple[str, ...]) -> int:
    """Execute the notebooks whose names start with one of `prefixes` into `folder`; return the exit status."""
    notebooks = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if path.name.startswith(prefixes or ("",))]
    if not notebooks:
        print(f"No notebook in {NOTEBOOKS} starts with {' or '.join(prefixes)}.")
        return 1
    started = time.monotonic()
    for number, source in enumerate(notebooks, 1):
        print(f"[{number} of {len(notebooks)}] {source.stem} ... ", end="", flush=True)
        clock = time.monotonic()
        try:
            execute(source, folder / source.name)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(f"failed after {time.monotonic() - clock:.0f} s\n\n{error}")
            print(f"{source.relative_to(ROOT)} was not written. Open it with `make lab` and run it to that cell.")
            return 1
        print(f"{time.monotonic() - clock:.0f} s", flush=True)
    print(f"{len(notebooks)} of {len(notebooks)} notebooks ran without an error in {time.monotonic() - started:.0f} s.")
    print(f"Open {os.path.relpath(folder / notebooks[0].name)} in Jupyter, or type `make lab`.")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve(), tuple(sys.argv[2:])))
