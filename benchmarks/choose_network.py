"""Choose the course's network on validation images, then report it once on the test images, beside the tutorials' one.

    python benchmarks/choose_network.py            everything, about an hour on two cores
    python benchmarks/choose_network.py choose     only the first part
    python benchmarks/choose_network.py report     only the second part

choose: every candidate trains on training images 0 to 9,999 and is scored on training images 10,000 to 19,999, which no
notebook ever trains on. Candidates differ from the course's settings in what their name says. Two run at a time, one
thread each: losses do not depend on the clock.

report: the chosen settings against the usual tutorial network and training, seed by seed in turn, each on all cores.
The clock stops while the loss is scored. The test images are used once, after the last epoch.

Both parts need all 60,000 images (see fashion_mnist.py) and write to benchmarks/results/choose_network.json.
"""

import json
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "choose_network.json"
sys.path.insert(0, str(ROOT))

SEEDS_TO_CHOOSE = (1, 2, 3)
SEEDS_TO_REPORT = (42, 1, 2, 3, 4)
TUTORIAL_EPOCHS, TUTORIAL_RATE = 30, 1e-3

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


def score(job: tuple[str, int]) -> dict:
    """Train one candidate with one seed; return its final losses on training and validation images."""
    name, seed = job
    import vae_helpers as vh

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    (x, _), _ = vh.load_fashion_mnist(first_10k=False)
    settings = dict(CANDIDATES[name])
    vae = vh.build_vae(seed=seed, **network(settings.pop("network", {})))
    history = vh.fit(vae, x[:10_000], seed=seed, **settings)
    validation = vae.evaluate(x[10_000:20_000], batch_size=1000, verbose=0, return_dict=True)
    return {"name": name, "seed": seed, "train": history["loss"][-1], "validation": validation["loss"]}


def choose() -> dict:
    """Score every candidate with every seed and print the table."""
    jobs = [(name, seed) for name in CANDIDATES for seed in SEEDS_TO_CHOOSE]
    rows = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for row in pool.map(score, jobs):
            rows.append(row)
            print(f"{row['name']:34} seed {row['seed']}: {row['validation']:7.2f}", flush=True)
    print(f"\n{'candidate':34} {'mean':>7}   loss on validation images per seed, nats per image")
    for name in CANDIDATES:
        losses = [row["validation"] for row in rows if row["name"] == name]
        print(f"{name:34} {mean(losses):7.2f}   {'  '.join(f'{v:.2f}' for v in losses)}")
    return {"rows": rows}


def timed_run(seed: int, tutorial: bool, x, x_test) -> dict:
    """Train once; return the loss on validation images against seconds of training, and the final test loss."""
    import keras

    import vae_helpers as vh

    class Clock(keras.callbacks.Callback):
        """Score after every epoch, with the clock stopped."""

        def on_train_begin(self, logs=None):
            self.curve, self.spent, self.cpu = [], 0.0, 0.0
            self.started, self.cpu_started = time.perf_counter(), time.process_time()

        def on_epoch_end(self, epoch, logs=None):
            self.spent += time.perf_counter() - self.started
            self.cpu += time.process_time() - self.cpu_started
            loss = self.model.evaluate(x[10_000:12_500], batch_size=500, verbose=0, return_dict=True)["loss"]
            self.curve.append((round(self.spent, 2), loss))
            self.started, self.cpu_started = time.perf_counter(), time.process_time()

    clock = Clock()
    vae = vh.build_vae(seed=seed, **(vh.TUTORIAL if tutorial else {}))
    settings = {"epochs": TUTORIAL_EPOCHS, "learning_rate": TUTORIAL_RATE, "constant": True} if tutorial else {}
    vh.fit(vae, x[:10_000], seed=seed, callbacks=[clock], **settings)
    test = vae.evaluate(x_test, batch_size=1000, verbose=0, return_dict=True)
    return {"seed": seed, "seconds": clock.spent, "cpu_seconds": clock.cpu, "curve": clock.curve, "test": test}


def report() -> dict:
    """Run the course's settings and the tutorials' in turn, seed by seed, and print the table."""
    import vae_helpers as vh

    (x, _), (x_test, _) = vh.load_fashion_mnist(first_10k=False)
    runs = {"course": [], "tutorial": []}
    print(f"{'':10}{'seed':>6}{'seconds':>9}{'test loss':>11}{'recon':>9}{'kl':>7}   nats per image", flush=True)
    for seed in SEEDS_TO_REPORT:
        for name in runs:
            run = timed_run(seed, name == "tutorial", x, x_test)
            runs[name].append(run)
            test = run["test"]
            print(
                f"{name:10}{seed:6}{run['seconds']:9.1f}{test['loss']:11.2f}"
                f"{test['recon_loss']:9.2f}{test['kl_loss']:7.2f}",
                flush=True,
            )
    pairs = list(zip(runs["course"], runs["tutorial"], strict=True))
    share = [course["seconds"] / tutorial["seconds"] for course, tutorial in pairs]
    cpu_share = [course["cpu_seconds"] / tutorial["cpu_seconds"] for course, tutorial in pairs]
    reach = [
        next((seconds for seconds, loss in course["curve"] if loss <= tutorial["curve"][-1][1]), float("inf"))
        / tutorial["seconds"]
        for course, tutorial in pairs
    ]
    print(f"median test loss of the course: {median(r['test']['loss'] for r in runs['course']):.2f} nats per image")
    print(
        f"its time as a share of the tutorial's: median {median(share):.3f}, from {min(share):.3f} to {max(share):.3f}"
    )
    print(f"processor time: median {median(cpu_share):.3f}, from {min(cpu_share):.3f} to {max(cpu_share):.3f}")
    print(f"share of that time to the tutorial's own final loss: median {median(reach):.3f}, largest {max(reach):.3f}")
    return runs


def versions() -> dict:
    """Return what a reader needs to place the figures."""
    import keras
    import numpy as np
    import tensorflow as tf

    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def main(parts: list[str]) -> None:
    """Run the parts that are asked for and keep the other ones as they were measured."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in parts or ["choose", "report"]:
        results[part] = {"choose": choose, "report": report}[part]() | {"versions": versions()}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= {"choose", "report"}:
        sys.exit(__doc__)
    main(sys.argv[1:])
