"""The machine, not the model: which versions may run together, whether a GPU computes correctly, files written whole.

    check_versions         refuses combinations that are known to be bad, before TensorFlow is imported
    choose_device          takes a Mac's GPU only after it has computed a small network correctly
    describe_environment   prints versions and device
    save_arrays, load_arrays, set_aside    files that are there whole or not at all

`python machine.py` runs the test of the GPU by itself and prints the largest difference from NumPy.
"""

import contextlib
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


# --------------------------------------------------------------------------------------------------- versions

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


def _numbers(text: str) -> tuple[int, ...]:
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
        if metal and found and _numbers(metal) <= _numbers(last_metal) and _numbers(found) >= _numbers(first_bad):
            raise ImportError(
                f"tensorflow-metal {metal} does not work with {package} {found}: {what_happens}. "
                f"Mend it in this environment, then restart the kernel: {REMEDY}"
            )


# ----------------------------------------------------------------------------------------------------- device

TOLERANCE = 1e-3  # float32 rounding in the test network stays below 1e-5; the known fault is above 0.1
_device: str | None = None


def _numpy_conv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve (N, H, W, C) with 3×3, stride 2 and padding "same", which adds a zero row below and a column right."""
    x = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    height, width = x.shape[1] // 2, x.shape[2] // 2
    out = np.zeros((len(x), height, width, kernel.shape[3]))
    for r, c in np.ndindex(3, 3):
        out += x[:, r : r + 2 * height : 2, c : c + 2 * width : 2] @ kernel[r, c]
    return out + bias


def _numpy_deconv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Transposed convolution of (N, H, W, C), 4×4 kernel, stride 2, "same": stamp, then cut one pixel off each side."""
    n, height, width, _ = x.shape
    out = np.zeros((n, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for r, c in np.ndindex(4, 4):
        out[:, r : r + 2 * height : 2, c : c + 2 * width : 2] += x @ kernel[r, c].T
    return out[:, 1:-1, 1:-1] + bias


def gpu_test_difference() -> float:
    """Return by how much TensorFlow's and NumPy's answers differ for a small network of the course's layers.

    The network is traced as a graph, as in training, and has both activations: ELU and the ReLU of the tutorials.
    """
    import keras
    import tensorflow as tf
    from keras import layers

    rng = np.random.default_rng(0)
    x = rng.uniform(size=(8, 8, 8, 2)).astype("float32")
    network = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="elu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(64, activation="elu"),
            layers.Reshape((4, 4, 4)),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ]
    )
    weights = [rng.normal(scale=0.5, size=w.shape).astype("float32") for w in network.get_weights()]
    network.set_weights(weights)
    answer = tf.function(network, jit_compile=False)(x).numpy()

    w = [weight.astype("float64") for weight in weights]
    h = _numpy_conv(x, w[0], w[1])
    h = np.where(h > 0, h, np.expm1(np.minimum(h, 0))).reshape(8, -1)
    h = np.maximum(h @ w[2] + w[3], 0)
    h = h @ w[4] + w[5]
    h = np.where(h > 0, h, np.expm1(np.minimum(h, 0))).reshape(8, 4, 4, 4)
    expected = 1 / (1 + np.exp(-_numpy_deconv(h, w[6], w[7])))
    return float(np.abs(answer - expected).max())


def gpu_verdict(folder: Path | None = None) -> dict:
    """Return {"correct": …, "detail": …}: tested in a process of its own, once for each set of versions.

    A process of its own, because a faulty plug-in can end the process that uses it.
    """
    versions = {**installed_versions(), "python": platform.python_version(), "system": platform.platform()}
    path = (
        folder or cache_dir()
    ) / f"gpu-{hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()[:16]}.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        print("Testing the GPU against NumPy, once …")
    command = [sys.executable, str(ROOT / "machine.py")]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=300)
        difference = float(run.stdout.split()[-1]) if run.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        difference = None
    if difference is None:
        return {"correct": False, "detail": "its test did not finish"}
    # Written so that NaN, too, counts as wrong.
    verdict = {"correct": difference <= TOLERANCE, "detail": f"largest difference from NumPy {difference:.1e}"}
    with contextlib.suppress(OSError):  # a read-only folder: test again next time
        write_whole(path, json.dumps(verdict).encode())
    return verdict


def choose_device(device: str | None = None) -> str:
    """Decide where models run, before the first one is built, and return it in words.

    "auto" takes a GPU where there is one, a Mac's only if it computes correctly; "gpu" is the same, but wants a GPU to
    be there; "cpu" hides it. Without an argument, the environment variable VAE_DEVICE decides, else "auto". A decision,
    once taken, holds until an argument asks for another.

    Raises:
        ValueError: another word than these three.
        RuntimeError: no GPU although "gpu" is asked for, or TensorFlow is already running on the other device.
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
        use = verdict["correct"]
        chosen = f"{'GPU' if use else 'CPU, for the GPU failed its test'}: {verdict['detail']}"
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


# ------------------------------------------------------------------------------------------------------ files


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
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, cut short or of another kind.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive}
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"cannot be read: {error}") from error


def set_aside(path: Path) -> Path:
    """Rename an unreadable file, so that it is neither loaded again nor lost; return its new place."""
    aside = path.with_suffix(f".{uuid.uuid4().hex[:8]}.damaged")
    os.replace(path, aside)
    return aside


if __name__ == "__main__":
    print(gpu_test_difference())
