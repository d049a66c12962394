"""What the benchmark scripts share: where results go, on what they were measured, and running many trainings."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks" / "results"
sys.path.insert(0, str(ROOT))

SEEDS = (42, 1, 2, 3, 4)


def machine() -> dict[str, str]:
    """Return the machine, Python and the packages that matter, by name."""
    versions = {"machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"}
    versions["python"] = platform.python_version()
    for package in ("tensorflow", "tensorflow-cpu", "keras", "numpy", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def read_results(name: str) -> dict[str, Any]:
    """Return what `write_results` has kept under `name`, or nothing yet."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write_results(name: str, results: dict[str, Any]) -> None:
    """Keep `results` as benchmarks/results/NAME.json, with the machine and the versions."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(results | {"measured on": machine()}, indent=1) + "\n")


def peak_gb() -> float:
    """Return the most memory that this process has used, in GB."""
    import resource  # Windows has no such module

    unit = 1 if sys.platform == "darwin" else 1024  # a Mac counts bytes, Linux kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def seconds_of_an_epoch(x: Any) -> float:
    """Return the seconds that `fit` takes for its second epoch on images: the first one traces the graph."""
    import vae_helpers as vh
    import keras

    marks = []

    def mark(epoch: int, logs: Any) -> None:
        marks.append(time.perf_counter())

    clock = keras.callbacks.LambdaCallback(on_epoch_begin=mark, on_epoch_end=mark)
    vh.fit(vh.build_vae(), x, epochs=2, callbacks=[clock])
    return marks[3] - marks[2]


def _one_thread() -> None:
    import vae_helpers  # noqa: F401  TensorFlow without its log
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def run_jobs(train: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Any]:
    """Yield `train(job)` for every job in order: two at a time, one thread and a fresh process each.

    For what does not depend on the clock. One thread also makes a result the same to the last bit on one machine.
    """
    pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_one_thread, max_tasks_per_child=1)
    with pool:
        yield from pool.map(train, jobs)
