"""Measure one epoch at 5, 10, 20, 40 and 60 thousand images: seconds, and the memory that the process needs at most.

    python benchmarks/growth.py    about ten minutes on two cores

Each size runs in a process of its own, so that its peak is its own; the sizes run in turn, five times over. The
exponent is the slope of log seconds against log images: of the medians, and of the least seconds of each size beside
it, for other work on the machine only adds to them.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median

import numpy as np
from common import peak_gb, seconds_of_an_epoch, write_results

SIZES, REPEATS = (5_000, 10_000, 20_000, 40_000, 60_000), 5


def one_epoch(size: int) -> dict[str, float]:
    """Return the seconds of an epoch on `size` images, and the peak memory in GB."""
    import vae_helpers as vh

    (x, _), _ = vh.load_fashion_mnist(first_10k=size <= 10_000)
    return {"images": size, "seconds": seconds_of_an_epoch(x[:size].copy()), "peak_gb": peak_gb()}


def main() -> None:
    """Measure, print and keep it; `python benchmarks/tables.py` makes the table."""
    rows = []
    for _ in range(REPEATS):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            rows += pool.map(one_epoch, SIZES)
    exponents = []
    for middle in (min, median):
        seconds = [middle(row["seconds"] for row in rows if row["images"] == size) for size in SIZES]
        exponents.append(float(np.polyfit(np.log(SIZES), np.log(seconds), 1)[0]))
        print(f"{middle.__name__}: {np.round(seconds, 2)} s, growing like images to the power of {exponents[-1]:.3f}")
    write_results("growth", {"rows": rows, "exponent": exponents[0], "exponent of the medians": exponents[1]})


if __name__ == "__main__":
    main()
