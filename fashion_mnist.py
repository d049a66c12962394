"""Fashion-MNIST: reading it, and saying what is wrong with a file that cannot be read.

Every array is compared with the original's SHA-256: a truncated, swapped or foreign file is never trained on.
"""

import gzip
import hashlib
import math
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

BUNDLE = Path(__file__).resolve().parent / "data" / "fashion_mnist_10k.npz"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
Split = tuple[np.ndarray, np.ndarray]

CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_ORIGINAL_FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}
_DIGESTS = {  # SHA-256 of the decoded uint8 arrays: the same whatever file they were read from
    "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "x_train[:10000]": "2929ae1c7b89e0ee6587bbe4911fd5f0a5dafe21ae6ed9b737173cbfe20c12c9",
    "y_train[:10000]": "1022e4632874e71bb84d924c475e6a3428a2deeb8c5a0f612a015c97e4fce7f0",
    "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
}


def array_digest(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes in C order, as hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _verify(name: str, array: np.ndarray, source: Path, remedy: str) -> np.ndarray:
    """Return `array` if it is the original array `name`; otherwise raise ValueError that names the file."""
    known = {digest: original for original, digest in _DIGESTS.items()}.get(array_digest(array))
    if known != name:
        found = f"it holds {known}" if known else "its content is damaged or from another data set"
        raise ValueError(f"{source} should hold Fashion-MNIST's {name}, but {found}. {remedy}")
    return array


def read_original_files(folder: Path) -> dict[str, np.ndarray]:
    """Read and verify those of the four original .gz files that `folder` has, as uint8 arrays by name."""
    arrays = {}
    for name, filename in _ORIGINAL_FILES.items():
        path = folder / filename
        if not path.exists():
            continue
        remedy = f"Delete {path} (or install it again) and run this cell once more."
        try:
            data = gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} cannot be read: {error}. {remedy}") from error
        # The header of an IDX file: 16 bytes before images, 8 before labels.
        offset, shape = (16, (-1, 28, 28)) if name.startswith("x") else (8, (-1,))
        if len(data) < offset or (len(data) - offset) % math.prod(shape):
            raise ValueError(f"{path} is cut short. {remedy}")
        arrays[name] = _verify(name, np.frombuffer(data, np.uint8, offset=offset).reshape(shape), path, remedy)
    return arrays


def _read_bundle() -> dict[str, np.ndarray]:
    """Read and verify the first 10,000 training images and the test images from the repository's own file."""
    remedy = "Restore it with `git checkout -- data` or download the repository again."
    try:
        with np.load(BUNDLE, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _ORIGINAL_FILES}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{BUNDLE} cannot be read: {error}. {remedy}") from error
    parts = {name: f"{name}[:10000]" if "train" in name else name for name in arrays}
    return {name: _verify(parts[name], array, BUNDLE, remedy) for name, array in arrays.items()}


def _read_full(download: bool = True) -> dict[str, np.ndarray]:
    """Read all 70,000 images: Keras's cache, Debian's package, or a download; without `download`, else the bundle."""
    keras_folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets" / "fashion-mnist"
    for folder in (keras_folder, DEBIAN_FOLDER):
        try:
            arrays = read_original_files(folder)
        except ValueError:
            if download:
                raise
            continue  # whoever needs the bundle alone is not stopped by a damaged file elsewhere
        if len(arrays) == len(_ORIGINAL_FILES):
            return arrays
    if not download:
        return _read_bundle()
    import keras  # here, because only the download needs it, and it takes seconds

    try:
        splits = keras.datasets.fashion_mnist.load_data()
    except Exception as error:
        remedy = "Is there a network? On Debian and Ubuntu, `apt install dataset-fashion-mnist` needs no download."
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            remedy = "On a Mac with Python from python.org, run `Install Certificates.command` in its folder once."
        raise ConnectionError(
            f"All 60,000 training images are not on this machine and cannot be downloaded to {keras_folder}: {error}. "
            f"{remedy} Or go on with load_fashion_mnist(first_10k=True), which needs no network."
        ) from error
    arrays = dict(zip(_ORIGINAL_FILES, [array for split in splits for array in split], strict=True))
    remedy = f"Delete {keras_folder} and run this cell once more."
    return {name: _verify(name, array, keras_folder, remedy) for name, array in arrays.items()}


def load_bytes(download: bool = False) -> tuple[Split, Split]:
    """Return uint8 arrays as Keras's `load_data()`: all images if here or `download`, else the repository's 20,000."""
    arrays = _read_full(download)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def load_fashion_mnist(first_10k: bool = True) -> tuple[Split, Split]:
    """Return `(x_train, y_train), (x_test, y_test)`, verified against the original data.

    Images are float32 (N, 28, 28, 1) in [0, 1]; labels uint8 (N,), indices of `CLASS_NAMES`. Training images are the
    first 10,000, from the repository, or all 60,000; the 10,000 test images are the same either way.

    Raises:
        ValueError: a file is missing, damaged or mistaken for another; the message names it.
        ConnectionError: the 60,000 images are not here and cannot be downloaded.
    """
    arrays = _read_bundle() if first_10k else _read_full()
    images = {name: (arrays[name].astype("float32") / 255.0)[..., None] for name in ("x_train", "x_test")}
    return (images["x_train"], arrays["y_train"]), (images["x_test"], arrays["y_test"])


def check_images(x: np.ndarray, name: str = "x") -> np.ndarray:
    """Return `x` if it is a float32 array of shape (N, 28, 28, 1) in [0, 1]; otherwise say what is wrong with it.

    Raises:
        TypeError, ValueError: no float32 array; the wrong shape, no image at all, NaN, or values outside [0, 1].
    """
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        found = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"{name} must be a float32 array, but is {found}: use .astype('float32'), bytes / 255.0.")
    if x.ndim != 4 or x.shape[1:] != (28, 28, 1) or len(x) == 0:
        raise ValueError(f"{name} must have shape (N > 0, 28, 28, 1), but has {x.shape}: is [..., None] missing?")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} holds NaN or infinity, first in image {np.argwhere(~np.isfinite(x))[0][0]}.")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"{name} must lie in [0, 1], but runs from {x.min():g} to {x.max():g}: divide by 255 once.")
    return x
