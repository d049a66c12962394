"""Measure one epoch at 5, 10, 20, 40 and 60 thousand images: seconds, and the memory that the process needs at most.

    python benchmarks/growth.py    about ten minutes on two cores

Each size runs in a process of its own, so that its peak is its own; the sizes run in turn, five times over.
"""

from common import peak_gb, run_jobs, seconds_of_epochs, write_results

import vae_helpers as vh

SIZES, REPEATS = (5_000, 10_000, 20_000, 40_000, 60_000), 5


def one_epoch(size: int) -> dict[str, float]:
    """Return the seconds of an epoch on `size` images, and the peak memory in GB."""
    (x, _), _ = vh.load_fashion_mnist(first_10k=size <= 10_000)
    return {"images": size, "seconds": seconds_of_epochs(1, x[:size].copy()), "peak_gb": peak_gb()}


if __name__ == "__main__":
    write_results("growth", {"rows": list(run_jobs(one_epoch, SIZES * REPEATS, workers=1))})
