"""Measure one epoch at 5, 10, 20, 40 and 60 thousand images: seconds, and the memory that the process needs at most.

    python benchmarks/growth.py    about six minutes on two cores

Each size runs in a process of its own, so that its peak is its own; the sizes run in turn, three times over. The first
epoch, which traces the graph, is not counted. The exponent is the slope of log seconds against log images: of the least
seconds of each size, for other work on the machine only adds to them, and of the medians beside it.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median

import numpy as np
from common import peak_gb, write_results

SIZES, REPEATS = (5_000, 10_000, 20_000, 40_000, 60_000), 3


def one_epoch(size: int) -> dict[str, float]:
    """Train two epochs on `size` images; return the seconds of the second and the peak memory in GB."""
    import keras
    import vae_helpers as vh

    class Clock(keras.callbacks.Callback):
        """Keep how long the last epoch took."""

        def on_epoch_begin(self, epoch, logs=None):
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.started

    (x, _), _ = vh.load_fashion_mnist(first_10k=size <= 10_000)
    clock = Clock()
    vh.fit(vh.build_vae(), x[:size].copy(), epochs=2, callbacks=[clock])
    return {"images": size, "seconds": clock.seconds, "peak_gb": peak_gb()}


def main() -> None:
    """Measure, print the table and keep it."""
    rows = []
    for _ in range(REPEATS):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            rows += pool.map(one_epoch, SIZES)
    print("images    seconds of an epoch: median (from to)    peak memory")
    least, medians = [], []
    for size in SIZES:
        seconds = [row["seconds"] for row in rows if row["images"] == size]
        peak = max(row["peak_gb"] for row in rows if row["images"] == size)
        least.append(min(seconds))
        medians.append(median(seconds))
        print(f"{size:6,} {medians[-1]:12.2f} ({min(seconds):.2f} to {max(seconds):.2f}) {peak:23.2f} GB")
    exponents = [float(np.polyfit(np.log(SIZES), np.log(values), 1)[0]) for values in (least, medians)]
    print("time grows like images to the power of {:.3f} (least), {:.3f} (medians)".format(*exponents))
    write_results("growth", {"rows": rows, "exponent": exponents[0], "exponent of the medians": exponents[1]})


if __name__ == "__main__":
    main()
