"""Measure what section 4.3.13 shows, with five seeds of the course's model: bounds, log-evidence by quadrature, gaps.

    python benchmarks/evidence.py            everything, about a quarter of an hour on two cores
    python benchmarks/evidence.py seeds      only the first part
    python benchmarks/evidence.py timed      only the second part

seeds: the course's model, trained with each seed, on the first 1,000 test images. Each image is binarised once (SEED).
For each seed: the log-evidence by sums over a grid of half the STEP, what halving changes, the share outside the grid,
the ELBO and the importance-weighted bounds with q from the grey image, q from the binarised image, and on grey images;
a check by importance sampling from q and the prior; and the gap split by refining q for 200 images. Two seeds run at a
time, one thread each: nothing here depends on the clock.

timed: binarised test images with the model of seed 42, on all cores, each sum in a process of its own: seconds and peak
memory against the number of images and the step, and how far log p is from that of half the smallest step.

Trained models are kept in build/seeds. Results go to benchmarks/results/evidence.json after every seed.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median

from common import ROOT, SEEDS, peak_gb, read_results, run_jobs, write_results

import numpy as np

IMAGES, KEPT = 1000, 200  # images; those whose q is refined
STEP, RADIUS = 1 / 32, 5.0  # grid on a disc
SHIFTS = ((0, 0), (STEP / 2, 0), (0, STEP / 2), (STEP / 2, STEP / 2))  # together: the grid of half the step
MOVED, AROUND = (
    0.01,
    0.25,
)  # images that half the step moves by so many nats: halve again, within this square of their peak
KS = (1, 2, 5, 10, 20, 50, 100)
PRIOR_DRAWS = 30_000
COUNTS, STEPS, REPEATS = (1000, 10_000), (1 / 8, 1 / 16, STEP), 3  # what is timed
CHECKED = 2000  # images whose log p is compared with that of half the smallest step
PATCH = 64  # half the side of the square around the peak, in half steps: 1.0
TYPICAL_SIGMA = 0.06
OFF = -1e4  # stands for the log-likelihood outside the disc


def load(seed):
    """Return the model of this seed, its images and their binarised versions."""
    import old_helpers as vh

    (x_train, _), (x_test, _) = vh.load_fashion_mnist()
    vae, _ = vh.train_or_load(x_train, x_test, seed=seed, cache_dir=ROOT / "build" / "seeds")
    coins = np.random.default_rng(vh.SEED).random(x_test.shape, dtype="float32")
    return vae, x_test, (coins < x_test).astype("float32")


def decoder_of(vae):
    """Return a fast function from codes (M, 2) to images (M, 784), clipped as in the loss."""
    import tensorflow as tf

    graph = tf.function(lambda z: vae.decoder(z), input_signature=[tf.TensorSpec((None, 2), "float32")])
    return lambda z: np.clip(graph(z.astype("float32")).numpy().reshape(len(z), -1), 1e-7, 1 - 1e-7)


def log_lik(images, x_hat):
    """Return log p(image given code): (N, 784), (M, 784) to (N, M)."""
    return images @ np.log(x_hat / (1 - x_hat)).T + np.log1p(-x_hat).sum(axis=1)


def log_prior(z):
    """Return log p(z) of codes (..., 2)."""
    return -0.5 * (z**2).sum(axis=-1) - np.log(2 * np.pi)


def disc(step, shift=(0, 0), radius=RADIUS, inner=-1.0):
    """Return the grid points with inner < |z| <= radius."""
    side = step * np.arange(-int(radius / step) - 1, int(radius / step) + 2)
    z = np.stack(np.meshgrid(side + shift[0], side + shift[1], indexing="ij"), axis=-1).reshape(-1, 2)
    length = np.linalg.norm(z, axis=1)
    return z[(length <= radius) & (length > inner)]


def log_evidence(images, z, step, decode, keep=0, block=1000):
    """Return log p of each image by a sum over the grid z, and log p(image given z) of the first `keep` images."""
    best, total, kept = np.full(len(images), -np.inf, "float32"), np.zeros(len(images)), []
    for i in range(0, len(z), block):
        part = z[i : i + block]
        a = log_lik(images, decode(part))
        kept.append(a[:keep].copy())
        a += log_prior(part).astype("float32")
        new = np.maximum(best, a.max(axis=1))
        a -= new[:, None]
        total = total * np.exp(best - new) + np.exp(a, out=a).sum(axis=1)
        best = new
    return best + np.log(total) + 2 * np.log(step), np.concatenate(kept, axis=1)


def halved(images, decode, keep=0):
    """Return log p with STEP, log p with STEP / 2, and the kept log-likelihoods on the fine grid as squares."""
    half = STEP / 2
    n = round((RADIUS + STEP) / half)
    square = np.full((keep, 2 * n + 1, 2 * n + 1), OFF, "float32")
    levels = []
    for shift in SHIFTS:
        z = disc(STEP, shift)
        log_p, kept = log_evidence(images, z, STEP, decode, keep)
        levels.append(log_p)
        i, j = np.rint(z / half).astype(int).T + n
        square[:, i, j] = kept
    return levels[0], np.logaddexp.reduce(levels, axis=0) - np.log(4), square


def halved_again(images, decode):
    """Return by how much log p of each image moves from STEP / 2 to STEP / 4, both within a square around its peak."""
    if not len(images):
        return np.empty(0)
    z = disc(STEP)
    _, lik = log_evidence(images, z, STEP, decode, keep=len(images))
    moves = []
    for image, peak in zip(images, z[(lik + log_prior(z)).argmax(axis=1)], strict=True):
        sums = []
        for step in (STEP / 2, STEP / 4):
            # The squares of the grid that meet at the border reach beyond it by the same share at both steps.
            side = np.arange(-AROUND + step / 2, AROUND, step)
            patch = peak + np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
            sums.append(log_evidence(image[None], patch, step, decode)[0][0])
        moves.append(sums[1] - sums[0])
    return np.array(moves)


def weights(images, mu, logvar, draws, decode, rng):
    """Return draws z of q, and log p(image given z), log p(z), log q(z) of each: (N, draws, 2) and (N, draws)."""
    eps = rng.standard_normal((len(images), draws, 2))
    z = mu[:, None] + np.exp(0.5 * logvar)[:, None] * eps
    lik = np.empty(z.shape[:2])
    for i in range(0, len(images), 10):
        x_hat = decode(z[i : i + 10].reshape(-1, 2)).reshape(-1, draws, 784)
        for k, (image, own) in enumerate(zip(images[i : i + 10], x_hat, strict=True)):
            lik[i + k] = log_lik(image[None], own)[0]
    log_q = -0.5 * (eps**2).sum(axis=2) - 0.5 * logvar.sum(axis=1)[:, None] - np.log(2 * np.pi)
    return z, lik, log_prior(z), log_q


def log_mean_exp(a, axis):
    """Return log of the mean of exp(a) without overflow."""
    top = a.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(a - top).mean(axis=axis))


def iwae(log_w, k):
    """Return the importance-weighted bound of each image, averaged over disjoint groups of k draws."""
    return log_mean_exp(log_w.reshape(len(log_w), -1, k), axis=2).mean(axis=1)


def with_error(values):
    """Return the mean over images and its standard error."""
    return [float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))]


def bounds(elbo, log_w, log_p):
    """Return the bounds and their paired differences, each as a mean with its standard error."""
    by_k = np.array([iwae(log_w, k) for k in KS])
    w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    rest = np.sort(log_p - by_k[-1])[::-1]
    return {
        "log_p": with_error(log_p),
        "elbo": with_error(elbo),
        "iwae": [with_error(values) for values in by_k],
        "iwae-1 less elbo": with_error(by_k[0] - elbo),
        "each less the one before": [with_error(step) for step in np.diff(by_k, axis=0)],
        "log_p less iwae": [with_error(log_p - values) for values in by_k],
        "log_p less elbo": with_error(log_p - elbo),
        "median of log_p less elbo": float(np.median(log_p - elbo)),
        "median of log_p less last iwae": float(np.median(rest)),
        "share of the worst 5 % in the last gap": float(rest[: len(rest) // 20].sum() / rest.sum()),
        "median effective sample size": float(np.median(w.sum(axis=1) ** 2 / (w**2).sum(axis=1))),
    }


def mixture_check(images, draws_of_q, mu, logvar, log_p, decode, rng):
    """Return the mean of (importance sampling from q and prior) / exp(log_p), and its standard error: should be 1."""
    z_q, lik_q, prior_q, log_q = draws_of_q
    s, p = z_q.shape[1], PRIOR_DRAWS
    sigma = np.exp(0.5 * logvar)

    def ratio(lik, prior, own):
        return np.exp(lik + prior - np.logaddexp(np.log(s) + own, np.log(p) + prior) + np.log(s + p) - log_p[:, None])

    w_q = ratio(lik_q, prior_q, log_q)
    by_draw = []
    z = rng.standard_normal((p, 2))
    for i in range(0, p, 500):
        part = z[i : i + 500]
        own = -0.5 * (((part - mu[:, None]) / sigma[:, None]) ** 2).sum(axis=2)
        own -= np.log(sigma).sum(axis=1)[:, None] + np.log(2 * np.pi)
        by_draw.append(ratio(log_lik(images, decode(part)), log_prior(part), own).mean(axis=0))
    by_draw = np.concatenate(by_draw)  # prior draws are shared by all images: the error is one over draws
    mean = (w_q.mean(axis=0).sum() + by_draw.sum()) / (s + p)
    variance = s * w_q.var(axis=1, ddof=1).sum() / len(images) ** 2 + p * by_draw.var(ddof=1)
    return [float(mean), float(np.sqrt(variance) / (s + p))]


def refine(square, steps=200):
    """Return the best ELBO of a diagonal Gaussian for each image, its mu and its logvar.

    Adam climbs from two starts, the posterior's mean and variance and its peak: a posterior may have two peaks.
    """
    import keras
    import tensorflow as tf

    import old_helpers as vh

    half, count = STEP / 2, len(square)
    n = (square.shape[1] - 1) // 2
    side = half * (np.arange(2 * n + 1) - n)
    joint = square + log_prior(np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1)).astype("float32")
    mode = np.array(np.unravel_index(joint.reshape(count, -1).argmax(axis=1), square.shape[1:])).T  # (count, 2)
    del joint
    mode = np.clip(mode, PATCH, 2 * n - PATCH)
    around = np.arange(-PATCH, PATCH + 1)
    rows, columns = mode[:, 0, None] + around, mode[:, 1, None] + around
    lik = tf.constant(square[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]])
    axes = (half * (np.stack([rows, columns], axis=1) - n)).astype("float32")  # (count, 2, patch)

    prior = -0.5 * (axes[:, 0, :, None] ** 2 + axes[:, 1, None] ** 2)
    joint = lik.numpy().astype("float64") + prior
    post = np.exp(joint - joint.max(axis=(1, 2), keepdims=True))
    marginal = np.stack([post.sum(axis=2), post.sum(axis=1)], axis=1) / post.sum(axis=(1, 2))[:, None, None]
    mean = (marginal * axes).sum(axis=2)
    spread = (marginal * (axes - mean[..., None]) ** 2).sum(axis=2)
    own = np.take_along_axis(axes, np.full((count, 2, 1), PATCH), axis=2)[..., 0]  # the peak
    starts = np.stack([mean, own]), np.log(np.stack([spread, np.full_like(spread, TYPICAL_SIGMA**2)]))
    mu, logvar = (keras.Variable(v.astype("float32")) for v in starts)  # (2, count, 2)

    def elbo(mu, logvar):
        q = tf.exp(-0.5 * (axes - mu[..., None]) ** 2 / tf.exp(logvar)[..., None])
        q /= tf.reduce_sum(q, axis=-1, keepdims=True)
        kl = tf.reshape(vh.kl_divergence(tf.reshape(mu, (-1, 2)), tf.reshape(logvar, (-1, 2))), (2, count))
        return tf.einsum("sni,nij,snj->sn", q[:, :, 0], lik, q[:, :, 1]) - kl

    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, steps))
    optimizer.build([mu, logvar])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(elbo(mu.value, logvar.value))
        optimizer.apply(tape.gradient(loss, [mu.value, logvar.value]), [mu, logvar])

    for _ in range(steps):
        step()
    reached = elbo(mu.value, logvar.value).numpy()
    winner = reached.argmax(axis=0), np.arange(count)
    return reached[winner], mu.numpy()[winner], logvar.numpy()[winner]


def split(images, square, elbo, noise, log_p, decode, rng):
    """Return the gap of the first images in two parts, and the refined ELBO estimated by draws as a check."""
    from vae_helpers import kl_divergence

    count = len(square)
    best, mu, logvar = refine(square)
    lik = weights(images[:count], mu, logvar, 100, decode, rng)[1]
    by_draws = lik.mean(axis=1) - np.asarray(kl_divergence(mu, logvar))
    error = np.sqrt((lik.var(axis=1, ddof=1) / 100).sum()) / count
    # Where the refined q clearly loses to the encoder's, Adam has met a local optimum.
    best = np.where(elbo[:count] - 4 * noise[:count] > best, elbo[:count], best)
    return {
        "approximation": with_error(log_p[:count] - best),
        "amortisation": with_error(best - elbo[:count]),
        "median approximation": float(np.median(log_p[:count] - best)),
        "median amortisation": float(np.median(best - elbo[:count])),
        "by draws less by grid": [float((by_draws - best).mean()), float(error)],
    }


def measure(seed):
    """Measure everything for one seed."""
    import old_helpers as vh

    vae, x_test, binary = load(seed)
    decode = decoder_of(vae)
    grey_images, rng = x_test[:IMAGES], np.random.default_rng(seed)
    grey, b = (a[:IMAGES].reshape(-1, 784) for a in (x_test, binary))
    result = {
        "seed": seed,
        "test loss": float(vae.evaluate(x_test, batch_size=1000, verbose=0, return_dict=True)["loss"]),
    }

    coarse, log_p, square = halved(b, decode, KEPT)
    move = log_p - coarse
    result["halving"] = {"rms": float(np.sqrt((move**2).mean())), "max": float(abs(move).max())}
    again = halved_again(b[abs(move) > MOVED], decode)
    rms = float(np.sqrt((again**2).sum() / len(b)))  # those that half the step hardly moved do not move now
    result["halving again"] = {"images": len(again), "rms": rms, "max": float(abs(again).max(initial=0))}
    for step in (0.05, 0.1):
        move = log_p - log_evidence(b, disc(step), step, decode)[0]
        result[f"step {step}"] = {"rms": float(np.sqrt((move**2).mean())), "max": float(abs(move).max())}
    outside = np.exp(log_evidence(b, disc(0.1, radius=2 * RADIUS, inner=RADIUS), 0.1, decode)[0] - log_p)
    result["outside"] = {"mean": float(outside.mean()), "max": float(outside.max())}
    result["outside"]["nats"] = float(np.log1p(outside).mean())
    log_p_grey = log_evidence(grey, disc(STEP), STEP, decode)[0]

    cases = {
        "binary, q from grey": (b, grey_images, log_p),
        "binary, q from binary": (b, binary[:IMAGES], log_p),
        "grey": (grey, grey_images, log_p_grey),
    }
    for name, (images, seen, target) in cases.items():
        mu, logvar, _ = vh.encode(vae, seen)
        draws = weights(images, mu, logvar, KS[-1], decode, rng)
        elbo = draws[1].mean(axis=1) - np.asarray(vh.kl_divergence(mu, logvar))
        result[name] = bounds(elbo, draws[1] + draws[2] - draws[3], target)
        if name == "grey":
            break
        noise = draws[1].std(axis=1, ddof=1) / np.sqrt(KS[-1])
        result[name]["split"] = split(images, square, elbo, noise, target, decode, rng)
        result[name]["importance sampling"] = mixture_check(images, draws, mu, logvar, target, decode, rng)
    result["peak GB"] = peak_gb()
    return result


def seeds():
    """Measure every seed; keep what is done after each."""
    rows = []
    for row in run_jobs(measure, SEEDS):
        rows.append(row)
        case = row["binary, q from grey"]
        print(
            f"seed {row['seed']}: test loss {row['test loss']:.2f}, halving {row['halving']['rms']:.4f} "
            f"{row['halving']['max']:.3f}, ELBO {case['elbo'][0]:.2f}, IWAE-{KS[-1]} {case['iwae'][-1][0]:.2f}, "
            f"log p {case['log_p'][0]:.2f}, split {case['split']['approximation'][0]:.2f} + "
            f"{case['split']['amortisation'][0]:.2f}, grey {row['grey']['log_p'][0]:.2f}",
            flush=True,
        )
        write_results("evidence", read_results("evidence") | {"ks": KS, "seeds": rows})


def one_sum(job):
    """Measure seconds and peak memory of one sum over the grid, in a process of its own, on all cores."""
    images, step = job
    vae, _, binary = load(SEEDS[0])
    decode, b = decoder_of(vae), binary[:images].reshape(images, -1)
    z = disc(step)
    decode(z[:1000])
    started = time.perf_counter()
    log_p, _ = log_evidence(b, z, step, decode)
    seconds = time.perf_counter() - started
    row = {"images": images, "step": step, "points": len(z), "seconds": seconds, "peak GB": peak_gb()}
    return row | {"log_p": log_p}


def half_step():
    """Return log p of the first CHECKED test images on the grid of half the step, and the share outside the disc."""
    vae, _, binary = load(SEEDS[0])
    decode, b = decoder_of(vae), binary[:CHECKED].reshape(CHECKED, -1)
    levels = [log_evidence(b, disc(STEP, shift), STEP, decode)[0] for shift in SHIFTS]
    log_p = np.logaddexp.reduce(levels, axis=0) - np.log(len(SHIFTS))
    outside = np.exp(log_evidence(b, disc(0.1, radius=2 * RADIUS, inner=RADIUS), 0.1, decode)[0] - log_p)
    return log_p, outside


def timed():
    """Measure seconds, memory and error against the number of images and the step."""

    def in_own_process(function, *arguments):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()

    finer, outside = in_own_process(half_step)
    rows = []
    for _ in range(REPEATS):
        for images in COUNTS:
            for step in STEPS:
                row = in_own_process(one_sum, (images, step))
                log_p = row.pop("log_p")
                move = log_p[:CHECKED] - finer[:images]
                row |= {"rms": float(np.sqrt((move**2).mean())), "max": float(abs(move).max())}
                rows.append(row)
                print({key: round(value, 4) for key, value in row.items()}, flush=True)
    whole = [row for row in rows if row["images"] == COUNTS[-1] and row["step"] == STEP]
    result = whole[0] | {
        "compared": CHECKED,
        "seconds": median(row["seconds"] for row in whole),
        "log_p": with_error(log_p),
        "rows": rows,
    }
    result["outside"] = {"mean": float(outside.mean()), "max": float(outside.max())}
    write_results("evidence", read_results("evidence") | {"timed": result})


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= {"seeds", "timed"}:
        sys.exit(__doc__)
    for part in sys.argv[1:] or ["seeds", "timed"]:
        {"seeds": seeds, "timed": timed}[part]()
