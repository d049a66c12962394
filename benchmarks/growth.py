"""Measure one epoch at 5, 10, 20, 40 and 60 thousand images: seconds, and the memory that the process needs at most.

    python benchmarks/growth.py    about ten minutes on two cores

Each size runs in a process of its own, so that its peak is its own; the sizes run in turn, five times over. The
exponent is the slope of log seconds against log images: of the least seconds of each size, for other work on the
machine only adds to them, and of the medians beside it.
"""

from statistics import median
from typing import Any

from common import peak_gb, run_jobs, seconds_of_epochs, write_results

import vae_helpers as vh

import numpy as np

SIZES, REPEATS = (5_000, 10_000, 20_000, 40_000, 60_000), 5


def one_epoch(size: int) -> dict[str, float]:
    """Return the seconds of an epoch on `size` images, and the peak memory in GB."""
    (x, _), _ = vh.load_fashion_mnist(first_10k=size <= 10_000)
    return {"images": size, "seconds": seconds_of_epochs(1, x[:size].copy()), "peak_gb": peak_gb()}


def exponent(rows: list[dict[str, float]], middle: Any) -> float:
    """Return the power of the number of images that the seconds grow like; `middle` makes one of five."""
    seconds = [middle(row["seconds"] for row in rows if row["images"] == size) for size in SIZES]
    return float(np.polyfit(np.log(SIZES), np.log(seconds), 1)[0])


if __name__ == "__main__":
    rows = list(run_jobs(one_epoch, SIZES * REPEATS, workers=1))
    write_results(
        "growth", {"rows": rows, "exponent": exponent(rows, min), "exponent of the medians": exponent(rows, median)}
    )
