"""Train the course's network with four likelihoods, five seeds each: the results that section 4.3.11 shows.

    python benchmarks/likelihoods.py              all of it, about 15 minutes on two cores

Every run has the course's settings; only what a pixel costs differs, and stands in the section. Weights, draws and the
order of the images vary with the seed; the images do not. The numbers are means over the 10,000 test images, one z for
each, in nats per image. Beside them, in likelihoods.npz: the reconstructions of one test image per class by the models
of the first seed, from mu.
"""

from functools import partial
from itertools import product
from types import FunctionType
from typing import Any

from common import FOLDER, SEEDS, run_jobs, section, write_results

import vae_helpers as vh

import numpy as np
from keras import ops

told = section("4.3.11")
log_constant_in_training = FunctionType(told.log_constant.__code__, {"np": ops})


class ContinuousBernoulliVAE(vh.VAE):
    """The course's VAE, whose cross-entropy gets the constant that makes a density of it."""

    def call(self, x: Any) -> Any:
        """Encode, draw z and decode: x to x_hat, both (batch, 28, 28, 1); the loss is added on the way."""
        x_hat = super().call(x)
        log_constants = log_constant_in_training(ops.clip(x_hat, vh.CLIP, 1 - vh.CLIP))
        self.add_loss(-ops.mean(ops.sum(log_constants, axis=(1, 2, 3))))
        return x_hat


LIKELIHOODS = {
    "squared error": partial(vh.VAE, likelihood="gaussian"),
    "learned variance": told.SigmaVAE,
    "BCE": vh.VAE,
    "continuous Bernoulli": ContinuousBernoulliVAE,
}


def mean_pixel(likelihood: str, x_hat: np.ndarray) -> np.ndarray:
    """Return the mean pixel, which of the continuous Bernoulli is not its parameter `x_hat`."""
    if likelihood != "continuous Bernoulli":
        return x_hat
    u = 1 - 2 * np.clip(x_hat, vh.CLIP, 1 - vh.CLIP).astype("float64")
    u = np.where(np.abs(u) < 1e-4, 1e-4, u)  # at 1/2 the formula is 0/0
    return 0.5 - 1 / (2 * u) + 1 / (2 * np.arctanh(u))


def run(job: tuple[int, str]) -> tuple[dict, list[int], np.ndarray]:
    """Train one likelihood with one seed; return its numbers, one test image per class, and how it shows them.

    `printed` is the loss as its training prints it.
    """
    seed, likelihood = job
    (x_train, _), (x, y) = vh.load_fashion_mnist()
    vae = LIKELIHOODS[likelihood](vh.build_encoder(seed=seed), vh.build_decoder(seed=seed))
    vh.fit(vae, x_train, seed=seed)
    best = float(np.mean(told.square(x_train, vh.reconstruct(vae, x_train, seed)), dtype="float64"))

    def density(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return told.gaussian_nats(784 * told.square(a, b), best) / 784

    cost = {"squared error": told.square, "learned variance": density}.get(likelihood, told.cross_entropy)
    x_hat = np.clip(vh.reconstruct(vae, x, seed), vh.CLIP, 1 - vh.CLIP)
    kl_loss = np.mean(vh.kl_divergence(*vh.encode(vae, x)))
    row = {"kl_loss": kl_loss, "mse": np.mean(told.square(x, mean_pixel(likelihood, x_hat)), dtype="float64")}
    row["printed"] = kl_loss + 784 * np.mean(cost(x, x_hat), dtype="float64")
    row["bytes"] = kl_loss + np.mean(told.byte_nats(cost, x, x_hat), dtype="float64")
    if likelihood == "continuous Bernoulli":  # bytes do not see its constant: it divides out
        row["printed"] -= 784 * np.mean(told.log_constant(x_hat), dtype="float64")
    if likelihood in ("squared error", "learned variance"):
        row["sigma2_x"] = 0.5 if likelihood == "squared error" else best
        row["bytes at its best variance"] = kl_loss + np.mean(told.byte_nats(density, x, x_hat), dtype="float64")
    row = {"likelihood": likelihood, "seed": seed} | {name: float(value) for name, value in row.items()}
    images = [list(y).index(c) for c in range(10)]
    pictures = mean_pixel(likelihood, vh.reconstruct(vae, x[images]))
    return row, images, np.round(255 * pictures).astype("uint8")


if __name__ == "__main__":
    rows, images, pictures = zip(*run_jobs(run, product(SEEDS, LIKELIHOODS)), strict=True)
    write_results("likelihoods", {"rows": rows})
    np.savez_compressed(FOLDER / "likelihoods.npz", images=images[0], pictures=np.stack(pictures[: len(LIKELIHOODS)]))
