"""Measure what the weight of the KL buys and costs: the curve, the codes and the pictures of section 4.3.12.

    python benchmarks/beta.py      about ten minutes on two cores

The course's network and training for every weight and five seeds: weights, draws and batch order vary, images do not.
Each model is scored on the 10,000 training images and on the test images, one z per image: lists by beta and seed, and
the pictures of the first seed, as bytes from 0 to 255.
"""

from itertools import product

from common import FOLDER, SEEDS, run_jobs, write_results

import vae_helpers as vh

import numpy as np

BETAS = (0.1, 1, 4, 16, 64, 784)
SHOWN = (0, 1, 7, 8)  # T-shirt, trousers, sneaker, bag: of each, the first test image


def train(job: tuple[float, int]) -> dict:
    """Train one weight with one seed; return its scores and its pictures."""
    beta, seed = job
    (x_train, _), (x_test, y_test) = vh.load_fashion_mnist()
    vae = vh.build_vae(beta=beta, seed=seed)
    vh.fit(vae, x_train, seed=seed)
    images = x_test[[list(y_test).index(c) for c in SHOWN]]
    row = {"test_images": images, "reconstructions": vh.reconstruct(vae, images, seed=seed)}
    row["prior_samples"] = vh.decode(vae, np.random.default_rng(seed).standard_normal((8, 2)))
    for split, x in (("train", x_train), ("test", x_test)):
        row[split] = vh.evaluate(vae, x) | {"variance of mu": vh.encode(vae, x)[0].var(axis=0)}
    return row


if __name__ == "__main__":
    rows = list(run_jobs(train, product(BETAS, SEEDS)))
    results = {"betas": BETAS, "seeds": SEEDS, "train": {}, "test": {}}
    for split, name in product(("train", "test"), ("recon_loss", "kl_loss", "variance of mu")):
        values = np.array([row[split][name] for row in rows])
        results[split][name] = values.reshape(len(BETAS), len(SEEDS), *values.shape[1:]).tolist()
    write_results("beta", results)
    first = rows[:: len(SEEDS)]
    pictures = {name: np.stack([row[name] for row in first]) for name in ("reconstructions", "prior_samples")}
    pictures["test_images"] = rows[0]["test_images"]
    np.savez_compressed(FOLDER / "beta.npz", **{k: np.round(255 * v).astype("uint8") for k, v in pictures.items()})
