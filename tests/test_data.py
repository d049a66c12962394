"""The data are what they claim to be, wherever they come from, and a bad file is named with its remedy."""

import gzip
import re
import shutil
from pathlib import Path
from urllib.error import URLError

import keras
import numpy as np
import pytest

import fashion_mnist

IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A machine that has none of the 60,000 images yet; returns where Debian's package would put them."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    return tmp_path / "debian"


@pytest.fixture(scope="module")
def made_up():
    """Arrays as the originals', but 10,010 training and 20 test images, each with its number in its pixels."""
    arrays = {}
    for split, n in (("train", 10_010), ("test", 20)):
        images = np.zeros((n, 28, 28), np.uint8)
        images[:, 0, 0], images[:, 0, 1], images[:, 1, 0] = np.arange(n) % 256, np.arange(n) // 256, n % 256
        arrays |= {f"x_{split}": images, f"y_{split}": np.arange(n, dtype=np.uint8) % (9 + n % 3)}
    return arrays


@pytest.fixture
def originals(made_up, elsewhere, monkeypatch):
    """Four small files of the originals' format in Debian's place, which count as the originals."""
    elsewhere.mkdir()
    for name, array in made_up.items():
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        path = elsewhere / fashion_mnist._ORIGINAL_FILES[name]
        path.write_bytes(gzip.compress(header + array.tobytes(), 1))
    first = {f"{name}[:10000]": array[:10_000] for name, array in made_up.items() if "train" in name}
    digests = {name: fashion_mnist.array_digest(array) for name, array in (made_up | first).items()}
    monkeypatch.setattr(fashion_mnist, "_DIGESTS", digests)
    return elsewhere


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A copy of the bundle that a test may damage."""
    path = shutil.copy(fashion_mnist.BUNDLE, tmp_path / "bundle.npz")
    monkeypatch.setattr(fashion_mnist, "BUNDLE", path)
    return path


# ----------------------------------------------------------------------------------------------- what they are


def test_the_bundle_gives_float_images_with_a_channel_and_labels():
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_fashion_mnist()
    for x, y in ((x_train, y_train), (x_test, y_test)):
        assert (x.shape, x.dtype) == ((10_000, 28, 28, 1), np.float32)
        assert (x.min(), x.max()) == (0, 1)
        assert y.shape == (10_000,)
    assert (np.bincount(y_test) == 1000).all()


@pytest.mark.parametrize("split", [0, 1], ids=["training", "test"])
def test_trousers_stand_and_sneakers_lie(split):
    x, y = fashion_mnist.load_fashion_mnist()[split]

    def sides(name):
        mean = x[y == fashion_mnist.CLASS_NAMES.index(name)].mean(axis=0)[..., 0] > 0.2
        return mean.any(axis=1).sum(), mean.any(axis=0).sum()  # rows and columns that the garment takes

    (high, wide), (low, long) = sides("Trouser"), sides("Sneaker")
    assert high > 1.5 * wide, "rows and columns are swapped, or these are other images' labels"
    assert long > 1.5 * low, "rows and columns are swapped, or these are other images' labels"


def test_the_class_names_are_zalandos_in_the_order_of_the_labels():
    """https://github.com/zalandoresearch/fashion-mnist#labels"""
    assert fashion_mnist.CLASS_NAMES[:5] == ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
    assert fashion_mnist.CLASS_NAMES[5:] == ("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


# ------------------------------------------------------------------------------------------- where they come from


def test_all_images_are_the_originals_each_at_its_place(originals, made_up):
    (x, y), (x_test, y_test) = fashion_mnist.load_fashion_mnist(first_10k=False)
    (raw, _), (raw_test, _) = fashion_mnist.load_bytes()
    for images, pixels, split in ((x, raw, "train"), (x_test, raw_test, "test")):
        np.testing.assert_array_equal(pixels, made_up[f"x_{split}"])
        np.testing.assert_allclose(images[..., 0], made_up[f"x_{split}"] / 255, rtol=1e-6)
    np.testing.assert_array_equal(y, made_up["y_train"])
    np.testing.assert_array_equal(y_test, made_up["y_test"])


def test_without_a_download_the_raw_bytes_are_the_bundles(elsewhere, monkeypatch):
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", None)
    (x, y), (x_test, _) = fashion_mnist.load_bytes()
    assert x.shape == x_test.shape == (10_000, 28, 28)
    assert x.dtype == y.dtype == np.uint8


def test_keras_cache_comes_before_debians_folder(originals, tmp_path):
    cache = shutil.copytree(originals, tmp_path / "keras" / "datasets" / "fashion-mnist")
    (cache / IMAGES).write_bytes(b"")
    with pytest.raises(ValueError, match=rf"keras.*{IMAGES}"):
        fashion_mnist.load_fashion_mnist(first_10k=False)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Name or service not known", r"network\?.*first_10k=True"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate", r"Install Certificates\.command"),
    ],
)
def test_a_download_that_fails_is_said_with_the_ways_out(reason, words, elsewhere, monkeypatch):
    def load_data():
        raise URLError(reason)

    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", load_data)
    with pytest.raises(ConnectionError, match=words):
        fashion_mnist.load_fashion_mnist(first_10k=False)


def test_a_download_is_verified_as_every_other_source(originals, made_up, monkeypatch):
    splits = [[made_up["x_train"], made_up["y_train"]], [made_up["x_test"], made_up["y_test"]]]
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: splits)
    shutil.rmtree(originals)
    np.testing.assert_array_equal(fashion_mnist.load_fashion_mnist(first_10k=False)[1][1], made_up["y_test"])
    splits[1][1] = made_up["y_test"][::-1]
    with pytest.raises(ValueError, match="y_test, but its content is damaged"):
        fashion_mnist.load_fashion_mnist(first_10k=False)


def test_certificate_checks_are_never_turned_off():
    for path in (*fashion_mnist.BUNDLE.parents[1].glob("*.py"), *fashion_mnist.BUNDLE.parents[1].glob("*/*.py")):
        if path.parent.name != "tests":
            assert not re.search(r"\bssl\b|unverified|verify ?= ?False", path.read_text()), path


# ------------------------------------------------------------------------------------------------ what is wrong


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def foreign(path):
    np.savez(path, **{name: np.array([{}]) for name in ("x_train", "y_train", "x_test", "y_test")})


@pytest.mark.parametrize("damage", [flip_a_byte, truncate, foreign, Path.unlink])
def test_a_damaged_or_missing_bundle_is_named_with_the_remedy(damage, bundle):
    damage(bundle)
    with pytest.raises(ValueError, match=r"bundle\.npz cannot be read.*git checkout"):
        fashion_mnist.load_fashion_mnist()


def test_swapped_labels_in_the_bundle_are_told_apart(bundle):
    with np.load(bundle) as archive:
        arrays = dict(archive)
    arrays["y_train"], arrays["y_test"] = arrays["y_test"], arrays["y_train"]
    np.savez(bundle, **arrays)
    with pytest.raises(ValueError, match=r"y_train\[:10000\], but it holds y_test"):
        fashion_mnist.load_fashion_mnist()


def cut_inside(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:1000], 1))


@pytest.mark.parametrize("damage", [flip_a_byte, truncate, cut_inside])
def test_a_damaged_original_is_named_with_the_remedy(damage, originals):
    damage(originals / IMAGES)
    words = "is cut short" if damage is cut_inside else "cannot be read"
    with pytest.raises(ValueError, match=f"{IMAGES} {words}.*Delete"):
        fashion_mnist.load_fashion_mnist(first_10k=False)
