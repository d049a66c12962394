"""Measure what the weight of the KL buys and costs: the curve, the codes and the pictures of section 4.3.12.

    python benchmarks/beta.py      about ten minutes on two cores

The course's network and training, as `vh.fit` does it by default, for every weight and five seeds: weights, draws and
batch order vary, images do not. Each model is scored on the 10,000 training images and on the test images, one z per
image. Numbers go to benchmarks/results/beta.json, as lists by beta and seed; pictures of the first seed, as bytes from
0 to 255, to benchmarks/results/beta.npz.
"""

from typing import Any

import numpy as np
from common import FOLDER, SEEDS, run_jobs, write_results

BETAS = (0.1, 1, 4, 16, 64, 784)
SHOWN = (0, 1, 7, 8)  # T-shirt, trousers, sneaker, bag: of each, the first test image


def job(of: tuple[float, int]) -> dict[str, Any]:
    """Train one weight with one seed; return its scores and its pictures."""
    beta, seed = of
    import vae_helpers as vh

    (x_train, _), (x_test, y_test) = vh.load_fashion_mnist()
    vae = vh.build_vae(beta=beta, seed=seed)
    vh.fit(vae, x_train, seed=seed)
    row: dict[str, Any] = {"train": vh.evaluate(vae, x_train), "test": vh.evaluate(vae, x_test)}
    for split, x in (("train", x_train), ("test", x_test)):
        row[split]["variance of mu"] = vh.encode(vae, x)[0].var(axis=0).tolist()
    shown = [int(np.flatnonzero(y_test == c)[0]) for c in SHOWN]
    draws = np.random.default_rng(seed).standard_normal((8, 2))
    images = {
        "test_images": x_test[shown],
        "reconstructions": vh.reconstruct(vae, x_test[shown], seed=seed),
        "prior_samples": vh.decode(vae, draws),
    }
    print(
        f"beta {beta:5}  seed {seed:2}  R {row['test']['kl_loss']:7.4f}  D {row['test']['recon_loss']:6.2f}", flush=True
    )
    return row | {"images": {name: np.round(255 * a).astype("uint8") for name, a in images.items()}}


def main() -> None:
    """Train all and keep numbers and pictures."""
    rows = list(run_jobs(job, [(beta, seed) for beta in BETAS for seed in SEEDS]))
    by_beta = [rows[i : i + len(SEEDS)] for i in range(0, len(rows), len(SEEDS))]
    results: dict[str, Any] = {"betas": BETAS, "seeds": SEEDS}
    for split in ("train", "test"):
        names = ("recon_loss", "kl_loss", "variance of mu")
        results[split] = {name: [[row[split][name] for row in seeds] for seeds in by_beta] for name in names}
    write_results("beta", results)
    first = [seeds[0]["images"] for seeds in by_beta]
    pictures = {name: np.stack([images[name] for images in first]) for name in ("reconstructions", "prior_samples")}
    np.savez_compressed(FOLDER / "beta.npz", test_images=first[0]["test_images"], **pictures)


if __name__ == "__main__":
    main()
