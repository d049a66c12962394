"""Measure what section 4.3.14 tells: a plain autoencoder beside the VAE, and what more of everything changes.

    python benchmarks/limits.py    about 22 minutes on two cores

Every setting trains with five seeds, which vary the first weights, the order of the batches and all draws; the images
stay the same. Numbers go to benchmarks/results/limits.json, by setting and name a list over the seeds; pictures of the
first seed go to limits.npz. One setting needs all 60,000 images (see fashion_mnist.py).
"""

from typing import Any

import numpy as np
from common import FOLDER, SEEDS, run_jobs, write_results

TWICE = {
    "encoder": {"filters": (32, 64), "units": (256,)},
    "decoder": {"units": (256, 256, 256), "channels": 32, "filters": (32,)},
}
# What each changes: arguments of build_vae, epochs, images, the step size by a factor, and "plain" for an autoencoder.
SETTINGS: dict[str, dict[str, Any]] = {
    "VAE, d = 2": {},
    "AE, d = 2": {"plain": True},
    "VAE, d = 32": {"model": {"latent_dim": 32}},
    "AE, d = 32": {"model": {"latent_dim": 32}, "plain": True},
    "VAE, d = 8": {"model": {"latent_dim": 8}},
    "twice as wide": {"model": TWICE, "step": 0.5},  # with the whole step size, a trial of one epoch diverged
    "18 epochs": {"epochs": 18},
    "60,000 images, 3 epochs": {"images": 60_000, "epochs": 3},  # as many steps as 18 epochs on 10,000
}
DRAWS, SHOWN = 1000, 24  # samples that are compared; pictures that are kept


def build_autoencoder(latent_dim: int = 2, seed: int = SEEDS[0]) -> Any:
    """Return the plain autoencoder of section 4.3.14: it decodes mu and pays no KL."""
    import keras
    import vae_helpers as vh

    encoder = vh.build_encoder(latent_dim, seed=seed)
    mu, logvar = encoder.outputs[:2]
    return vh.VAE(keras.Model(encoder.input, [mu, logvar, mu]), vh.build_decoder(latent_dim, seed=seed), beta=0.0)


def likeness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return for each image of `a` its largest correlation over pixels with an image of `b`: (N,)."""
    a, b = (x.reshape(len(x), -1) - x.mean(axis=(1, 2, 3))[:, None] for x in (a, b))
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6) for x in (a, b))
    return (a @ b.T).max(axis=1)


def measure(job: tuple[str, int]) -> tuple[str, int, dict[str, float], dict[str, np.ndarray]]:
    """Train one setting with one seed; return its name, its seed, its numbers, and its arrays if the seed is first."""
    import vae_helpers as vh

    name, seed = job
    setting = SETTINGS[name]
    (x_train, _), (x_test, _) = vh.load_fashion_mnist(first_10k="images" not in setting)
    plain, model = "plain" in setting, setting.get("model", {})
    vae = build_autoencoder(seed=seed, **model) if plain else vh.build_vae(seed=seed, **model)
    epochs = setting.get("epochs", vh.EPOCHS)
    steps = epochs * -(-len(x_train) // vh.BATCH_SIZE)
    schedule = vh.course_schedule(steps, setting.get("step", 1.0) * vh.LEARNING_RATE)
    vh.fit(vae, x_train, epochs=epochs, learning_rate=schedule, seed=seed)
    numbers = {} if plain else vh.evaluate(vae, x_test, seed)
    numbers["parameters"] = vae.count_params()
    for split, x in (("test", x_test), ("train", x_train[:10_000])):
        numbers[f"recon_from_mu, {split}"] = float(np.mean(vh.reconstruction_loss(x, vh.reconstruct(vae, x))))
    if name not in list(SETTINGS)[:4]:
        return name, seed, numbers, {}

    mu, _ = vh.encode(vae, x_train)
    numbers["standard deviation of mu"] = float(np.sqrt(mu.var(axis=0).mean()))
    d = mu.shape[1]
    priors = {"standard": (np.zeros(d), np.eye(d))} | ({"fitted": (mu.mean(axis=0), np.cov(mu.T))} if plain else {})
    eps, arrays = np.random.default_rng(seed).standard_normal((DRAWS, d)), {}
    for prior, (mean, covariance) in priors.items():
        samples = vh.decode(vae, mean + eps @ np.linalg.cholesky(covariance).T)
        numbers[f"samples to training images, {prior}"] = float(likeness(samples, x_train).mean())
        numbers[f"test images to samples, {prior}"] = float(likeness(x_test[::10], samples).mean())
        arrays[f"{name}, {prior}"] = np.uint8(np.round(255 * samples[:SHOWN]))
    arrays[f"{name}, reconstructions"] = np.uint8(np.round(255 * vh.reconstruct(vae, x_test[:SHOWN])))
    if d == 2:
        arrays[f"{name}, mu"] = vh.encode(vae, x_test[:2000])[0].astype("float32")
    return name, seed, numbers, arrays if seed == SEEDS[0] else {}


def main() -> None:
    """Measure every setting with every seed, and keep numbers and arrays after each."""
    results: dict[str, dict[str, list[float]]] = {}
    kept: dict[str, np.ndarray] = {}
    for name, seed, numbers, arrays in run_jobs(measure, [(name, seed) for name in SETTINGS for seed in SEEDS]):
        for key, value in numbers.items():
            results.setdefault(name, {}).setdefault(key, []).append(value)
        kept |= arrays
        write_results("limits", {"seeds": SEEDS, "settings": results})
        np.savez_compressed(FOLDER / "limits.npz", **kept)
        print(f"{name}, seed {seed}: reconstruction {numbers['recon_from_mu, test']:.2f} nats from mu", flush=True)


if __name__ == "__main__":
    main()
