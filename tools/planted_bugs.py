"""Plant realistic mistakes, one at a time, and report which check notices each, how soon, and with which words.

    python tools/planted_bugs.py                 all of them, about half an hour on two cores
    python tools/planted_bugs.py kl eps          only those whose names contain one of these words
    python tools/planted_bugs.py --list          their names

Each mistake is planted in a copy of the repository. Then the cheapest check that should notice runs there: a few unit
tests, or the notebook that teaches the idea. A mistake that nothing notices ends the run with status 1. Trained models
are copied along, so that notebooks load them where the mistake does not concern training. Not part of the tests.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Bug:
    """A mistake: in `file`, `old` becomes `new`; `check` is a list of pytest arguments, or a notebook's number."""

    name: str
    file: str
    old: str
    new: str
    check: str


HELPER, DATA, MACHINE = "vae_helpers.py", "fashion_mnist.py", "machine.py"
MODEL, FILES, READ = "tests/test_model.py", "tests/test_machine.py", "tests/test_data.py"

BUGS = [
    # The loss.
    Bug(
        "kl without 1/2",
        HELPER,
        "return 0.5 * ops.sum(ops.square(mu)",
        "return ops.sum(ops.square(mu)",
        f"{MODEL} -k kl",
    ),
    Bug(
        "kl averaged over latents",
        HELPER,
        "0.5 * ops.sum(ops.square(mu)",
        "0.5 * ops.mean(ops.square(mu)",
        f"{MODEL} -k kl",
    ),
    Bug(
        "kl with logvar's sign wrong",
        HELPER,
        "ops.exp(logvar) - logvar - 1.0",
        "ops.exp(-logvar) - logvar - 1.0",
        f"{MODEL} -k kl",
    ),
    Bug(
        "kl with sigma for its square",
        HELPER,
        "ops.exp(logvar) - logvar - 1.0",
        "ops.exp(0.5 * logvar) - logvar - 1.0",
        f"{MODEL} -k kl",
    ),
    Bug(
        "kl with sigma = exp(logvar)",
        HELPER,
        "ops.exp(logvar) - logvar - 1.0",
        "ops.exp(2 * logvar) - 2 * logvar - 1.0",
        f"{MODEL} -k kl",
    ),
    Bug("kl without -1", HELPER, "ops.exp(logvar) - logvar - 1.0", "ops.exp(logvar) - logvar", f"{MODEL} -k kl"),
    Bug(
        "mean over pixels for the sum",
        HELPER,
        "return ops.sum(per_pixel, axis=(1, 2, 3))",
        "return ops.mean(per_pixel, axis=(1, 2, 3))",
        f"{MODEL} -k reconstruction",
    ),
    Bug(
        "sum over the batch too",
        HELPER,
        "return ops.sum(per_pixel, axis=(1, 2, 3))",
        "return ops.sum(per_pixel)",
        f"{MODEL} -k reconstruction",
    ),
    Bug(
        "cross-entropy with its arguments swapped",
        HELPER,
        "x_hat = ops.clip(x_hat, CLIP, 1.0 - CLIP)",
        "x, x_hat = x_hat, ops.clip(x, CLIP, 1.0 - CLIP)",
        f"{MODEL} -k reconstruction",
    ),
    Bug(
        "squared error with a 1/2",
        HELPER,
        "per_pixel = ops.square(x - x_hat)",
        "per_pixel = 0.5 * ops.square(x - x_hat)",
        f"{MODEL} -k reconstruction",
    ),
    Bug(
        "absolute for squared error",
        HELPER,
        "per_pixel = ops.square(x - x_hat)",
        "per_pixel = ops.abs(x - x_hat)",
        f"{MODEL} -k reconstruction",
    ),
    Bug(
        "no clip before the logarithm",
        HELPER,
        "x_hat = ops.clip(x_hat, CLIP, 1.0 - CLIP)",
        "pass",
        f"{MODEL} -k saturated",
    ),
    Bug(
        "beta on the wrong term",
        HELPER,
        "return recon_loss + self.beta * kl_loss, recon_loss, kl_loss",
        "return self.beta * recon_loss + kl_loss, recon_loss, kl_loss",
        f"{MODEL} -k parts",
    ),
    Bug(
        "beta forgotten",
        HELPER,
        "return recon_loss + self.beta * kl_loss, recon_loss, kl_loss",
        "return recon_loss + kl_loss, recon_loss, kl_loss",
        f"{MODEL} -k parts",
    ),
    Bug(
        "a short last batch counts in full",
        HELPER,
        "sample_weight=ops.shape(x)[0]",
        "sample_weight=1",
        f"{MODEL} -k reported",
    ),
    Bug(
        "no guard against overflow",
        HELPER,
        "return ops.clip(logvar, LOGVAR_MIN, LOGVAR_MAX)",
        "return logvar",
        f"{MODEL} -k extreme",
    ),
    Bug(
        "a guard that bites in the normal range",
        HELPER,
        "LOGVAR_MIN, LOGVAR_MAX = -30.0, 20.0",
        "LOGVAR_MIN, LOGVAR_MAX = -8.0, 8.0",
        f"{MODEL} -k guard",
    ),
    # Sampling.
    Bug(
        "sigma squared for sigma in z",
        HELPER,
        "ops.exp(0.5 * _guard(logvar)) * eps",
        "ops.exp(_guard(logvar)) * eps",
        f"{MODEL} -k sampling",
    ),
    Bug(
        "logvar's sign wrong in z",
        HELPER,
        "ops.exp(0.5 * _guard(logvar)) * eps",
        "ops.exp(-0.5 * _guard(logvar)) * eps",
        f"{MODEL} -k sampling",
    ),
    Bug(
        "eps shared by the batch",
        HELPER,
        "keras.random.normal(ops.shape(mu), seed",
        "keras.random.normal((1, mu.shape[1]), seed",
        f"{MODEL} -k eps",
    ),
    Bug(
        "eps shared by the latents",
        HELPER,
        "keras.random.normal(ops.shape(mu), seed",
        "keras.random.normal((ops.shape(mu)[0], 1), seed",
        f"{MODEL} -k eps",
    ),
    Bug(
        "uniform eps",
        HELPER,
        "keras.random.normal(ops.shape(mu), seed=self.seed_generator)",
        "keras.random.uniform(ops.shape(mu), -(3**0.5), 3**0.5, seed=self.seed_generator)",
        f"{MODEL} -k eps",
    ),
    Bug("the same eps in every call", HELPER, "seed=self.seed_generator)", "seed=7)", f"{MODEL} -k eps"),
    Bug(
        "unseeded eps", HELPER, "keras.random.SeedGenerator(seed)", "keras.random.SeedGenerator()", f"{MODEL} -k seeds"
    ),
    Bug(
        "validation decodes mu",
        HELPER,
        "return self._track(self.losses_on(x), x)",
        "x_hat = self.decoder(self.encoder(x)[0])\n"
        "        r = ops.mean(reconstruction_loss(x, x_hat))\n        return self._track((r, r, 0.0), x)",
        f"{MODEL} -k validation",
    ),
    # The network.
    Bug(
        "mu and logvar swapped",
        HELPER,
        "return keras.Model(x, [mu, logvar, z]",
        "return keras.Model(x, [logvar, mu, z]",
        "4.3.03",
    ),
    Bug("no sigmoid", HELPER, 'activation="sigmoid", kernel_initializer', "kernel_initializer", f"{MODEL} -k shapes"),
    Bug(
        "a stride missing in the encoder",
        HELPER,
        "layers.Conv2D(f, 3, strides=2,",
        "layers.Conv2D(f, 3, strides=1 if f == filters[0] else 2,",
        f"{MODEL} -k shrinks",
    ),
    Bug("a stride missing in the decoder", HELPER, "strides = 2 if i < 2 else 1", "strides = 1", f"{MODEL} -k shrinks"),
    Bug("unseeded weights", HELPER, "(seed=int(rng.integers(2**31)))", "()", f"{MODEL} -k weights"),
    Bug("one seed for all layers", HELPER, "(seed=int(rng.integers(2**31)))", "(seed=seed)", f"{MODEL} -k own"),
    # Training and files.
    Bug(
        "unseeded order of the batches",
        HELPER,
        "    set_seed(seed)\n    return vae.fit(",
        "    return vae.fit(",
        f"{MODEL} -k last_bit",
    ),
    Bug(
        "XLA left to the machine",
        HELPER,
        "optimizer=keras.optimizers.Adam(rate), jit_compile=False",
        "optimizer=keras.optimizers.Adam(rate)",
        f"{FILES} -k draws_nothing",
    ),
    Bug(
        "the loss not shared among devices",
        HELPER,
        "share = losses[0] / tf.distribute.get_strategy().num_replicas_in_sync",
        "share = losses[0]",
        f"{FILES} -k two_devices",
    ),
    Bug(
        "a stale cache: source not in the key",
        HELPER,
        "_source(part) for part in (*source, fit, set_seed, _guard)",
        '"" for part in (*source, fit, set_seed, _guard)',
        f"{MODEL} -k changes_the_file",
    ),
    Bug(
        "a stale cache: data not in the key",
        HELPER,
        "array_digest(x) for x in (x_train, x_val) if x is not None",
        "0 for x in (x_train, x_val) if x is not None",
        f"{MODEL} -k changes_the_file",
    ),
    Bug(
        "a stale cache: constants not in the key",
        HELPER,
        "[LOGVAR_MIN, LOGVAR_MAX, CLIP]",
        "[]",
        f"{MODEL} -k changes_the_file",
    ),
    Bug(
        "a file written in place",
        MACHINE,
        "os.replace(partial, path)",
        "path.write_bytes(content)",
        f"{FILES} -k write_that_fails",
    ),
    Bug(
        "pickles allowed",
        MACHINE,
        "with np.load(path, allow_pickle=False)",
        "with np.load(path, allow_pickle=True)",
        f"{FILES} -k code_inside",
    ),
    Bug("a damaged file deleted", MACHINE, "os.replace(path, aside)", "path.unlink()", f"{MODEL} -k damaged"),
    Bug(
        "encode drops the short last batch",
        HELPER,
        "for i in range(0, len(x), batch_size)]\n    return tuple",
        "for i in range(0, len(x) - len(x) % batch_size or 1, batch_size)]\n    return tuple",
        f"{MODEL} -k encode",
    ),
    Bug(
        "decode drops the short last batch",
        HELPER,
        "for i in range(0, len(z), batch_size)])",
        "for i in range(0, len(z) - len(z) % batch_size or 1, batch_size)])",
        f"{MODEL} -k encode",
    ),
    # Data.
    Bug("images not divided by 255", DATA, '.astype("float32") / 255.0)', '.astype("float32"))', f"{READ}"),
    Bug(
        "images transposed",
        DATA,
        '.astype("float32") / 255.0)',
        '.astype("float32") / 255.0).swapaxes(1, 2)',
        f"{READ}",
    ),
    Bug(
        "test labels for training labels",
        DATA,
        '(images["x_train"], arrays["y_train"])',
        '(images["x_train"], arrays["y_test"])',
        f"{READ}",
    ),
    Bug("nothing verified", DATA, "if array_digest(array) != _DIGESTS[name]:", "if False:", f"{READ}"),
    Bug("two class names swapped", DATA, '"Pullover", "Dress", "Coat"', '"Pullover", "Coat", "Dress"', f"{READ}"),
    Bug("NaN let through", DATA, "if not np.isfinite(x).all():", "if False:", f"{MODEL} -k bad_images"),
    # The machine.
    Bug(
        "Keras 3.7 with Metal let through",
        MACHINE,
        '("1.2.0", "keras", "3.7"',
        '("1.2.0", "keras", "9.7"',
        f"{FILES} -k refused",
    ),
    Bug(
        "a GPU that gives NaN trusted",
        MACHINE,
        '"correct": difference <= TOLERANCE',
        '"correct": not difference > TOLERANCE',
        f"{FILES} -k gpu",
    ),
    Bug(
        "the GPU's verdict not kept",
        MACHINE,
        "        write_whole(path, json.dumps(verdict).encode())",
        "        pass",
        f"{FILES} -k tested_once",
    ),
    Bug("versions checked after the import", HELPER, "machine.check_versions()\n", "", f"{FILES} -k refusal"),
]


def in_cell(section: str, name: str, old: str, new: str) -> Bug:
    """Return a mistake in a code cell of a section's notebook, which its own checks must notice."""
    path = next((ROOT / "notebooks").glob(f"{section}_*.ipynb"))
    return Bug(f"{section}: {name}", f"notebooks/{path.name}", old, new, section)


LOAD = "(x_train, y_train), (x_test, y_test) = vh.load_fashion_mnist()"

BUGS += [
    in_cell("4.3.01", "KL without 1/2", "kl = 0.5 * np.sum(mu**2 +", "kl = np.sum(mu**2 +"),
    in_cell("4.3.01", "a density without its constant", " - 0.5 * np.log(2 * np.pi)", ""),
    in_cell("4.3.01", "the KL's sign turned in the ELBO", "* log_lik) - kl_on_grid", "* log_lik) + kl_on_grid"),
    in_cell(
        "4.3.01",
        "sigma = exp(logvar) in z",
        "return mu + np.exp(0.5 * logvar) * eps",
        "return mu + np.exp(logvar) * eps",
    ),
    in_cell(
        "4.3.02",
        "divided by 256",
        '(raw["x_train"].astype("float32") / 255.0)',
        '(raw["x_train"].astype("float32") / 256.0)',
    ),
    in_cell("4.3.02", "labels swapped", 'raw["y_train"], raw["y_test"]', 'raw["y_test"], raw["y_train"]'),
    in_cell("4.3.03", "padding on the other side", "((0, 1), (0, 1)))  # (29, 29)", "((1, 0), (1, 0)))  # (29, 29)"),
    in_cell(
        "4.3.03",
        "eps shared by the batch",
        "normal(keras.ops.shape(mu), seed=self",
        "normal((1, mu.shape[1]), seed=self",
    ),
    in_cell("4.3.03", "uniform eps", "eps = keras.random.normal(", "eps = keras.random.uniform("),
    in_cell(
        "4.3.03",
        "score function without its sign",
        "(z - a) ** 2 * (z - m) / sigma**2",
        "(z - a) ** 2 * (m - z) / sigma**2",
    ),
    in_cell("4.3.04", "stamps overwrite each other", "+= image[i, j] * kernel", "= image[i, j] * kernel"),
    in_cell("4.3.04", "kernel 3 with stride 2", 'up = {"kernel_size": 4,', 'up = {"kernel_size": 3,'),
    in_cell(
        "4.3.05",
        "mean over pixels for BCE",
        "np.sum(bce_of_pixel(x, x_hat), axis=(1, 2, 3))",
        "np.mean(bce_of_pixel(x, x_hat), axis=(1, 2, 3))",
    ),
    in_cell(
        "4.3.05",
        "BCE with its arguments swapped",
        "return -(x * np.log(x_hat) + (1 - x) * np.log(1 - x_hat))",
        "x, x_hat = x_hat, np.clip(x, 1e-7, 1 - 1e-7)\n    return -(x * np.log(x_hat) + (1 - x) * np.log(1 - x_hat))",
    ),
    in_cell("4.3.05", "KL averaged over the latents", "return 0.5 * np.sum(mu**2", "return 0.5 * np.mean(mu**2"),
    in_cell(
        "4.3.05",
        "beta on the wrong term",
        "return recon_loss + self.beta * kl_loss,",
        "return self.beta * recon_loss + kl_loss,",
    ),
    in_cell(
        "4.3.05",
        "no KL left out with beta = 0",
        "models = {0: train_briefly(beta=0)}",
        "models = {0: train_briefly(beta=1)}",
    ),
    in_cell(
        "4.3.06",
        "the step size falls too late",
        "CosineDecay(LEARNING_RATE, EPOCHS * steps_per_epoch)",
        "CosineDecay(LEARNING_RATE, 2 * EPOCHS * steps_per_epoch)",
    ),
    in_cell(
        "4.3.06",
        "training images held out",
        "    x_train, x_test, epochs=EPOCHS,",
        "    x_train, x_train, epochs=EPOCHS,",
    ),
    in_cell("4.3.07", "z is mu", "zs = mu[:N] + sigma[:N] * rng", "zs = mu[:N] + 0 * sigma[:N] * rng"),
    in_cell("4.3.07", "the sign of the residual", "return x - x_hat", "return x_hat - x"),
    in_cell(
        "4.3.07",
        "the decoder of the mean code for the mean image",
        "x_hat_mean = decodes.mean(axis=0)",
        "x_hat_mean = vh.decode(vae, zs.mean(axis=0))",
    ),
    in_cell("4.3.07", "labels of the other images", LOAD, LOAD + "\ny_test = y_train"),
    in_cell(
        "4.3.08",
        "variance for sigma in the ellipses",
        "2 * sigma[n, 0], 2 * sigma[n, 1]",
        "2 * sigma[n, 0] ** 2, 2 * sigma[n, 1] ** 2",
    ),
    in_cell("4.3.08", "axes of the grid swapped", "q_grid = along_2 @ along_1.T", "q_grid = along_1 @ along_2.T"),
    in_cell(
        "4.3.08", "spread within images forgotten", "total = within_images + between_images", "total = between_images"
    ),
    in_cell(
        "4.3.08",
        "colours of the other images",
        "vh.CLASS_COLORS[c] for c in y_test[order]",
        "vh.CLASS_COLORS[c] for c in y_train[order]",
    ),
    in_cell(
        "4.3.09",
        "axes of the plane swapped",
        "np.stack([z1.ravel(), z2.ravel()], axis=1)",
        "np.stack([z2.ravel(), z1.ravel()], axis=1)",
    ),
    in_cell("4.3.09", "the map upside down", "np.meshgrid(ticks, ticks[::-1])", "np.meshgrid(ticks, ticks)"),
    in_cell("4.3.09", "quantiles 0 and 1", "p = (np.arange(1, N + 1) - 0.5) / N", "p = np.linspace(0, 1, N)"),
    in_cell("4.3.09", "axes of the explorer swapped", "vh.decode(vae, [[z1, z2]])", "vh.decode(vae, [[z2, z1]])"),
    in_cell("4.3.10", "spread for variance", "p.mean(axis=1), p.var(axis=1), (p", "p.mean(axis=1), p.std(axis=1), (p"),
    in_cell("4.3.10", "z is mu", "np.exp(0.5 * logvar)[:, None] * eps", "0 * np.exp(0.5 * logvar)[:, None] * eps"),
    in_cell(
        "4.3.10",
        "noise of the mean for the mean noise",
        "(p * (1 - p)).mean(axis=1)\n",
        "p.mean(axis=1) * (1 - p.mean(axis=1))\n",
    ),
    in_cell(
        "4.3.11",
        "no constant in the Gaussian",
        "sse / (2 * sigma2_x) + 392 * np.log(2 * np.pi * sigma2_x)",
        "sse / (2 * sigma2_x)",
    ),
    in_cell(
        "4.3.11",
        "the parameter for the mean",
        "np.where(near, 0.5 - u / 6 - 2 * u**3 / 45, 0.5 - 1 / (2 * far) + 1 / (2 * np.arctanh(far)))",
        "lam",
    ),
    in_cell(
        "4.3.11",
        "tosses turned round",
        "tosses = rng.random((200, 20, 784)) < flat[:20]",
        "tosses = rng.random((200, 20, 784)) > flat[:20]",
    ),
    in_cell("4.3.12", "the rate without 1/2", "rates = 0.5 * np.log(", "rates = np.log("),
    in_cell(
        "4.3.12",
        "the price upside down",
        "return -np.diff(distortion, axis=0) / np.diff(rate, axis=0)",
        "return -np.diff(rate, axis=0) / np.diff(distortion, axis=0)",
    ),
    in_cell(
        "4.3.12",
        "beta = sigma2_x",
        "value_and_gradients(beta_loss, 2 * sigma2_x)",
        "value_and_gradients(beta_loss, sigma2_x)",
    ),
    in_cell("4.3.13", "no prior in the sum", '        a += log_prior(part).astype("float32")\n', ""),
    in_cell("4.3.13", "a block that is not rescaled", "total = total * np.exp(best - new)", "total = total"),
    in_cell(
        "4.3.13",
        "mean of logs for log of mean",
        "np.log(np.exp(groups - top[..., None]).mean(axis=2))",
        "(groups - top[..., None]).mean(axis=2)",
    ),
    in_cell(
        "4.3.14",
        "the autoencoder decodes a drawn z",
        "mu, _, _ = self.encoder(x, training=training)",
        "_, _, mu = self.encoder(x, training=training)",
    ),
    in_cell("4.3.14", "likeness without centring", " - images.mean(axis=(1, 2, 3))[:, None]", ""),
    in_cell("4.3.14", "a threshold for coins", "(rng.random(x.shape) < x)", "(x > 0.5)"),
]


def copy_repository(folder: Path) -> None:
    """Copy what git knows, and the trained models."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    if (ROOT / "trained").exists():
        shutil.copytree(ROOT / "trained", folder / "trained")


def plant(bug: Bug, folder: Path) -> None:
    """Change the file; for a notebook, one code cell of it."""
    path = folder / bug.file
    if path.suffix == ".ipynb":
        notebook = json.loads(path.read_text())
        cells = [c for c in notebook["cells"] if c["cell_type"] == "code" and bug.old in "".join(c["source"])]
        if not cells:
            raise ValueError(f"{bug.name}: no cell of {bug.file} contains {bug.old!r}")
        source = "".join(cells[0]["source"]).replace(bug.old, bug.new, 1)
        cells[0]["source"] = source.splitlines(keepends=True)
        path.write_text(json.dumps(notebook))
    else:
        text = path.read_text()
        if bug.old not in text:
            raise ValueError(f"{bug.name}: {bug.file} does not contain {bug.old!r}")
        path.write_text(text.replace(bug.old, bug.new, 1))


def notice(bug: Bug, folder: Path) -> tuple[bool, str]:
    """Run the check in the copy; return whether it failed, and the words with which it did."""
    if bug.check.startswith("4.3."):
        command = [sys.executable, "tools/execute.py", "build/planted", bug.check]
    else:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            *bug.check.split(" -k ")[:1],
        ]
        command += ["-k", bug.check.split(" -k ")[1]] if " -k " in bug.check else []
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    said = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout)
    if "passed" not in said and "failed" not in said and "error" not in said.lower():
        return False, f"the check did not run: {said[-200:]} {run.stderr[-200:]}"
    tests = re.findall(r"^FAILED \S+::(\S+)", said, flags=re.M)
    errors = re.findall(r"^(?:E +)?(\w*(?:Error|Exception): .+)$", said, flags=re.M)
    words = " | ".join(dict.fromkeys(tests[:1] + errors[:1]))
    return run.returncode != 0, words[:240] or said[-240:]


def main(words: list[str]) -> int:
    """Plant every bug whose name contains one of `words`, print the table, and return the exit status."""
    bugs = [bug for bug in BUGS if not words or any(word.lower() in bug.name.lower() for word in words)]
    missed = []
    for number, bug in enumerate(bugs, 1):
        with tempfile.TemporaryDirectory() as folder:
            copy_repository(Path(folder))
            plant(bug, Path(folder))
            started = time.monotonic()
            noticed, said = notice(bug, Path(folder))
        print(f"[{number} of {len(bugs)}] {bug.name}: {'noticed' if noticed else 'MISSED'} by {bug.check}", end=" ")
        print(f"in {time.monotonic() - started:.0f} s: {said}", flush=True)
        missed += [] if noticed else [bug.name]
    print(f"{len(bugs) - len(missed)} of {len(bugs)} noticed." + (f" Missed: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(f"{bug.name:45} {bug.file:35} {bug.check}" for bug in BUGS))
    else:
        sys.exit(main(sys.argv[1:]))
