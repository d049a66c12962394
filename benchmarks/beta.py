"""Measure what the weight of the KL buys and costs, and what kills units: the figures behind section 4.3.12.

    python benchmarks/beta.py             both parts, about 20 minutes on two cores
    python benchmarks/beta.py curve       only the first part, about 12 minutes
    python benchmarks/beta.py collapse    only the second part, about 8 minutes

curve: the course's network for every beta and five seeds, five epochs each, and once more with the largest beta reached
by annealing: beta grows from 0 along a straight line during the first half of the training.

collapse: the usual tutorial network with its Dense 16, two epochs at Adam's constant 1e-3, as it is and with one change
at a time. How many of the 16 units are zero for all training images, and what does it cost?

All train on the 10,000 images of the course and are scored on them and on the test images, one z per image. Two run at
a time, one thread each. Results go to benchmarks/results/beta.json, after every training.
"""

import base64
import sys
import zlib
from typing import Any

import numpy as np
from common import SEEDS, read_results, run_jobs, write_results

BETAS = (0.1, 1, 4, 16, 64, 784)
CURVE_EPOCHS, COLLAPSE_EPOCHS = 5, 2
SHOWN = (0, 1, 2, 3, 5, 7, 8, 9)  # classes: of each, the first test image
# What differs from the tutorial: arguments of build_encoder, the first value of the layer's biases, or the annealing.
CHANGES: dict[str, dict[str, Any]] = {
    "tutorial": {},
    "He initialisation": {"encoder": {"initializer": "HeNormal"}},
    "annealing": {"anneal": 1.0},
    "biases start at 1": {"bias": 1.0},
    "ELU": {"encoder": {"activation": "elu"}},
}


def train(vae, x, epochs: int, seed: int, anneal: float = 0.0, learning_rate: float = 0.0) -> None:
    """Train `vae`; beta grows along a straight line during the first `anneal` epochs. No rate: the course's."""
    import keras
    import old_helpers as vh

    class Anneal(keras.callbacks.Callback):
        """Set beta before every step."""

        def on_train_begin(self, logs=None):
            self.step, self.steps, self.target = 0, anneal * -(-len(x) // vh.BATCH_SIZE), vae.beta
            vae.beta = keras.Variable(0.0, trainable=False)  # a variable, for a number would be traced as a constant

        def on_train_batch_begin(self, batch, logs=None):
            vae.beta.assign(self.target * min(1.0, self.step / self.steps))
            self.step += 1

    callbacks = [Anneal()] if anneal else []
    rate = {"learning_rate": learning_rate, "constant": True} if learning_rate else {}
    vh.fit(vae, x, epochs=epochs, seed=seed, callbacks=callbacks, **rate)


def score(vae, x, eps: np.ndarray) -> dict[str, Any]:
    """Return recon_loss and kl_loss in nats, and of each latent its KL and the variance of its mu over the images."""
    import old_helpers as vh

    rows = []
    for i in range(0, len(x), 1000):
        mu, logvar, _ = (np.asarray(a) for a in vae.encoder(x[i : i + 1000]))
        x_hat = vae.decoder(mu + np.exp(0.5 * logvar) * eps[i : i + 1000])
        rows.append((mu, 0.5 * (mu**2 + np.exp(logvar) - logvar - 1), vh.reconstruction_loss(x[i : i + 1000], x_hat)))
    mu, kl, recon = (np.concatenate(a).astype("float64") for a in zip(*rows, strict=True))
    return {
        "recon_loss": float(recon.mean()),
        "kl_loss": float(kl.sum(axis=1).mean()),
        "kl of each latent": kl.mean(axis=0).tolist(),
        "variance of mu": mu.var(axis=0).tolist(),
    }


def noise(x) -> np.ndarray:
    """Return the same eps for every model."""
    return np.random.default_rng(0).standard_normal((len(x), 2)).astype("float32")


def pack(images) -> str:
    """Return images (N, 28, 28, 1) in [0, 1] as text: bytes, compressed, in base 64."""
    return base64.b64encode(zlib.compress(np.round(255 * np.asarray(images)).astype("uint8").tobytes(), 9)).decode()


def curve_job(job: tuple[float, bool, int]) -> dict[str, Any]:
    """Train one beta with one seed; the first seed also keeps reconstructions and prior samples as pictures."""
    beta, annealed, seed = job
    import old_helpers as vh

    (x, _), (x_test, y_test) = vh.load_fashion_mnist()
    vae = vh.build_vae(seed=seed, beta=beta)
    train(vae, x, CURVE_EPOCHS, seed, anneal=CURVE_EPOCHS / 2 if annealed else 0)
    row = {"beta": beta, "annealed": annealed, "seed": seed}
    row |= {"train": score(vae, x, noise(x)), "test": score(vae, x_test, noise(x_test))}
    if seed == SEEDS[0] and not annealed:
        shown = [int(np.flatnonzero(y_test == c)[0]) for c in SHOWN]
        mu, logvar, _ = (np.asarray(a) for a in vae.encoder(x_test[shown]))
        row["shown"] = shown
        row["reconstructions"] = pack(vae.decoder(mu + np.exp(0.5 * logvar) * noise(x_test)[shown]))
        row["prior samples"] = pack(vae.decoder(np.random.default_rng(seed).standard_normal((8, 2)).astype("float32")))
    return row


def collapse_job(job: tuple[str, int]) -> dict[str, Any]:
    """Train the tutorial's network with one change and one seed; count the units of its Dense 16 that are dead."""
    name, seed = job
    import keras
    import old_helpers as vh

    (x, _), (x_test, _) = vh.load_fashion_mnist()
    change = CHANGES[name]
    network = {**vh.TUTORIAL, "encoder": {**vh.TUTORIAL["encoder"], **change.get("encoder", {})}}
    vae = vh.build_vae(seed=seed, **network)
    dense = next(layer for layer in vae.encoder.layers if isinstance(layer, keras.layers.Dense))
    dense.bias.assign(np.full(dense.units, change.get("bias", 0.0)))
    train(vae, x, COLLAPSE_EPOCHS, seed, anneal=change.get("anneal", 0.0), learning_rate=1e-3)
    to_dense = keras.Model(vae.encoder.input, dense.output)
    h = np.concatenate([np.asarray(to_dense(x[i : i + 1000])) for i in range(0, len(x), 1000)])  # (10000, 16)
    row = {"change": name, "seed": seed, "dead": int((h.std(axis=0) < 1e-6).sum()), "of": h.shape[1]}
    return row | {"train": score(vae, x, noise(x)), "test": score(vae, x_test, noise(x_test))}


JOBS = {
    "curve": (curve_job, [(b, a, s) for s in SEEDS for b, a in [*((b, False) for b in BETAS), (BETAS[-1], True)]]),
    "collapse": (collapse_job, [(name, seed) for seed in SEEDS for name in CHANGES]),
}


def main(parts: list[str]) -> None:
    """Run the parts that are asked for and keep the other ones as they were measured."""
    results = read_results("beta")
    for part in parts or JOBS:
        job, jobs = JOBS[part]
        results[part] = []
        for row in run_jobs(job, jobs):
            results[part].append(row)
            write_results("beta", results)
            what = row.get("change") or f"beta {row['beta']}{' annealed' if row['annealed'] else ''}"
            test = f"recon {row['test']['recon_loss']:7.2f}  kl {row['test']['kl_loss']:7.4f}"
            print(f"{what:20} seed {row['seed']:2}: {test}  dead {row.get('dead', '-')}", flush=True)


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= set(JOBS):
        sys.exit(__doc__)
    main(sys.argv[1:])
