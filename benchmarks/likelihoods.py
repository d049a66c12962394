"""Train the course's network with five reconstruction costs, five seeds each: the results that section 4.3.11 shows.

    python benchmarks/likelihoods.py              all of it, about 15 minutes on two cores
    python benchmarks/likelihoods.py 42           only this seed, kept beside what was measured before

Every run has the course's settings: the first 10,000 training images, 15 epochs, per seed the same weights to begin
with. Only the cost of a pixel differs. The numbers are means over images, one z for each, on the training and the test
images. For seed 42 the results also hold the histogram of the test residuals and the reconstructions of eight test
images, as bytes in base64. Written to benchmarks/results/likelihoods.json.
"""

import base64
import sys
import time
from typing import Any

from common import SEEDS, read_results, run_jobs, write_results

import old_helpers as vh

import keras
import numpy as np
from keras import ops

NAME = "likelihoods"
COSTS = ("mean of squares", "sum of squares", "learned variance", "BCE", "continuous Bernoulli")
PIXELS = 784
SPEED = 10.0  # Adam moves every weight at one pace; the one number log(sigma2_x) has further to go
RESIDUAL_BINS = np.linspace(-1, 1, 82)  # 81 bars, so that zero lies in the middle of one


def log_normaliser(eta: Any) -> Any:
    """Return log of the integral of exp(eta x) over [0, 1], by its series where `eta` is small.

    The continuous Bernoulli in terms of eta = log(lambda / (1 - lambda)), the logit of its parameter: p(x) is
    exp(eta x) over this integral. A black pixel drives lambda far below what 1 - lambda can tell from 1.
    """
    near = ops.abs(eta) < 0.5
    far = ops.where(near, 1.0, ops.abs(eta))  # both branches are computed, so neither may divide by zero
    exact = ops.maximum(eta, 0.0) + ops.log1p(-ops.exp(-far)) - ops.log(far)
    small = ops.where(near, eta, 0.0)
    return ops.where(near, small / 2 + small**2 / 24 - small**4 / 2880 + small**6 / 181440, exact)


class LikelihoodVAE(vh.VAE):
    """The course's VAE with one of `COSTS` as its reconstruction loss, constants included.

    For the continuous Bernoulli the decoder returns logits.
    """

    def __init__(self, cost: str, encoder: keras.Model, decoder: keras.Model, sigma2_x: float) -> None:
        super().__init__(encoder, decoder)
        self.cost = cost
        if cost == "continuous Bernoulli":
            decoder.layers[-1].activation = keras.activations.linear
        self.scaled_log_sigma2_x = keras.Variable(
            np.float32(np.log(sigma2_x) / SPEED), trainable=cost == "learned variance", name="scaled_log_sigma2_x"
        )

    def cost_of(self, x: Any, x_hat: Any) -> Any:
        """Return the cost of each image, (batch,)."""
        if self.cost == "BCE":
            return vh.reconstruction_loss(x, x_hat)
        if self.cost == "continuous Bernoulli":
            return ops.sum(log_normaliser(x_hat) - x * x_hat, axis=(1, 2, 3))
        squares = vh.reconstruction_loss(x, x_hat, "gaussian")
        if self.cost == "mean of squares":
            return squares / PIXELS
        if self.cost == "sum of squares":
            return squares + PIXELS / 2 * np.log(np.pi)
        log_sigma2_x = SPEED * self.scaled_log_sigma2_x
        return squares / (2 * ops.exp(log_sigma2_x)) + PIXELS / 2 * (np.log(2 * np.pi) + log_sigma2_x)

    def losses_on(self, x: Any, training: bool = False) -> tuple[Any, Any, Any]:
        """Return the scalars (loss, recon_loss, kl_loss): means over the batch, one z per image."""
        mu, logvar, z = self.encoder(x, training=training)
        recon_loss = ops.mean(self.cost_of(x, self.decoder(z, training=training)))
        kl_loss = ops.mean(vh.kl_divergence(mu, logvar))
        return recon_loss + kl_loss, recon_loss, kl_loss


def mean_of(cost: str, x_hat: np.ndarray) -> np.ndarray:
    """Return the mean of the decoder's distribution, which for the continuous Bernoulli is not its parameter."""
    if cost != "continuous Bernoulli":
        return x_hat
    eta = np.clip(x_hat.astype("float64"), -500, 500)
    near = np.abs(eta) < 0.01
    far = np.where(near, 1.0, eta)
    return np.where(near, 0.5 + eta / 12, -1 / np.expm1(-far) - 1 / far).astype("float32")


def run(job: tuple[str, int]) -> dict[str, Any]:
    """Train one cost with one seed; return the numbers, and for seed 42 what the figures need."""
    cost, seed = job
    started = time.perf_counter()
    (x_train, _), (x_test, y_test) = vh.load_fashion_mnist()
    spread = float(np.mean((x_train - x_train.mean(axis=0)) ** 2))  # the variance around the mean image
    vae = LikelihoodVAE(cost, vh.build_encoder(seed=seed), vh.build_decoder(seed=seed), spread)
    vh.fit(vae, x_train, seed=seed)
    row: dict[str, Any] = {"cost": cost, "seed": seed}
    if cost == "learned variance":
        row["sigma2_x"] = float(np.exp(SPEED * vae.scaled_log_sigma2_x.numpy()))
    for split, x in (("train", x_train), ("test", x_test)):
        losses = vae.evaluate(x, batch_size=1000, verbose=0, return_dict=True)
        mu, logvar, z = vh.encode(vae, x)
        means = mean_of(cost, vh.decode(vae, z))  # (10000, 28, 28, 1)
        row[split] = losses | {
            "mse": float(np.mean((x - means) ** 2, dtype="float64")),
            "bce": float(np.mean(vh.reconstruction_loss(x, means))),
            "spread": float(means.std(axis=0).mean()),
            "sigma": float(np.median(np.exp(0.5 * logvar))),
        }
    if seed == SEEDS[0]:
        row["residuals"] = np.histogram(means - x_test, RESIDUAL_BINS)[0].tolist()
        chosen = [int(np.flatnonzero(y_test == c)[0]) for c in (0, 1, 2, 3, 5, 7, 8, 9)]
        pictures = mean_of(cost, vh.decode(vae, mu[chosen]))  # (8, 28, 28, 1), from mu
        row["images"] = chosen
        row["pictures"] = base64.b64encode(np.round(255 * pictures).astype("uint8").tobytes()).decode()
    row["seconds"] = round(time.perf_counter() - started, 1)
    return row


def main(seeds: tuple[int, ...]) -> None:
    """Run every cost with every seed and keep each row as soon as it is there."""
    rows = {(row["cost"], row["seed"]): row for row in read_results(NAME).get("rows", [])}
    print(f"{'cost':22}{'seed':>5}{'recon_loss':>12}{'kl_loss':>9}{'mse':>9}{'bce':>9}   test images, nats per image")
    for row in run_jobs(run, [(cost, seed) for seed in seeds for cost in COSTS]):
        rows[row["cost"], row["seed"]] = row
        ordered = [rows[cost, seed] for cost in COSTS for seed in SEEDS if (cost, seed) in rows]
        write_results(NAME, {"residual_bins": RESIDUAL_BINS.round(6).tolist(), "rows": ordered})
        test = row["test"]
        print(
            f"{row['cost']:22}{row['seed']:5}{test['recon_loss']:12.4f}{test['kl_loss']:9.3f}"
            f"{test['mse']:9.5f}{test['bce']:9.2f}   {row['seconds']:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(tuple(int(seed) for seed in sys.argv[1:]) or SEEDS)
