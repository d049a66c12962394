"""What the benchmark scripts share: results and their machine, a section's own functions, and running many jobs."""

import ast
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks" / "results"
sys.path += [str(ROOT), str(ROOT / "notebooks"), str(ROOT / "tools")]
from count_code import cells
from machine import installed_versions

SEEDS = (42, 1, 2, 3, 4)
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def machine() -> dict[str, str]:
    """Return the machine, Python and the packages that matter, by name."""
    cores = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    versions = {"machine": cores, "python": platform.python_version(), **installed_versions()}
    return versions | {package: version(package) for package in ("numpy", "torch") if find_spec(package)}


def read_results(name: str) -> dict:
    """Return what `write_results` has kept under `name`."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def write_results(name: str, results: dict) -> None:
    """Keep `results` as benchmarks/results/NAME.json, with the machine and the versions."""
    (FOLDER / f"{name}.json").write_text(json.dumps(results | {"measured on": machine()}, indent=1) + "\n")


def peak_gb() -> float:
    """Return the most memory that this process has used, in GB."""
    import resource  # Windows has no such module

    unit = 1 if sys.platform == "darwin" else 1024  # a Mac counts bytes, Linux kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def seconds_of_epochs(count: int, *x: Any) -> float:
    """Return the seconds of `count` epochs of the course's training on images, after one that traces the graph."""
    import vae_helpers as vh
    import keras

    ends = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    vh.fit(vh.build_vae(), *x, epochs=1 + count, callbacks=[clock])
    return ends[-1] - ends[0]


def section(number: str) -> SimpleNamespace:
    """Return the functions, classes and constants that a section defines, so that nothing is written twice."""
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    tree = ast.parse("\n".join(source for source, _ in cells(path, "code")))
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    tree.body = [node for node in tree.body if isinstance(node, kept) or ast.unparse(node).split(" = ")[0].isupper()]
    defined = {}
    exec(compile(tree, path.name, "exec"), defined)
    return SimpleNamespace(**defined)


def run_jobs(work: Callable, jobs: Iterable, workers: int = 2) -> Iterator:
    """Yield `work(job)` for every job in order, each in a fresh process: two at a time, with one thread each.

    That is for what does not depend on the clock. One thread also makes a result the same to the last bit on one
    machine. A single worker has all threads.
    """
    jobs = list(jobs)
    if workers > 1:
        os.environ |= ONE_THREAD
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for job, result in zip(jobs, pool.map(work, jobs), strict=True):
            print("done:", job, flush=True)
            yield result
