"""Choose the course's network and training on validation images, then report it once on the test images.

    python benchmarks/choose_network.py            everything, about half an hour on two idle cores
    python benchmarks/choose_network.py choose     only the first part
    python benchmarks/choose_network.py report     only the second part, about twenty minutes

choose: every candidate trains on training images 0 to 9,999 and is scored on training images 10,000 to 19,999, which no
notebook ever trains on.

report: the chosen settings, the same for 30 epochs, and the usual tutorial network and training (30 epochs), every
seed against its own twin. Seconds are those of the processor, on one thread, two runs at a time: on an idle core they
are the seconds of the clock, and other processes do not change them much. They stop while the loss is scored. The test
images are used once, after the last epoch.

Both parts need all 60,000 images (see fashion_mnist.py) and write to benchmarks/results/choose_network.json.
"""

import sys
import time
from itertools import product
from typing import Any

from common import machine, read_results, run_jobs, write_results

import vae_helpers as vh

import keras

SEEDS_TO_CHOOSE = (1, 2, 3)
EIGHT = (42, 1, 2, 3, 4, 5, 6, 7)
# What is reported, and with which seeds: a tutorial's run takes ten times as long as the course's.
REPORTED = {"course": EIGHT, "course, 30 epochs": EIGHT, "tutorial": EIGHT[:4]}

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
    "course, 30 epochs": {"epochs": 30},
    "tutorial": {"epochs": 30},
}


class Clock(keras.callbacks.Callback):
    """Score the model on images after every half epoch, outside the seconds that count."""

    def __init__(self, x: Any) -> None:
        super().__init__()
        self.x, self.spent, self.curve = x, 0.0, []

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self.started = time.process_time()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop it while the model is scored; the second time in an epoch of 79 steps is after the last."""
        if batch % 40 == 38:
            self.spent += time.process_time() - self.started
            self.curve.append((round(self.spent, 2), vh.evaluate(self.model, self.x)["loss"]))
            self.started = time.process_time()


def train(name: str, seed: int, x: Any, *callbacks: Any) -> tuple[vh.VAE, vh.History]:
    """Train a candidate on images; return model and history."""
    given = {"epochs": vh.EPOCHS, "peak": vh.LEARNING_RATE, "warmup": vh.WARMUP} | CANDIDATES[name]
    steps = given["epochs"] * -(-len(x) // vh.BATCH_SIZE)
    step_size = 1e-3 if name == "tutorial" else vh.course_schedule(steps, given["peak"], given["warmup"])
    vae = vh.build_vae(seed=seed, **(vh.TUTORIAL if name == "tutorial" else {}))
    return vae, vh.fit(vae, x, epochs=given["epochs"], learning_rate=step_size, seed=seed, callbacks=callbacks)


def score(job: tuple[str, int]) -> dict[str, Any]:
    """Train one candidate with one seed; return its final losses on training and validation images."""
    (x, _), _ = vh.load_fashion_mnist(first_10k=False)
    vae, history = train(*job, x[:10_000])
    validation = vh.evaluate(vae, x[10_000:20_000])["loss"]
    return {"name": job[0], "seed": job[1], "train": history["loss"][-1], "validation": validation}


def timed_run(job: tuple[str, int]) -> dict[str, Any]:
    """Train once; return the loss on validation images against seconds of training, and the final test losses."""
    (x, _), (x_test, _) = vh.load_fashion_mnist(first_10k=False)
    clock = Clock(x[10_000:12_500])
    vae, history = train(*job, x[:10_000], clock)
    run = {"name": job[0], "seed": job[1], "epochs": len(history["loss"]), "seconds": clock.spent}
    return run | {"curve": clock.curve, "test": vh.evaluate(vae, x_test)}


def choose() -> dict[str, Any]:
    """Score every candidate with every seed."""
    names = [name for name in CANDIDATES if name not in REPORTED or name == "course"]
    return {"rows": list(run_jobs(score, product(names, SEEDS_TO_CHOOSE)))}


def report() -> dict[str, Any]:
    """Run the course's settings and the tutorials' with every seed, the longest runs first."""
    jobs = [(name, seed) for name, seeds in reversed(REPORTED.items()) for seed in seeds]
    runs = list(run_jobs(timed_run, jobs))
    return {name: [run for run in runs if run["name"] == name] for name in REPORTED}


if __name__ == "__main__":
    for part in sys.argv[1:] or ["choose", "report"]:
        measured = {"choose": choose, "report": report}[part]() | {"versions": machine()}
        write_results("choose_network", read_results("choose_network") | {part: measured})
