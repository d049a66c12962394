"""The machine, not the model: which versions may run together, whether a GPU computes correctly, files written whole.

    check_versions         refuses combinations that are known to be bad, before TensorFlow is imported
    choose_device          takes a Mac's GPU only after it has trained as the CPU does
    describe_environment   prints versions and device
    save_arrays, load_arrays    files that are there whole or not at all

`python machine.py` runs the GPU's trial by itself and prints the verdict.
"""

import contextlib
import gc
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent
# Trained weights and the GPU's verdict are kept here. Delete the folder to have everything made anew.
CACHE_DIR = ROOT / "trained"


def cache_dir() -> Path:
    """Return the folder of trained models: `trained`, or what the environment variable VAE_TRAINED names."""
    return Path(os.environ.get("VAE_TRAINED") or CACHE_DIR)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Send what C++ libraries write to file descriptor 2 nowhere meanwhile; Python's own errors pass as they are."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import large libraries without their log and the garbage collector, which takes a quarter of the seconds."""
    collects = gc.isenabled()
    gc.disable()
    try:
        with quiet_libraries():
            yield
    finally:
        if collects:
            gc.freeze()  # what is imported now is never garbage: do not look at it again
            gc.enable()


# tensorflow-metal up to the first version, together with a package from the second version on: what happens.
KNOWN_BAD = (
    ("1.1.0", "tensorflow", "2.18", "TensorFlow stops while it is being imported (tensorflow issue 81987)"),
    ("1.2.0", "tensorflow", "2.20", "TensorFlow stops while it is being imported (tensorflow issue 84167)"),
    ("1.2.0", "keras", "3.7", "the GPU computes dense layers with ReLU wrongly, without a word (keras issue 21668)"),
)
REMEDY = "python -m pip install -r requirements.txt"


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that matter here, from their metadata: nothing is imported."""
    names = {"tensorflow": ("tensorflow", "tensorflow-macos", "tensorflow-cpu"), "keras": ("keras",)}
    found = {}
    for name, packages in (names | {"tensorflow-metal": ("tensorflow-metal",)}).items():
        for package in packages:
            try:
                found.setdefault(name, version(package))
            except PackageNotFoundError:
                continue
    return found


def numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: "2.18.0rc1" gives (2, 18, 0)."""
    return tuple(int(n) for n in re.match(r"\d+(?:\.\d+)*", text)[0].split("."))


def _apple_chip() -> bool:
    """Whether this Mac has an Apple chip, also when Python itself was built for Intel."""
    answer = subprocess.run(["sysctl", "-n", "hw.optional.arm64"], capture_output=True, text=True)
    return answer.stdout.strip() == "1"


def check_versions(versions: dict[str, str] | None = None) -> None:
    """Refuse versions that are known to fail, or worse, to compute wrongly, together.

    Raises:
        ImportError: with the command that mends it.
    """
    versions = installed_versions() if versions is None else versions
    if platform.system() == "Darwin" and platform.machine() == "x86_64" and _apple_chip():
        raise ImportError(
            "This Python was built for Intel, but the Mac has an Apple chip: TensorFlow would be killed or crawl. "
            "Install a Python for Apple silicon, for example with: brew install python@3.12"
        )
    metal = versions.get("tensorflow-metal")
    for last_metal, package, first_bad, what_happens in KNOWN_BAD:
        found = versions.get(package)
        if metal and found and numbers(metal) <= numbers(last_metal) and numbers(found) >= numbers(first_bad):
            raise ImportError(
                f"tensorflow-metal {metal} does not work with {package} {found}: {what_happens}. "
                f"Mend it in this environment, then restart the kernel: {REMEDY}"
            )


TOLERANCE = 1e-3  # as a share of an array's norm: float32 rounding stays below 1e-4, the known faults are above 0.1
LIMITS = (300, 60)  # seconds of the first trial, and of the second where the first gave no answer; then it is settled
_device: str | None = None


def train_on(device: str, network: dict) -> dict[str, list[np.ndarray]]:
    """Return what three steps of Adam on `device` give, traced as in training, from equal weights, images and eps.

    The draws of eps alone are the device's own: those that the encoder makes in the first two steps.
    """
    import keras
    import tensorflow as tf

    import vae_helpers as vh

    rng = np.random.default_rng(0)
    x, eps = rng.uniform(size=(32, 28, 28, 1)).astype("float32"), rng.normal(size=(32, 2)).astype("float32")
    with tf.device("CPU:0"):
        weights = vh.build_vae(**network).get_weights()
    with tf.device(device):
        vae, optimizer = vh.build_vae(**network), keras.optimizers.Adam(1e-3)
        vae.set_weights(weights)
        optimizer.build(vae.trainable_variables)

        @tf.function(jit_compile=False)
        def step():
            with tf.GradientTape() as tape:
                mu, logvar, z = vae.encoder(x)
                x_hat = vae.decoder(mu + keras.ops.exp(0.5 * logvar) * eps)
                loss = keras.ops.mean(vh.reconstruction_loss(x, x_hat) + vh.kl_divergence(mu, logvar))
            gradients = tape.gradient(loss, vae.trainable_variables)
            optimizer.apply_gradients(zip(gradients, vae.trainable_variables, strict=True))
            return [mu, logvar, x_hat], gradients, (z - mu) / keras.ops.exp(0.5 * logvar)

        steps = [step() for _ in range(3)]
    found = {"outputs": steps[0][0], "gradients": steps[0][1], "draws of eps": [steps[0][2], steps[1][2]]}
    found["weights"] = [after - before for after, before in zip(vae.get_weights(), weights, strict=True)]
    return {name: [np.asarray(array) for array in arrays] for name, arrays in found.items()}


def gpu_trial() -> dict:
    """Return {"correct": …, "detail": …} of training the course's network and that of the tutorials on GPU and CPU."""
    import vae_helpers as vh

    for network in ({}, vh.TUTORIAL):
        gpu, cpu = train_on("GPU:0", network), train_on("CPU:0", network)
        for name in ("outputs", "gradients", "weights"):
            pairs = zip(gpu[name], cpu[name], strict=True)
            difference = np.max([np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in pairs])
            if not difference <= TOLERANCE:  # written so that NaN, too, counts as wrong
                return {"correct": False, "detail": f"{name} differ from the CPU's by {difference:.1e}"}
        first, second = gpu["draws of eps"]
        if not np.isfinite(first + second).all() or (first == second).any():
            return {"correct": False, "detail": "draws of eps repeat or are no numbers"}
    return {"correct": True, "detail": f"training agrees with the CPU's within {TOLERANCE:.1%}"}


def gpu_verdict() -> dict:
    """Return the verdict of the GPU's trial, {"correct": …, "detail": …}: one trial for each set of versions.

    In a process of its own, which a faulty plug-in may end or block. A trial that gave no answer is remembered with its
    reason and repeated once, with a shorter limit.
    """
    versions = {**installed_versions(), "python": platform.python_version(), "system": platform.platform()}
    key = hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()[:16]
    path, unanswered = cache_dir() / f"gpu-{key}.json", 0
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        verdict = json.loads(path.read_text())
        unanswered = verdict["unanswered"]
        if not 0 < unanswered < len(LIMITS):
            return verdict
    limit = LIMITS[unanswered]
    print(f"Trying the GPU: it trains for three steps beside the CPU, once, for at most {limit} s …")
    try:
        run = subprocess.run([sys.executable, str(ROOT / "machine.py")], capture_output=True, text=True, timeout=limit)
        verdict = json.loads("" if run.returncode else run.stdout.splitlines()[-1]) | {"unanswered": 0}
    except (ValueError, LookupError, TypeError):
        reason = (run.stderr.strip().splitlines() or ["no words"])[-1]
        verdict = {"detail": f"trial ended with status {run.returncode} and no answer: {reason}"}
    except subprocess.TimeoutExpired:
        verdict = {"detail": f"trial did not end within {limit} s"}
    verdict = {"correct": False, "unanswered": unanswered + 1} | verdict
    with contextlib.suppress(OSError):  # a read-only folder: try again next time
        write_whole(path, json.dumps(verdict).encode())
    return verdict


def choose_device(device: str | None = None) -> str:
    """Decide where models run, before the first one is built, and return it in words.

    "auto" takes a GPU where there is one, a Mac's only if it passed its trial; "gpu" stops where "auto" would take the
    CPU; "cpu" hides the GPU. Without an argument, the environment variable VAE_DEVICE decides, else "auto". A decision,
    once taken, holds until an argument asks for another.

    Raises:
        ValueError: another word than these three.
        RuntimeError: no GPU that passed, although "gpu" is asked for, or TensorFlow already runs on the other device.
    """
    global _device
    if _device is not None and device is None:
        return _device
    wanted = (device or os.environ.get("VAE_DEVICE") or "auto").lower()
    if wanted not in ("auto", "cpu", "gpu"):
        raise ValueError(f'device (or the variable VAE_DEVICE) must be "auto", "cpu" or "gpu", but is {wanted!r}.')
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if wanted == "gpu" and not gpus:
        raise RuntimeError('TensorFlow sees no GPU on this machine: use choose_device("auto") or unset VAE_DEVICE.')
    use, chosen = bool(gpus) and wanted != "cpu", "GPU" if gpus else "CPU"
    if gpus and not use:
        chosen = "CPU, as asked for"
    elif use and platform.system() == "Darwin":
        verdict = gpu_verdict()
        use, words = verdict["correct"], f"the GPU's {verdict['detail']}"
        if wanted == "gpu" and not use:
            again = f"To have it tried again, delete the files gpu-*.json in {cache_dir()}"
            raise RuntimeError(f'Not used: {words}. {again}, or use choose_device("auto") or unset VAE_DEVICE.')
        chosen = f"GPU: {verdict['detail']}" if use else f"CPU, for {words}"
    try:
        if gpus:
            tf.config.set_visible_devices(gpus if use else [], "GPU")
    except RuntimeError as error:
        raise RuntimeError("TensorFlow is already running: restart the kernel and choose the device first.") from error
    _device = chosen
    return chosen


def describe_environment() -> None:
    """Print the versions and the device that this notebook runs on, in one line."""
    import keras
    import tensorflow as tf

    versions = f"Python {platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}"
    print(f"{versions}, device: {choose_device()}")


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: whoever reads sees all of it, or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{uuid.uuid4().hex}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write `arrays` by name as an .npz file, whole or not at all."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_whole(path, content.getvalue())


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what `save_arrays` wrote; nothing in the file is executed.

    Raises:
        ValueError: it is gone, damaged, cut short or of another kind.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive}
    except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"cannot be read: {error}") from error


if __name__ == "__main__":
    import machine  # the module that vae_helpers imports, too, and not this script

    machine._device = "GPU, on trial"  # so that building a model does not ask for the verdict
    print(json.dumps(machine.gpu_trial()))
