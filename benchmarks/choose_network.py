"""Choose the course's network and training on validation images, then report it once on the test images.

    python benchmarks/choose_network.py            everything, about half an hour on two idle cores
    python benchmarks/choose_network.py choose     only the first part
    python benchmarks/choose_network.py report     only the second part, about twenty minutes

choose: every candidate trains on training images 0 to 9,999 and is scored on training images 10,000 to 19,999, which no
notebook ever trains on. Candidates differ from the course's settings in what their name says. Two run at a time, one
thread each: losses do not depend on the clock.

report: the chosen settings, the same for 30 epochs, and the usual tutorial network and training (30 epochs), every
seed against its own twin. Seconds are those of the processor, on one thread, two runs at a
time: on an idle core they are the seconds of the clock, and other processes do not change them much. They stop while
the loss is scored. The test images are used once, after the last epoch.

Both parts need all 60,000 images (see fashion_mnist.py) and write to benchmarks/results/choose_network.json.
"""

import sys
import time
from typing import Any

from common import machine, read_results, run_jobs, write_results

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
    "tutorial": {"epochs": 30, "constant": 1e-3},
}


def prepare(name: str, seed: int) -> tuple[Any, dict[str, Any]]:
    """Return a candidate's untrained model and the arguments with which `fit` trains it on 10,000 images."""
    import vae_helpers as vh

    given = {"epochs": vh.EPOCHS, "peak": vh.LEARNING_RATE, "warmup": vh.WARMUP} | CANDIDATES[name]
    schedule = vh.course_schedule(given["epochs"] * -(-10_000 // vh.BATCH_SIZE), given["peak"], given["warmup"])
    vae = vh.build_vae(seed=seed, **(vh.TUTORIAL if name == "tutorial" else {}))
    return vae, {"epochs": given["epochs"], "learning_rate": given.get("constant", schedule), "seed": seed}


def score(job: tuple[str, int]) -> dict[str, Any]:
    """Train one candidate with one seed; return its final losses on training and validation images."""
    name, seed = job
    import vae_helpers as vh

    (x, _), _ = vh.load_fashion_mnist(first_10k=False)
    vae, settings = prepare(name, seed)
    history = vh.fit(vae, x[:10_000], **settings)
    validation = vh.evaluate(vae, x[10_000:20_000])
    return {"name": name, "seed": seed, "train": history["loss"][-1], "validation": validation["loss"]}


def choose() -> dict[str, Any]:
    """Score every candidate with every seed and print the table."""
    rows = []
    names = [name for name in CANDIDATES if name not in REPORTED or name == "course"]
    for row in run_jobs(score, [(name, seed) for name in names for seed in SEEDS_TO_CHOOSE]):
        rows.append(row)
        print(f"{row['name']:34} seed {row['seed']}: {row['validation']:7.2f}", flush=True)
    return {"rows": rows}


def timed_run(job: tuple[str, int]) -> dict[str, Any]:
    """Train once; return the loss on validation images against seconds of training, and the final test losses."""
    name, seed = job
    import keras

    import vae_helpers as vh

    (x, _), (x_test, _) = vh.load_fashion_mnist(first_10k=False)

    class Clock(keras.callbacks.Callback):
        """Score after every half epoch, outside the seconds that count."""

        def on_train_begin(self, logs=None):
            self.curve, self.spent = [], 0.0
            self.started = time.process_time()

        def on_train_batch_end(self, batch, logs=None):
            if batch % 40 == 38:  # 79 steps an epoch
                self.spent += time.process_time() - self.started
                self.curve.append((round(self.spent, 2), vh.evaluate(self.model, x[10_000:12_500])["loss"]))
                self.started = time.process_time()

        def on_train_end(self, logs=None):
            self.spent += time.process_time() - self.started

    clock = Clock()
    vae, settings = prepare(name, seed)
    vh.fit(vae, x[:10_000], callbacks=[clock], **settings)
    run = {"name": name, "seed": seed, "epochs": settings["epochs"], "seconds": clock.spent, "curve": clock.curve}
    return run | {"test": vh.evaluate(vae, x_test)}


def reached(course: dict[str, Any], other: dict[str, Any]) -> float:
    """Return after which share of the other's seconds the course's run has the other's final validation loss."""
    goal = other["curve"][-1][1]
    return next((seconds for seconds, loss in course["curve"] if loss <= goal), float("inf")) / other["seconds"]


def report() -> dict[str, Any]:
    """Run the course's settings and the tutorials' with every seed, and print the table."""
    runs: dict[str, list] = {name: [] for name in REPORTED}
    print(f"{'':26}{'seed':>6}{'seconds':>9}{'test loss':>11}{'recon':>9}{'kl':>7}   nats per image", flush=True)
    jobs = sorted(
        ((name, seed) for name, seeds in REPORTED.items() for seed in seeds), key=lambda j: j[0] != "tutorial"
    )
    for run in run_jobs(timed_run, jobs):
        runs[run["name"]].append(run)
        keep("report", runs)
        test = run["test"]
        print(f"{run['name']:26}{run['seed']:6}{run['seconds']:9.1f}", end="")
        print(f"{test['loss']:11.2f}{test['recon_loss']:9.2f}{test['kl_loss']:7.2f}", flush=True)
    return runs


def keep(part: str, measured: dict[str, Any]) -> None:
    """Write what a part has measured so far and leave the other part as it was."""
    write_results("choose_network", read_results("choose_network") | {part: measured | {"versions": machine()}})


def main(parts: list[str]) -> None:
    """Run the parts that are asked for."""
    for part in parts or ["choose", "report"]:
        keep(part, {"choose": choose, "report": report}[part]())


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= {"choose", "report"}:
        sys.exit(__doc__)
    main(sys.argv[1:])
