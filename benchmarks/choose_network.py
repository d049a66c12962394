"""Choose the course's network on validation images, then report it once on the test images, beside the tutorials' one.

    python benchmarks/choose_network.py            everything, about an hour on two idle cores
    python benchmarks/choose_network.py choose     only the first part
    python benchmarks/choose_network.py report     only the second part, about half an hour

choose: every candidate trains on training images 0 to 9,999 and is scored on training images 10,000 to 19,999, which no
notebook ever trains on. Candidates differ from the course's settings in what their name says. Two run at a time, one
thread each: losses do not depend on the clock.

report: the chosen settings (15 epochs) against the usual tutorial network and training (30), with and without its Dense
16, every seed against its own twin. Seconds are those of the processor, on one thread, two runs at a time: on an idle
core they are the seconds of the clock, and other processes do not change them much. They stop while the loss is scored.
The test images are used once, after the last epoch.

Both parts need all 60,000 images (see fashion_mnist.py) and write to benchmarks/results/choose_network.json.
"""

import sys
import time
from statistics import mean, median
from typing import Any

from common import SEEDS, machine, read_results, run_jobs, write_results

SEEDS_TO_CHOOSE = (1, 2, 3)
TUTORIAL_EPOCHS, TUTORIAL_RATE = 30, 1e-3
REPORTED = ("course", "tutorial", "tutorial without Dense 16")

# Each changes one thing in the course's settings; "network" holds arguments of build_vae, the rest of fit.
CANDIDATES = {
    "course": {},
    "ReLU for ELU": {"network": {"encoder": {"activation": "relu"}, "decoder": {"activation": "relu"}}},
    "Glorot for He": {
        "network": {"encoder": {"initializer": "GlorotUniform"}, "decoder": {"initializer": "GlorotUniform"}}
    },
    "twice the decoder's channels": {"network": {"decoder": {"channels": 32, "filters": (32,)}}},
    "half the channels": {"network": {"encoder": {"filters": (8, 16)}, "decoder": {"channels": 8, "filters": (8,)}}},
    "one dense layer in the decoder": {"network": {"decoder": {"units": (128,)}}},
    "learning rate 2e-3": {"learning_rate": 2e-3},
    "learning rate 8e-3": {"learning_rate": 8e-3},
    "tutorial": {"network": "tutorial", "learning_rate": TUTORIAL_RATE, "constant": True},
    "tutorial without Dense 16": {"network": "no dense", "learning_rate": TUTORIAL_RATE, "constant": True},
}


def network(name_or_settings: dict | str) -> dict:
    """Return the arguments of build_vae for a candidate."""
    import vae_helpers as vh

    if name_or_settings == "tutorial":
        return vh.TUTORIAL
    if name_or_settings == "no dense":
        return {**vh.TUTORIAL, "encoder": {**vh.TUTORIAL["encoder"], "units": ()}}
    return name_or_settings


def score(job: tuple[str, int]) -> dict[str, Any]:
    """Train one candidate with one seed; return its final losses on training and validation images."""
    name, seed = job
    import vae_helpers as vh

    (x, _), _ = vh.load_fashion_mnist(first_10k=False)
    settings = dict(CANDIDATES[name])
    vae = vh.build_vae(seed=seed, **network(settings.pop("network", {})))
    history = vh.fit(vae, x[:10_000], seed=seed, **settings)
    validation = vae.evaluate(x[10_000:20_000], batch_size=1000, verbose=0, return_dict=True)
    return {"name": name, "seed": seed, "train": history["loss"][-1], "validation": validation["loss"]}


def choose() -> dict[str, Any]:
    """Score every candidate with every seed and print the table."""
    rows = []
    for row in run_jobs(score, [(name, seed) for name in CANDIDATES for seed in SEEDS_TO_CHOOSE]):
        rows.append(row)
        print(f"{row['name']:34} seed {row['seed']}: {row['validation']:7.2f}", flush=True)
    print(f"\n{'candidate':34} {'mean':>7}   loss on validation images per seed, nats per image")
    for name in CANDIDATES:
        losses = [row["validation"] for row in rows if row["name"] == name]
        print(f"{name:34} {mean(losses):7.2f}   {'  '.join(f'{v:.2f}' for v in losses)}")
    return {"rows": rows}


def timed_run(job: tuple[str, int]) -> dict[str, Any]:
    """Train once; return the loss on validation images against seconds of training, and the final test loss."""
    name, seed = job
    import keras

    import vae_helpers as vh

    (x, _), (x_test, _) = vh.load_fashion_mnist(first_10k=False)

    class Clock(keras.callbacks.Callback):
        """Score after every epoch, outside the seconds that count."""

        def on_train_begin(self, logs=None):
            self.curve, self.spent = [], 0.0
            self.started = time.process_time()

        def on_epoch_end(self, epoch, logs=None):
            self.spent += time.process_time() - self.started
            loss = self.model.evaluate(x[10_000:12_500], batch_size=500, verbose=0, return_dict=True)["loss"]
            self.curve.append((round(self.spent, 2), loss))
            self.started = time.process_time()

    clock = Clock()
    settings = dict(CANDIDATES[name])
    vae = vh.build_vae(seed=seed, **network(settings.pop("network", {})))
    epochs = vh.EPOCHS if name == "course" else TUTORIAL_EPOCHS
    vh.fit(vae, x[:10_000], epochs=epochs, seed=seed, callbacks=[clock], **settings)
    test = vae.evaluate(x_test, batch_size=1000, verbose=0, return_dict=True)
    return {"name": name, "seed": seed, "epochs": epochs, "seconds": clock.spent, "curve": clock.curve, "test": test}


def reached(course: dict[str, Any], other: dict[str, Any]) -> float:
    """Return after which share of the other's seconds the course's run has the other's final validation loss."""
    goal = other["curve"][-1][1]
    return next((seconds for seconds, loss in course["curve"] if loss <= goal), float("inf")) / other["seconds"]


def report() -> dict[str, Any]:
    """Run the course's settings and the tutorials' with every seed, and print the table."""
    runs: dict[str, list] = {name: [] for name in REPORTED}
    print(f"{'':26}{'seed':>6}{'seconds':>9}{'test loss':>11}{'recon':>9}{'kl':>7}   nats per image", flush=True)
    for run in run_jobs(timed_run, [(name, seed) for seed in SEEDS for name in REPORTED]):
        runs[run["name"]].append(run)
        test = run["test"]
        print(f"{run['name']:26}{run['seed']:6}{run['seconds']:9.1f}", end="")
        print(f"{test['loss']:11.2f}{test['recon_loss']:9.2f}{test['kl_loss']:7.2f}", flush=True)
    for name in REPORTED:
        print(f"{name}: median test loss {median(r['test']['loss'] for r in runs[name]):.2f} nats per image")
        if name == "course":
            continue
        pairs = list(zip(runs["course"], runs[name], strict=True))
        for what, shares in (
            ("the course's seconds as a share", [a["seconds"] / b["seconds"] for a, b in pairs]),
            ("share until this one's final loss is reached", [reached(a, b) for a, b in pairs]),
        ):
            print(f"    {what}: median {median(shares):.3f}, from {min(shares):.3f} to {max(shares):.3f}")
    return runs


def main(parts: list[str]) -> None:
    """Run the parts that are asked for and keep the other ones as they were measured."""
    for part in parts or ["choose", "report"]:
        measured = {"choose": choose, "report": report}[part]() | {"versions": machine()}
        results = read_results("choose_network") | {part: measured}
        results.pop("measured on", None)
        write_results("choose_network", results)


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= {"choose", "report"}:
        sys.exit(__doc__)
    main(sys.argv[1:])
