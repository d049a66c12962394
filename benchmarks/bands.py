"""Measure, over five seeds, the trained numbers that sections 4.3.5 to 4.3.10 assert.

    python benchmarks/bands.py            everything, about eight minutes on two cores
    python benchmarks/bands.py short      only the short trainings of section 4.3.5, about two minutes
    python benchmarks/bands.py curves     only the curves of section 4.3.6
    python benchmarks/bands.py model      only the trained model, sections 4.3.7 to 4.3.10

For curves and model each seed trains the course's model on its own, together about five minutes; a second run loads
the models from build/seeds and takes about one minute a part. The notebooks load benchmarks/results/bands.json and
print these ranges beside their own numbers; every bound that they assert lies clearly outside.
"""

import sys
from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
from common import ROOT, SEEDS, read_results, run_jobs, write_results

TROUSER, PULLOVER, DRESS, SANDAL, SHIRT, SNEAKER, BAG, BOOT = 1, 2, 3, 5, 6, 7, 8, 9


def blur(images: np.ndarray) -> np.ndarray:
    """Return the 5×5 means of images (N, 28, 28, 1)."""
    images = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    for axis in (1, 2):
        images = np.lib.stride_tricks.sliding_window_view(images, 5, axis=axis).mean(axis=-1)
    return images


def reconstructions(vh, vae, s: SimpleNamespace) -> dict[str, float]:
    """Return the numbers of section 4.3.7."""

    def bce(x, x_hat):
        return np.asarray(vh.reconstruction_loss(x, x_hat))

    n, k, sigma = 500, 30, np.exp(0.5 * s.logvar)
    x = s.x_test[:n]
    zs = s.mu[:n] + sigma[:n] * np.random.default_rng(42).standard_normal((k, n, 2))
    decodes = vh.decode(vae, zs.reshape(-1, 2)).reshape(k, n, 28, 28, 1)
    from_mu, average = vh.decode(vae, s.mu), decodes.mean(axis=0)
    each, a, c = np.mean([bce(x, d) for d in decodes], axis=0), bce(x, from_mu[:n]), bce(x, average)
    bend = average - vh.decode(vae, zs.mean(axis=0))
    sse = np.mean([np.sum((x - d) ** 2) for d in decodes])

    recon, kl = bce(s.x_test, vh.decode(vae, s.z)), np.asarray(vh.kl_divergence(s.mu, s.logvar))
    means = np.stack([s.x_train[s.y_train == c].mean(axis=0) for c in range(10)])
    mean_image = s.x_train.mean(axis=0, keepdims=True)
    total = np.mean(recon + kl)
    floor = bce(s.x_test, s.x_test)
    excess, excess_mu = recon - floor, bce(s.x_test, from_mu) - floor
    by_class = np.array([excess[s.y_test == c].mean() for c in range(10)])
    others = np.delete(by_class, [BAG, SANDAL])
    loss = np.array([(recon + kl)[s.y_test == c].mean() for c in range(10)])

    ranked = np.stack([np.flatnonzero(s.y_test == c)[np.argsort(excess_mu[s.y_test == c])] for c in range(10)])
    stray = {}
    for name, images in {"best": ranked[:, :20], "worst": ranked[:, -20:]}.items():
        nearest = np.sum((from_mu[images][:, :, None] - means) ** 2, axis=(3, 4, 5)).argmin(axis=2)
        stray[name] = np.mean(nearest != np.arange(10)[:, None])

    x_blur, x_hat_blur, mean_blur = blur(s.x_test), blur(from_mu), blur(mean_image)
    detail, detail_hat, mean_detail = s.x_test - x_blur, from_mu - x_hat_blur, mean_image - mean_blur
    pixels = (1, 2, 3)
    ratio, ratio_hat = detail.var(pixels) / s.x_test.var(pixels), detail_hat.var(pixels) / from_mu.var(pixels)

    return {
        "Jensen gap": np.mean(each - c),
        "loss of (a) less that of (c)": np.mean(a - c),
        "images with (c) below (a)": np.mean(c < a),
        "largest difference of (a) and (c)": np.abs(average - from_mu[:n]).max(),
        "lowest shift of a pixel": bend.min(),
        "variance as part of the SSE": decodes.var(axis=0).sum() / sse,
        "margin to the mean image": bce(s.x_test, np.broadcast_to(mean_image, s.x_test.shape)).mean() - total,
        "margin to the class mean": bce(s.x_test, means[s.y_test]).mean() + np.log(10) - total,
        "correlation of recon_loss and floor": np.corrcoef(recon, floor)[0, 1],
        "correlation of excess and floor": np.corrcoef(excess, floor)[0, 1],
        "excess of bags less sandals": by_class[BAG] - by_class[SANDAL],
        "excess of sandals less the next": by_class[SANDAL] - others.max(),
        "place of sandals by loss": 1 + np.sum(loss > loss[SANDAL]),
        "best that stray": stray["best"],
        "worst less best that stray": stray["worst"] - stray["best"],
        "detail in x_hat": ratio_hat.mean(),
        "images with less detail in x_hat": np.mean(ratio_hat < ratio),
        "explained of the blurred image": 1 - np.sum((x_blur - x_hat_blur) ** 2) / np.sum((x_blur - mean_blur) ** 2),
        "explained of the detail": 1 - np.sum((detail - detail_hat) ** 2) / np.sum((detail - mean_detail) ** 2),
    }


def vote(codes: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return the most frequent label among the 15 nearest codes of each query."""
    winners = []
    for some in np.array_split(queries, 20):
        nearest = np.argpartition((codes**2).sum(axis=1) - 2 * some @ codes.T, 15, axis=1)[:, :15]
        winners.append((labels[nearest][:, :, None] == np.arange(10)).sum(axis=1).argmax(axis=1))
    return np.concatenate(winners)


def latent_space(vh, vae, s: SimpleNamespace) -> dict[str, float]:
    """Return the numbers of section 4.3.8."""
    mu, logvar, z = (a.astype("float64") for a in (s.mu, s.logvar, s.z))
    mu_train = vh.encode(vae, s.x_train)[0].astype("float64")
    sigma, kl = np.exp(0.5 * logvar), np.asarray(vh.kl_divergence(s.mu, s.logvar))
    groups = [mu[s.y_test == c] for c in range(10)]
    within = sum(((g - g.mean(axis=0)) ** 2).sum() for g in groups) / ((mu - mu.mean(axis=0)) ** 2).sum()
    covers = (((mu[:200, None] - mu) / sigma) ** 2).sum(axis=2) <= 1
    mean_variance, between = np.exp(logvar).mean(axis=0), np.cov(mu.T, bias=True)

    grid = np.arange(-(abs(mu) + 6 * sigma).max(), (abs(mu) + 6 * sigma).max() + 0.02, 0.02)

    def along(j):
        return np.exp(-0.5 * ((grid[:, None] - mu[:, j]) / sigma[:, j]) ** 2) / (sigma[:, j] * np.sqrt(2 * np.pi))

    q = along(1) @ along(0).T / len(mu)
    p = np.exp(-0.5 * (grid[:, None] ** 2 + grid**2)) / (2 * np.pi)
    log_ratio = np.log(np.maximum(q, 1e-300)) - np.log(p)
    mismatch = (q * log_ratio).sum() * 0.02**2

    predicted = vote(mu_train, s.y_train, mu)
    confusion = np.zeros((10, 10))
    np.add.at(confusion, (s.y_test, predicted), 0.1)
    recall, shoes = np.diag(confusion), (SANDAL, SNEAKER, BOOT)

    angle = np.random.default_rng(42).uniform(0, 2 * np.pi, 2000)
    step = 0.1 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    moved = vh.decode(vae, mu[:2000] + step) - vh.decode(vae, mu[:2000])
    low, high = np.quantile(np.sqrt((moved**2).sum(axis=(1, 2, 3))), [0.05, 0.95])

    return {
        "spread within colours": within,
        "inside ellipses of exp(logvar)": np.mean((((z - mu) / sigma**2) ** 2).sum(axis=1) <= 1),
        "ellipses over a centre": covers.sum(axis=1).mean(),
        "trace of Cov(z)": mean_variance.sum() + np.trace(between),
        "part of E[diag sigma²]": mean_variance.sum() / (mean_variance.sum() + np.trace(between)),
        "share of the prior in holes": (p * (log_ratio < -np.log(10))).sum() * 0.02**2,
        "mutual information": kl.mean() - mismatch,
        "mismatch KL(q(z) || p(z))": mismatch,
        "right votes": np.mean(predicted == s.y_test),
        "right votes by one number": np.mean(vote(mu_train[:, :1], s.y_train, mu[:, :1]) == s.y_test),
        "right votes for shirts": recall[SHIRT] / 100,
        "next class less shirts": (np.delete(recall, SHIRT).min() - recall[SHIRT]) / 100,
        "shoes taken for shoes": confusion[np.ix_(shoes, shoes)].sum() / 300,
        "95 % quantile of the steps by the 5 % one": high / low,
    }


def sharpness(images: np.ndarray) -> float:
    """Return the mean absolute difference of neighbouring pixels, down plus across."""
    return np.abs(np.diff(images, axis=1)).mean() + np.abs(np.diff(images, axis=2)).mean()


def generation(vh, vae, s: SimpleNamespace) -> dict[str, float]:
    """Return the numbers of section 4.3.9."""
    codes = vh.encode(vae, s.x_train)[0]

    def nearest_class(z):
        parts = np.array_split(np.asarray(z), 20)
        return s.y_train[np.concatenate([np.argmin((codes**2).sum(axis=1) - 2 * z @ codes.T, axis=1) for z in parts])]

    def shares(z):
        return np.bincount(nearest_class(z), minlength=10) / len(z)

    def other_class(ticks):
        grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        return np.abs(shares(grid) - shares(draws)).sum() / 2

    rng, n = np.random.default_rng(42), 20
    draws = np.random.default_rng(42).standard_normal((100_000, 2))[:5000]
    linear = other_class(np.linspace(-2, 2, n))
    quantiles = other_class([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])

    trouser, bag = (s.mu[np.flatnonzero(s.y_test == c)[0]] for c in (TROUSER, BAG))
    t = np.linspace(0, 1, 9)[:, None]
    steps = np.abs(np.diff(vh.decode(vae, (1 - t) * trouser + t * bag), axis=0)).mean(axis=(1, 2, 3))

    pairs = np.random.default_rng(42).integers(len(s.x_test), size=(2, 300))
    first, second = pairs[:, s.y_test[pairs[0]] != s.y_test[pairs[1]]][:, :200]
    x_first, x_second = vh.decode(vae, s.mu[first]), vh.decode(vae, s.mu[second])
    ends, mixed = np.concatenate([x_first, x_second]), vh.decode(vae, (s.mu[first] + s.mu[second]) / 2)
    ghosts = (x_first + x_second) / 2
    train = s.x_train.reshape(-1, 784)

    def distance(images):
        x = images.reshape(-1, 784)
        squared = (x**2).sum(axis=1)[:, None] - 2 * x @ train.T + (train**2).sum(axis=1)
        return np.sqrt(squared.min(axis=1) / 784)

    def grey(images):
        return np.mean((images > 0.25) & (images < 0.75))

    typical = np.median(distance(ends))
    return {
        "sharpness of means": sharpness(vh.decode(vae, rng.standard_normal((1000, 2)))) / sharpness(s.x_test),
        "nearest code has the class": np.mean(nearest_class(s.mu[:2000]) == s.y_test[:2000]),
        "tiles of another class, linear": linear,
        "tiles of another class, quantiles": quantiles,
        "linear : quantiles": linear / quantiles,
        "largest : smallest step": steps.max() / steps.min(),
        "pairs nearer with codes mixed": np.mean(distance(mixed) < distance(ghosts)),
        "distance, codes mixed : ends": np.median(distance(mixed)) / typical,
        "distance, pixels mixed : ends": np.median(distance(ghosts)) / typical,
        "grey, pixels mixed : codes mixed": grey(ghosts) / grey(mixed),
        "sharpness, codes mixed : ends": sharpness(mixed) / sharpness(ends),
        "sharpness, codes : pixels mixed": sharpness(mixed) / sharpness(ghosts),
    }


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's rank correlation, for numbers without ties."""
    return np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1]


def uncertainty(vh, vae, s: SimpleNamespace) -> dict[str, float]:
    """Return the numbers of section 4.3.10."""
    rng = np.random.default_rng(42)

    def maps(mu, logvar, k):
        z = mu[:, None] + np.exp(0.5 * logvar)[:, None] * rng.standard_normal((len(mu), k, 2))
        p = vh.decode(vae, z.reshape(-1, 2)).reshape(len(mu), k, 28, 28).astype("float64")
        return p.mean(axis=1), p.var(axis=1), (p * (1 - p)).mean(axis=1)

    first = [np.flatnonzero(s.y_test == c)[0] for c in (PULLOVER, DRESS, SANDAL, BAG, BOOT)]
    x = s.x_test[first].squeeze()
    mean, variance, coin = maps(s.mu[first], s.logvar[first], 512)
    chest = (0, slice(4, 12), slice(8, 21))
    letters = x[chest] < 0.3
    lettering = variance[chest][letters].mean() / variance[0][mean[0] > 0.1].mean()
    numbers = {
        "Var[p] : total, five images": variance.sum() / (variance + coin).sum(),
        "squared error of the lettering": ((x - mean) ** 2)[chest][letters].mean(),
        "Var[p], lettering : pullover": lettering,
    }

    rows = np.concatenate([np.flatnonzero(s.y_test == c)[:50] for c in range(10)])
    x, mu, logvar = s.x_test[rows].squeeze(), s.mu[rows], s.logvar[rows]
    study = [maps(mu[part], logvar[part], 64) for part in np.split(np.arange(500), 10)]
    mean, var, coin = (np.concatenate(m) for m in zip(*study, strict=True))
    var_sums, coin_sums = (m.sum(axis=(1, 2)).reshape(10, 50).mean(axis=1) for m in (var, coin))
    low, high = coin_sums[[TROUSER, SANDAL, SNEAKER]], np.delete(coin_sums, [TROUSER, SANDAL, SNEAKER])

    steepness, garment, contrast = np.hypot(*np.gradient(mean, axis=(1, 2))), mean > 0.1, []
    for g, v, m in zip(steepness, var, garment, strict=True):
        contrast.append(v[m & (g >= np.quantile(g[m], 0.8))].mean() / v[m & (g <= np.median(g[m]))].mean())

    steps = [0.01 * direction for direction in np.eye(2)]
    slopes = [(vh.decode(vae, mu + step).astype("float64") - vh.decode(vae, mu - step)) / 0.02 for step in steps]
    first_order = sum(slope.squeeze() ** 2 * np.exp(logvar[:, j])[:, None, None] for j, slope in enumerate(slopes))
    alike = [np.corrcoef(f.ravel(), v.ravel())[0, 1] for f, v in zip(first_order, var, strict=True)]
    units = np.sum(var / (mean * (1 - mean)), axis=(1, 2))
    numbers |= {
        "smallest class sum of Var[p]": var_sums.min(),
        "largest class sum of Var[p]": var_sums.max(),
        "class sums of Var[p], largest : smallest": var_sums.max() / var_sums.min(),
        "next E[p(1-p)] : its three smallest": high.min() / low.max(),
        "outline : flat, median": np.median(contrast),
        "outline : flat, smallest": np.min(contrast),
        "correlation of the maps, median": np.median(alike),
        "correlation of the maps, lowest 5 %": np.quantile(alike, 0.05),
        "ratio of the sums, median": np.median(first_order.sum(axis=(1, 2)) / var.sum(axis=(1, 2))),
        "units of variance": units.mean(),
        "units of variance, 5 %": np.quantile(units, 0.05),
        "units of variance, 95 %": np.quantile(units, 0.95),
    }

    residual = (x - mean) ** 2
    for name, guess in (("Var[p]", var), ("total", mean * (1 - mean))):
        everywhere = [rank_correlation(g.ravel(), r.ravel()) for g, r in zip(guess, residual, strict=True)]
        inside = [rank_correlation(g[m], r[m]) for g, r, m in zip(guess, residual, garment, strict=True)]
        numbers |= {
            f"{name}: rank correlation, all pixels": np.median(everywhere),
            f"{name}: rank correlation, garment": np.median(inside),
            f"{name}: rank correlation, images": rank_correlation(guess.sum(axis=(1, 2)), residual.sum(axis=(1, 2))),
            f"{name}: sum over squared residuals": guess.sum() / residual.sum(),
            f"{name}: garment pixels within 2 sd": np.mean(residual[garment] < 4 * guess[garment]),
        }

    mu_train = vh.encode(vae, s.x_train)[0]
    nearest = np.argpartition(((mu[:, None] - mu_train) ** 2).sum(axis=2), 20, axis=1)[:, :20]
    purity = np.array([np.bincount(labels).max() / 20 for labels in s.y_train[nearest]])
    numbers["rank correlation with purity"] = rank_correlation(purity + 1e-6 * rng.random(500), var.sum(axis=(1, 2)))
    return numbers


def short(seed: int) -> dict[str, float]:
    """Train on 1,500 images with four weights of the KL; return the numbers of section 4.3.5."""
    import old_helpers as vh

    (x_train, _), (x_test, _) = vh.load_fashion_mnist()
    few, held_out = x_train[:1500], x_test[:1000]
    prior = np.random.default_rng(42).standard_normal((1000, 2)).astype("float32")
    radius = np.sqrt(-2 * np.log(0.05))
    spread, sigma, inside, distance, recon, kl, pixels = ({} for _ in range(7))
    for beta in (0, 1, 10, 784):
        vae = vh.build_vae(beta=beta, seed=seed)
        vh.fit(vae, few, epochs=6, batch_size=50, learning_rate=2e-3, seed=seed)
        mu, logvar, _ = (np.array(output) for output in vae.encoder(few))
        spread[beta], sigma[beta] = np.sqrt(mu.var(axis=0).sum() / 2), np.median(np.exp(0.5 * logvar))
        inside[beta] = np.mean(np.linalg.norm(mu, axis=1) < radius)
        a, b = held_out.reshape(-1, 784), np.array(vae.decoder(prior)).reshape(-1, 784)
        squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
        distance[beta] = np.sqrt(np.maximum(squared.min(axis=1), 0) / 784).mean()
        recon[beta], kl[beta] = (float(value) for value in vae.losses_on(held_out)[1:])
        pixels[beta] = np.array(vae.decoder(vae.encoder(held_out)[0])).std(axis=0).mean()

    mean_image = np.broadcast_to(few.mean(axis=0), held_out.shape)
    mean_cost = np.mean(vh.reconstruction_loss(held_out, mean_image))
    return {
        "spread of mu, beta = 0": spread[0],
        "median sigma, beta = 0": sigma[0],
        "mu in the circle, beta = 0": inside[0],
        "spread of mu, beta = 1 : 0": spread[1] / spread[0],
        "median sigma, beta = 1 : 0": sigma[1] / sigma[0],
        "mu in the circle, beta = 1": inside[1],
        "mu in the circle, beta = 1 less 0": inside[1] - inside[0],
        "distance to a sample, beta = 0 less 1": distance[0] - distance[1],
        "recon_loss, beta = 1 less 0": recon[1] - recon[0],
        "recon_loss, beta = 10 less 1": recon[10] - recon[1],
        "recon_loss, beta = 784 less 1": recon[784] - recon[1],
        "recon_loss, beta = 784 less mean image": recon[784] - mean_cost,
        "kl_loss, beta = 784": kl[784],
        "kl_loss, least factor between weights": min(kl[0] / kl[1], kl[1] / kl[10], kl[10] / kl[784]),
        "pixel spread, beta = 784 : 1": pixels[784] / pixels[1],
        "weight 784: beta = 10 : mean image": (recon[10] + 784 * kl[10]) / mean_cost,
    }


def curves(seed: int) -> dict[str, float]:
    """Train or load the course's model, and train on 100 images; return the numbers of section 4.3.6."""
    import old_helpers as vh

    (x_train, _), (x_test, _) = vh.load_fashion_mnist()
    untrained, start_recon, start_kl = (float(v) for v in vh.build_vae(seed=seed).losses_on(x_test[:1000]))
    vae, history = vh.train_or_load(x_train, x_test, seed=seed, cache_dir=ROOT / "build" / "seeds")
    from_z = float(vae.losses_on(x_test[:1000])[1])
    from_mu = np.mean(vh.reconstruction_loss(x_test[:1000], vae.decoder(vae.encoder(x_test[:1000])[0])))
    loss, val_loss, kl = (np.array(history[name]) for name in ("loss", "val_loss", "kl_loss"))
    gap, later = val_loss - loss, [*kl[1:], *history["val_kl_loss"][1:]]

    settings = {"epochs": 60, "batch_size": 25, "learning_rate": 2e-3, "seed": seed, "constant": True}
    few = vh.fit(vh.build_vae(seed=seed), x_train[:100], x_test[:300], **settings)
    few_loss, few_val = np.array(few["loss"]), np.array(few["val_loss"])
    best = few_val.argmin()
    end_gap = few_val[-1] - few_loss[-1]
    return {
        "share of the fall by epoch 3": (loss[0] - loss[2]) / (loss[0] - loss[-1]),
        "gap in epoch 1": gap[0],
        "smallest gap from epoch 7 on": gap[6:].min(),
        "gap in epoch 15": gap[-1],
        "gap in epoch 15 less epoch 8": gap[-1] - gap[7],
        "kl_loss, epoch 1 less epoch 2": kl[0] - kl[1],
        "lowest kl_loss after epoch 1": min(later),
        "highest kl_loss after epoch 1": max(later),
        "recon_loss with z less with mu": from_z - from_mu,
        "100 images: epoch of the lowest": best + 1,
        "100 images: end less lowest": few_val[-1] - few_val[best],
        "100 images: gap at the end": end_gap,
        "100 images: gap at the end, in gaps of 10,000": end_gap / gap[-1],
        "100 images: growth of the gap after the lowest": end_gap - (few_val[best] - few_loss[best]),
        "untrained recon_loss": start_recon,
        "untrained kl_loss": start_kl,
        "untrained loss less that of epoch 1": untrained - loss[0],
    }


def model(seed: int) -> dict[str, float]:
    """Train the course's model with `seed`, or load it; return the numbers of sections 4.3.7 to 4.3.10."""
    import old_helpers as vh

    (x_train, y_train), (x_test, y_test) = vh.load_fashion_mnist()
    vae, _ = vh.train_or_load(x_train, x_test, seed=seed, cache_dir=ROOT / "build" / "seeds")
    mu, logvar, z = vh.encode(vae, x_test)
    s = SimpleNamespace(x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test, mu=mu, logvar=logvar, z=z)
    numbers = {}
    for section in (reconstructions, latent_space, generation, uncertainty):
        numbers |= section(vh, vae, s)
    return numbers


PARTS = {"short": short, "curves": curves, "model": model}


def main(parts: list[str]) -> None:
    """Measure every seed in the parts that are asked for, print a row per number and keep what was there."""
    for part in parts or PARTS:
        rows = {}
        for seed, numbers in zip(SEEDS, run_jobs(PARTS[part], SEEDS), strict=True):
            rows[seed] = {name: round(float(value), 4) for name, value in numbers.items()}
            print(f"{part}: seed {seed} measured", flush=True)
        kept = read_results("bands").get("seeds", {})  # written only now: the notebooks want all five seeds
        write_results("bands", {"seeds": {str(seed): kept.get(str(seed), {}) | rows[seed] for seed in SEEDS}})
        for name in numbers:
            print(f"{name:46}" + "".join(f"{rows[seed][name]:10.4f}" for seed in SEEDS))


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= set(PARTS):
        sys.exit(__doc__)
    main(sys.argv[1:])
