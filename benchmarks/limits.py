"""Measure what section 4.3.14 tells: a plain autoencoder beside the VAE, and what more of everything changes.

    python benchmarks/limits.py    about 22 minutes on two cores

Every setting trains with five seeds, which vary the first weights, the order of the batches and all draws; the images
stay the same. Kept are, by setting and name, the numbers of all seeds and the pictures of the first. One setting needs
all 60,000 images (see fashion_mnist.py).
"""

from itertools import product

from common import FOLDER, SEEDS, run_jobs, section, write_results

import vae_helpers as vh

import numpy as np

WIDE_DECODER = {"units": (256, 256, 256), "channels": 32, "filters": (32,)}
# What each changes in the network; the last two change epochs and images, as many steps each.
SETTINGS = {
    "VAE, d = 2": {},
    "AE, d = 2": {},
    "VAE, d = 32": {"latent_dim": 32},
    "AE, d = 32": {"latent_dim": 32},
    "VAE, d = 8": {"latent_dim": 8},
    "twice as wide": {"encoder": {"filters": (32, 64), "units": (256,)}, "decoder": WIDE_DECODER},
    "18 epochs": {},
    "60,000 images, 3 epochs": {},
}
EPOCHS = {"18 epochs": 18, "60,000 images, 3 epochs": 3}
SAMPLED = tuple(SETTINGS)[:4]  # of which 1,000 samples are compared, and 24 pictures kept
told = section("4.3.14")


def measure(job: tuple[str, int]) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Train one setting with one seed; return its numbers and its arrays."""
    name, seed = job
    plain, epochs = name.startswith("AE"), EPOCHS.get(name, vh.EPOCHS)
    (x_train, _), (x_test, _) = vh.load_fashion_mnist(first_10k=not name.startswith("60,000"))
    vae = (told.build_autoencoder if plain else vh.build_vae)(seed=seed, **SETTINGS[name])
    steps = epochs * -(-len(x_train) // vh.BATCH_SIZE)
    # With the whole step size, a trial of one epoch diverged.
    peak = vh.LEARNING_RATE / 2 if name == "twice as wide" else vh.LEARNING_RATE
    vh.fit(vae, x_train, epochs=epochs, learning_rate=vh.course_schedule(steps, peak), seed=seed)
    numbers = {} if plain else vh.evaluate(vae, x_test, seed)
    numbers["parameters"] = vae.count_params()
    for split, x in (("test", x_test), ("train", x_train[:10_000])):
        numbers[f"recon_from_mu, {split}"] = float(np.mean(vh.reconstruction_loss(x, vh.reconstruct(vae, x))))
    if name not in SAMPLED:
        return numbers, {}

    mu = vh.encode(vae, x_train)[0]
    d = mu.shape[1]
    priors = {"standard": (np.zeros(d), np.eye(d))} | ({"fitted": (mu.mean(axis=0), np.cov(mu.T))} if plain else {})
    eps, arrays = np.random.default_rng(seed).standard_normal((1000, d)), {}
    for prior, (mean, covariance) in priors.items():
        samples = vh.decode(vae, mean + eps @ np.linalg.cholesky(covariance).T)
        numbers[f"samples to training images, {prior}"] = float(told.likeness(samples, x_train).mean())
        numbers[f"test images to samples, {prior}"] = float(told.likeness(x_test[::10], samples).mean())
        arrays[f"{name}, {prior}"] = np.uint8(np.round(255 * samples[:24]))
    arrays[f"{name}, reconstructions"] = np.uint8(np.round(255 * vh.reconstruct(vae, x_test[:24])))
    if d == 2:
        arrays[f"{name}, mu"] = vh.encode(vae, x_test[:2000])[0].astype("float32")
    return numbers, arrays


if __name__ == "__main__":
    numbers, arrays = zip(*run_jobs(measure, product(SETTINGS, SEEDS)), strict=True)
    results = {}
    for i, name in enumerate(SETTINGS):
        seeds = numbers[i * len(SEEDS) : (i + 1) * len(SEEDS)]
        results[name] = {key: [values[key] for values in seeds] for key in seeds[0]}
    write_results("limits", {"seeds": SEEDS, "settings": results})
    kept = {name: array for of_first_seed in arrays[:: len(SEEDS)] for name, array in of_first_seed.items()}
    np.savez_compressed(FOLDER / "limits.npz", **kept)
