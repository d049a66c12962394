"""Measure each notebook as a reader runs it: seconds from a fresh kernel, and the kernel's peak memory.

    python benchmarks/notebooks.py                 all of them, about six minutes on two cores
    python benchmarks/notebooks.py 4.3.05 4.3.06   only these; the others keep their last figures

The notebooks run in the order of the sections, so those after 4.3.06 load what it has trained. Nothing is written but
benchmarks/results/notebooks.json. The seconds include the start of the kernel and the import of TensorFlow.
"""

import sys
import time
from pathlib import Path

import nbformat
from common import ROOT, read_results, write_results
from nbclient import NotebookClient

PEAK = f"import sys\nsys.path.insert(0, {str(ROOT / 'benchmarks')!r})\nfrom common import peak_gb\nprint(peak_gb())"


def measure(path: Path) -> dict[str, float]:
    """Execute the notebook at `path` in its own folder; return seconds and the kernel's peak memory in GB."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": path.parent}},
    )
    started = time.monotonic()
    client.execute()
    seconds = time.monotonic() - started
    return {"seconds": round(seconds, 1), "peak_gb": round(float(notebook.cells[-1].outputs[0].text), 2)}


def main(prefixes: tuple[str, ...]) -> None:
    """Measure the notebooks whose names start with one of `prefixes`, print the table and keep it."""
    results = read_results("notebooks").get("notebooks", {})
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if path.name.startswith(prefixes or ("",)):
            figures = results[path.stem] = measure(path)
            print(f"{path.stem:28} {figures['seconds']:6.1f} s {figures['peak_gb']:6.2f} GB", flush=True)
    total = sum(figures["seconds"] for figures in results.values())
    print(f"all {len(results)} notebooks: {total / 60:.1f} minutes")
    write_results("notebooks", {"notebooks": dict(sorted(results.items()))})


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
