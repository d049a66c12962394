"""Choose the course's training on validation images, then report it once on the test images.

    python benchmarks/choose_network.py            everything, about half an hour on two idle cores
    python benchmarks/choose_network.py choose     only the candidates
    python benchmarks/choose_network.py report     only the comparison, about twenty minutes

Every run trains on training images 0 to 9,999. A candidate is scored on training images 10,000 to 19,999, which no
notebook ever trains on. Reported are the chosen settings, the same for 30 epochs, and the usual tutorial network and
training, every seed against its own twin, on the test images. Seconds are those of the processor, which other processes
do not change much, on one thread. It needs all 60,000 images (see fashion_mnist.py).
"""

import sys
import time
from itertools import product

from common import machine, read_results, run_jobs, write_results

import vae_helpers as vh

import keras
import numpy as np

EIGHT = (42, 1, 2, 3, 4, 5, 6, 7)
# Each differs from the course's settings in what its name says; "peak" and "warmup" are those of the step size.
CANDIDATES = {
    "course": {},
    "peak 6e-3": {"peak": 6e-3},
    "peak 8e-3": {"peak": 8e-3},
    "peak 16e-3": {"peak": 16e-3},
    "warm-up over 5 %": {"warmup": 0.05},
    "warm-up over 30 %": {"warmup": 0.3},
    "6 epochs": {"epochs": 6},
    "15 epochs": {"epochs": 15},
    "15 epochs, no warm-up, peak 4e-3": {"epochs": 15, "warmup": 0.0, "peak": 4e-3},
}
SETTINGS = CANDIDATES | {"course, 30 epochs": {"epochs": 30}, "tutorial": {"epochs": 30}}
# With which seeds: a tutorial's run takes ten times as long as the course's.
REPORTED = {"course": EIGHT, "course, 30 epochs": EIGHT, "tutorial": EIGHT[:4]}
JOBS = {
    "choose": list(product(["choose"], CANDIDATES, (1, 2, 3))),
    "report": [("report", name, seed) for name, seeds in reversed(REPORTED.items()) for seed in seeds],
}


class Clock(keras.callbacks.Callback):
    """Score the model on images after every half epoch, outside the seconds that count."""

    def __init__(self, x: np.ndarray) -> None:
        super().__init__()
        self.x, self.spent, self.curve, self.started = x, 0.0, [], time.process_time()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop it while the model is scored; the second time in an epoch of 79 steps is after the last."""
        if batch % 40 == 38:
            self.spent += time.process_time() - self.started
            self.curve.append((round(self.spent, 2), vh.evaluate(self.model, self.x)["loss"]))
            self.started = time.process_time()


def run(job: tuple[str, str, int]) -> dict:
    """Train once; return the loss on validation images, or, to report, its curve, the seconds and the test losses."""
    part, name, seed = job
    (x, _), (x_test, _) = vh.load_fashion_mnist(first_10k=False)
    given = {"epochs": vh.EPOCHS, "peak": vh.LEARNING_RATE, "warmup": vh.WARMUP} | SETTINGS[name]
    network, step_size = vh.TUTORIAL, 1e-3
    if name != "tutorial":
        steps = given["epochs"] * -(-10_000 // vh.BATCH_SIZE)
        network, step_size = {}, vh.course_schedule(steps, given["peak"], given["warmup"])
    vae, clock = vh.build_vae(seed=seed, **network), Clock(x[10_000:12_500])
    settings = {"epochs": given["epochs"], "learning_rate": step_size, "seed": seed}
    vh.STEPS_AT_ONCE = 1  # the clock looks between two steps
    vh.fit(vae, x[:10_000], **settings, callbacks=[clock] if part == "report" else [])
    row = {"name": name, "seed": seed, "epochs": given["epochs"]}
    if part == "choose":
        return row | {"validation": vh.evaluate(vae, x[10_000:20_000])["loss"]}
    return row | {"seconds": clock.spent, "curve": clock.curve, "test": vh.evaluate(vae, x_test)}


if __name__ == "__main__":
    for part in sys.argv[1:] or JOBS:
        measured = {"rows": list(run_jobs(run, JOBS[part]))}
        if part == "report":
            measured = {name: [row for row in measured["rows"] if row["name"] == name] for name in REPORTED}
        measured["versions"] = machine()
        write_results("choose_network", read_results("choose_network") | {part: measured})
