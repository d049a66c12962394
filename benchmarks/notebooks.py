"""Measure each notebook as a reader runs it: seconds from a fresh kernel, and the kernel's peak memory.

    python benchmarks/notebooks.py    about ten minutes on two cores

The notebooks run in the order of the sections, so those after 4.3.06 load what it has trained. The seconds include the
start of the kernel and the import of TensorFlow. A machine's speed changes within an hour: before and after each
notebook a yardstick is measured, the course's default training of 8 epochs, of which two are timed. `trainings` is how
many such trainings would take as long as the notebook.
"""

import os
import tempfile
import time

import nbformat
from common import ROOT, seconds_of_epochs, write_results
from nbclient import NotebookClient

import vae_helpers as vh

PEAK = f"import sys\nsys.path.insert(0, {str(ROOT / 'benchmarks')!r})\nfrom common import peak_gb\nprint(peak_gb())"


def yardstick() -> float:
    """Return the seconds of one default training, from two of its epochs."""
    (x_train, _), (x_test, _) = vh.load_fashion_mnist()
    return vh.EPOCHS / 2 * seconds_of_epochs(2, x_train, x_test)


if __name__ == "__main__":
    folder = tempfile.TemporaryDirectory()
    os.environ["VAE_TRAINED"] = folder.name  # an empty one, so that 4.3.06 trains
    results, before = {}, yardstick()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
        options = {"timeout": 600, "kernel_name": "python3", "extra_arguments": ["--log-level=40"]}
        started = time.monotonic()
        NotebookClient(notebook, resources={"metadata": {"path": path.parent}}, **options).execute()
        seconds, after = time.monotonic() - started, yardstick()
        figures = {"seconds": round(seconds, 1), "peak_gb": round(float(notebook.cells[-1].outputs[0].text), 2)}
        figures["trainings"] = round(seconds / ((before + after) / 2), 2)
        print(f"{path.stem:28}", figures, f"one training: {before:.1f} s before, {after:.1f} s after", flush=True)
        results[path.stem], before = figures, after
    write_results("notebooks", {"notebooks": results})
