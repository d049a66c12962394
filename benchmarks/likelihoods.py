"""Train the course's network with four likelihoods, five seeds each: the results that section 4.3.11 shows.

    python benchmarks/likelihoods.py              all of it, about 15 minutes on two cores

Every run has the course's settings: the first 10,000 training images, 8 epochs, and for each seed the same weights to
begin with. Only what a pixel costs differs. Weights, draws and the order of the images vary with the seed; the images
do not. The numbers are means over the 10,000 test images, one z for each, in nats per image. Written to
benchmarks/results/likelihoods.json; the reconstructions of one test image per class by the models of seed 42, from mu,
to likelihoods.npz beside it.
"""

import time
from collections.abc import Callable
from typing import Any

from common import FOLDER, SEEDS, run_jobs, write_results

import vae_helpers as vh

import numpy as np
from keras import ops

LIKELIHOODS = ("squared error", "learned variance", "BCE", "continuous Bernoulli")
LEVELS = np.arange(256, dtype="float32") / 255


def log_constant(lam: Any) -> Any:
    """Return log C(lam) of the continuous Bernoulli; near 1/2, where the formula is 0/0, its series."""
    u = 1.0 - 2.0 * lam
    near = ops.abs(u) < 0.1
    safe = ops.where(near, 0.25, lam)  # both branches are computed, so neither may divide by zero
    exact = ops.log((ops.log(1.0 - safe) - ops.log(safe)) / (1.0 - 2.0 * safe))
    return ops.where(near, np.log(2.0) + ops.log1p(u**2 / 3 + u**4 / 5 + u**6 / 7), exact)


def mean_of_continuous_bernoulli(lam: np.ndarray) -> np.ndarray:
    """Return the mean pixel, which is not the parameter `lam`."""
    u = 1 - 2 * lam.astype("float64")
    near = np.abs(u) < 0.02
    far = np.where(near, 0.5, u)
    return np.where(near, 0.5 - u / 6 - 2 * u**3 / 45, 0.5 - 1 / (2 * far) + 1 / (2 * np.arctanh(far)))


def gaussian_nats(squares: Any, sigma2_x: Any) -> Any:
    """Return -log of a Gaussian density of 784 pixels from their sum of squared errors."""
    return squares / (2 * sigma2_x) + 392 * ops.log(2 * np.pi * sigma2_x)


class LikelihoodVAE(vh.VAE):
    """The course's VAE with one of `LIKELIHOODS`; with a learned variance, each batch has the best for its errors."""

    def call(self, x: Any) -> Any:
        """Encode, draw z and decode: x to x_hat, both (batch, 28, 28, 1); the loss is added on the way."""
        mu, logvar, z = self.encoder(x)
        x_hat = self.decoder(z)
        if self.name == "learned_variance":
            squares = ops.mean(vh.reconstruction_loss(x, x_hat, "gaussian"))
            recon_loss = gaussian_nats(squares, squares / 784)
        else:
            lam = ops.clip(x_hat, vh.CLIP, 1 - vh.CLIP)
            recon_loss = ops.mean(vh.reconstruction_loss(x, x_hat) - ops.sum(log_constant(lam), axis=(1, 2, 3)))
        kl_loss = ops.mean(vh.kl_divergence(mu, logvar))
        self.add_loss(recon_loss + kl_loss)
        for tracker, value in zip(self.trackers, (recon_loss + kl_loss, recon_loss, kl_loss), strict=True):
            tracker.update_state(value, sample_weight=ops.shape(x)[0])
        return x_hat


def byte_nats(cost: Callable, x: np.ndarray, x_hat: np.ndarray) -> float:
    """Return -log P(the bytes of an image), the mean: each level's exp(-cost) over the sum of all 256 levels'."""
    nats = []
    for i in range(0, len(x), 1000):
        part = x_hat[i : i + 1000]
        total = sum(np.exp(-cost(level, part)) for level in LEVELS)
        nats.append(np.sum(cost(x[i : i + 1000], part) + np.log(total), axis=(1, 2, 3), dtype="float64"))
    return float(np.mean(nats))


def score(likelihood: str, vae: vh.VAE, x_train: np.ndarray, x: np.ndarray, seed: int) -> dict[str, float]:
    """Return a model's numbers on the images `x`: `printed` is the loss as its training prints it."""
    mu, logvar = vh.encode(vae, x)
    x_hat = np.clip(vh.decode(vae, vh.sample(mu, logvar, seed)), vh.CLIP, 1 - vh.CLIP)
    squares = float(np.mean(np.sum((x - x_hat) ** 2, axis=(1, 2, 3), dtype="float64")))
    kl_loss = float(np.mean(vh.kl_divergence(mu, logvar)))
    row = {"kl_loss": kl_loss, "mse": squares / 784}
    if likelihood in LIKELIHOODS[:2]:
        fitted = float(np.mean((x_train - vh.reconstruct(vae, x_train, seed)) ** 2, dtype="float64"))
        half = {"sigma2_x": 0.5, "printed": squares + kl_loss}
        learned = {"sigma2_x": fitted, "printed": float(gaussian_nats(squares, fitted)) + kl_loss}
        row |= half if likelihood == "squared error" else learned
        for name, sigma2_x in (("", row["sigma2_x"]), (" at its best variance", fitted)):
            row["density" + name] = float(gaussian_nats(squares, sigma2_x)) + kl_loss
            row["bytes" + name] = byte_nats(lambda a, b, v=sigma2_x: (a - b) ** 2 / (2 * v), x, x_hat) + kl_loss
        return row | {"fitted": fitted}
    bce = float(np.mean(vh.reconstruction_loss(x, x_hat)))
    offset = float(np.mean(np.sum(log_constant(x_hat), axis=(1, 2, 3))))
    row["density"] = bce - offset + kl_loss
    row["bytes"] = byte_nats(lambda a, b: -(a * np.log(b) + (1 - a) * np.log1p(-b)), x, x_hat) + kl_loss
    if likelihood == "BCE":
        return row | {"printed": bce + kl_loss}
    means = mean_of_continuous_bernoulli(x_hat)
    return row | {"printed": row["density"], "mse": float(np.mean((x - means) ** 2, dtype="float64"))}


def run(job: tuple[str, int]) -> dict[str, Any]:
    """Train one likelihood with one seed; return its numbers and its reconstructions of one test image per class."""
    likelihood, seed = job
    started = time.perf_counter()
    (x_train, _), (x_test, y_test) = vh.load_fashion_mnist()
    vae = vh.build_vae(likelihood="gaussian" if likelihood == "squared error" else "bernoulli", seed=seed)
    if likelihood in ("learned variance", "continuous Bernoulli"):
        vae = LikelihoodVAE(vae.encoder, vae.decoder, name=likelihood.replace(" ", "_"))
    vh.fit(vae, x_train, seed=seed)
    row = {"likelihood": likelihood, "seed": seed, **score(likelihood, vae, x_train, x_test, seed)}
    images = np.array([np.flatnonzero(y_test == c)[0] for c in range(10)])
    pictures = vh.reconstruct(vae, x_test[images])
    if likelihood == "continuous Bernoulli":
        pictures = mean_of_continuous_bernoulli(np.clip(pictures, vh.CLIP, 1 - vh.CLIP))
    row["seconds"] = round(time.perf_counter() - started, 1)
    return row | {"images": images, "pictures": np.round(255 * pictures).astype("uint8")}


def main() -> None:
    """Run every likelihood with every seed, then write numbers and pictures."""
    rows, pictures = [], []
    for row in run_jobs(run, [(likelihood, seed) for seed in SEEDS for likelihood in LIKELIHOODS]):
        images, picture = row.pop("images"), row.pop("pictures")
        if row["seed"] == SEEDS[0]:
            pictures.append(picture)
        rows.append(row)
        print(", ".join(f"{k} {v:.5g}" if isinstance(v, float) else str(v) for k, v in row.items()), flush=True)
        write_results("likelihoods", {"rows": rows})
    np.savez_compressed(FOLDER / "likelihoods.npz", images=images, pictures=np.stack(pictures))


if __name__ == "__main__":
    main()
