"""Measure what section 4.3.14 tells: the VAE beside a plain autoencoder, and what size and data change.

    python benchmarks/limits.py               everything, about 20 minutes on two cores
    python benchmarks/limits.py AE "d = 8"    only these settings; the others stay as they were measured

Every setting trains with five seeds, two trainings at a time, one thread each. Results are saved after every one, in
benchmarks/results/limits.json. The last setting needs all 60,000 images (see fashion_mnist.py).
"""

import sys
import time

from common import SEEDS, read_results, run_jobs, write_results

# Where each differs from the course's model: arguments of build_vae, epochs, images, and "plain" for an autoencoder.
SETTINGS = {
    "VAE": {},
    "AE": {"plain": True},
    "d = 8": {"model": {"latent_dim": 8}},
    "d = 32": {"model": {"latent_dim": 32}},
    "AE, d = 32": {"model": {"latent_dim": 32}, "plain": True},
    "decoder x 2": {"model": {"decoder": {"channels": 32, "filters": (32,)}}},
    "60,000 images": {"images": 60_000, "epochs": 5},
}
DRAWS = 2000  # codes from the prior, and test images that look for the nearest sample
KEPT = 24  # samples that are kept as pictures, of the first seed and d = 32 only


def plain_autoencoder(latent_dim: int = 2, seed: int = 42):
    """Return the autoencoder of section 4.3.14: it decodes mu, draws nothing, and pays no KL."""
    import old_helpers as vh
    from keras import ops

    class Autoencoder(vh.VAE):
        def losses_on(self, x, training=False):
            x_hat = self.decoder(self.encoder(x, training=training)[0], training=training)
            recon_loss = ops.mean(vh.reconstruction_loss(x, x_hat, self.likelihood))
            return recon_loss, recon_loss, 0.0 * recon_loss

    encoder = vh.build_encoder(latent_dim, seed=seed)
    encoder.get_layer("logvar").trainable = False  # nothing depends on it
    return Autoencoder(encoder, vh.build_decoder(latent_dim, seed=seed))


def distance(a, b):
    """Return for each image in `a` the RMS difference per pixel to the nearest image in `b`."""
    import numpy as np

    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)  # (N, 784), (M, 784)
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T  # (N, M)
    return np.sqrt(np.maximum(squared.min(axis=1), 0) / a.shape[1])


def likeness(a, b):
    """Return for each image in `a` the highest correlation over pixels with an image in `b`."""
    import numpy as np

    units = []
    for images in (a, b):
        flat = images.reshape(len(images), -1)  # (N, 784)
        off = flat - flat.mean(axis=1, keepdims=True)
        units.append(off / np.linalg.norm(off, axis=1, keepdims=True))
    return (units[0] @ units[1].T).max(axis=1)


def in_hole(points, codes, mean, cov):
    """Return for each point of the plane: does the circle in which N(mean, cov) expects ten of `codes` hold none?"""
    import numpy as np

    squared = (points**2).sum(axis=1)[:, None] + (codes**2).sum(axis=1) - 2 * points @ codes.T  # (N, M)
    off = points - mean
    density = np.exp(-0.5 * (off @ np.linalg.inv(cov) * off).sum(axis=1)) / (2 * np.pi * np.sqrt(np.linalg.det(cov)))
    return len(codes) * density * np.pi * squared.min(axis=1) > 10


def odd_inputs(x_test, rng):
    """Return grey images by name: a thousand clothes, the same inverted or shuffled, and drawings."""
    import numpy as np

    row, column = np.mgrid[:28, :28]
    radius = np.hypot(row - 13.5, column - 13.5)
    clothes = x_test[:1000]
    shuffled = clothes.reshape(1000, 784)[:, rng.permutation(784)].reshape(clothes.shape)
    drawn = {
        "stripes": column // 4 % 2,
        "checkerboard": (row // 4 + column // 4) % 2,
        "ring": abs(radius - 9) < 0.7,
        "disc": radius < 6,
        "all black": 0 * row,
        "all grey": 0 * row + 0.5,
    }
    drawn = {name: np.asarray(image, "float32")[None, ..., None] for name, image in drawn.items()}
    return {"clothes": clothes, "inverted": 1 - clothes, "shuffled": shuffled} | drawn


def log_evidence_on_grid(vae):
    """Return a function that gives log p(b) of binary images (N, 28, 28, 1) by a sum over the plane, steps of 0.1."""
    import old_helpers as vh

    import numpy as np

    axis = np.arange(-6, 6.05, 0.1)
    nodes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)  # (14641, 2)
    p = np.clip(vh.decode(vae, nodes).reshape(-1, 784), 1e-7, 1 - 1e-7)
    log_odds, log_black = np.log(p) - np.log1p(-p), np.log1p(-p).sum(axis=1)
    log_prior = -0.5 * (nodes**2).sum(axis=1) - np.log(2 * np.pi) + 2 * np.log(0.1)

    def log_evidence(b):
        result = []
        for part in np.array_split(b.reshape(len(b), 784), -(-len(b) // 200)):
            joint = part @ log_odds.T + log_black + log_prior  # (200, 14641)
            top = joint.max(axis=1)
            result.append(top + np.log(np.exp(joint - top[:, None]).sum(axis=1)))
        return np.concatenate(result)

    return log_evidence


def scores(vae, x_test, rng):
    """Return negative ELBO, -log p and floor of binarised images by kind, nats, and the share of clothes worse."""
    import old_helpers as vh

    import numpy as np

    result, log_evidence = {}, log_evidence_on_grid(vae)
    for name, x in odd_inputs(x_test, rng).items():
        x = np.repeat(x, 1000 // len(x), axis=0)  # a drawing gets a thousand coins and z
        b = (rng.random(x.shape) < x).astype("float32")
        mu, logvar, z = vh.encode(vae, b)
        floor = np.asarray(vh.reconstruction_loss(x, x))
        score = np.asarray(vh.reconstruction_loss(b, vh.decode(vae, z)) + vh.kl_divergence(mu, logvar))  # (1000,)
        minus_log_p = -log_evidence(b)
        values = {"score": score, "minus_log_p": minus_log_p, "above": minus_log_p - floor}
        if name == "clothes":  # comes first
            clothes = values
        means = {key: float(value.mean()) for key, value in values.items()} | {"floor": float(floor.mean())}
        result[name] = means | {"worse": {key: float((clothes[key] > means[key]).mean()) for key in clothes}}
    return result


def measure(job):
    """Train one setting with one seed and return its numbers."""
    import old_helpers as vh

    import numpy as np

    name, seed = job
    start, rng = time.perf_counter(), np.random.default_rng(seed)
    setting = SETTINGS[name]
    (x_train, _), (x_test, _) = vh.load_fashion_mnist(first_10k="images" not in setting)
    plain, model = "plain" in setting, setting.get("model", {})
    vae = plain_autoencoder(seed=seed, **model) if plain else vh.build_vae(seed=seed, **model)
    history = vh.fit(vae, x_train, epochs=setting.get("epochs", vh.EPOCHS), seed=seed)
    row = {"name": name, "seed": seed, "parameters": vae.count_params()}
    row["train"] = {name: values[-1] for name, values in history.items()}
    row["test"] = {k: float(v) for k, v in vae.evaluate(x_test, batch_size=1000, verbose=0, return_dict=True).items()}

    row["recon_from_mu"] = {}
    for split, x in (("test", x_test), ("train", x_train[:10_000])):
        mu, _, z = vh.encode(vae, x)
        row["recon_from_mu"][split] = float(np.mean(vh.reconstruction_loss(x, vh.decode(vae, mu))))
    row["active"] = int((mu.var(axis=0) > 0.01).sum())
    codes = mu if plain else z  # what the decoder was trained on
    row["spread"] = codes.std(axis=0).tolist()
    x_near, eps = x_train[:10_000], rng.standard_normal((DRAWS, codes.shape[1]))
    priors = {"prior": (np.zeros(codes.shape[1]), np.eye(codes.shape[1]))}
    if plain:
        priors["fitted"] = codes.mean(axis=0), np.cov(codes.T)
    for prior, (mean, cov) in priors.items():
        drawn = mean + eps @ np.linalg.cholesky(cov).T
        samples = vh.decode(vae, drawn)
        like = likeness(samples, x_near)
        row[prior] = {
            "to_train": {"distance": float(distance(samples, x_near).mean()), "likeness": float(like.mean())},
            "from_test": {
                "distance": float(distance(x_test[:DRAWS], samples).mean()),
                "likeness": float(likeness(x_test[:DRAWS], samples).mean()),
            },
        }
        if codes.shape[1] == 32 and seed == SEEDS[0]:
            row[prior]["pictures"] = np.uint8(np.round(255 * samples[:KEPT])).tobytes().hex()  # KEPT × 784 bytes
        if codes.shape[1] == 2:
            hole = in_hole(drawn, codes.astype("float64"), mean, cov)
            row[prior]["holes"] = float(hole.mean())
            for place, chosen in (("in", hole), ("out", ~hole)):
                row[prior][place] = float(like[chosen].mean()) if chosen.any() else None
    if name == "VAE":
        row["scores"] = scores(vae, x_test, rng)
    return row | {"seconds": time.perf_counter() - start}


def main(names):
    """Measure the settings `names`, all if there are none, and keep the rows of the others."""
    names = names or list(SETTINGS)
    rows = [row for row in read_results("limits").get("rows", []) if row["name"] not in names]
    for row in run_jobs(measure, [(name, seed) for name in SETTINGS if name in names for seed in SEEDS]):
        rows.append(row)
        write_results("limits", {"rows": rows})
        loss, seconds = row["test"]["loss"], row["seconds"]
        print(f"{row['name']:14} seed {row['seed']:2}: test loss {loss:7.2f} nats, {seconds:4.0f} s", flush=True)


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= set(SETTINGS):
        sys.exit(__doc__)
    main(sys.argv[1:])
