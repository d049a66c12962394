"""The data are what they claim to be, wherever they come from, and a bad file is named with its remedy."""

import gzip
import os
import shutil
from pathlib import Path
from unittest.mock import Mock
from urllib.error import URLError

import numpy as np
import pytest

import fashion_mnist
from fashion_mnist import load_bytes, load_fashion_mnist

IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture
def originals(tmp_path, monkeypatch):
    """Few images, each with its number in its pixels, which count as the originals: Debian's files and the bundle."""
    arrays = {}
    for split, n in (("train", 10_010), ("test", 20)):
        images = np.zeros((n, 28, 28), np.uint8)
        images[:, 0, 0], images[:, 0, 1], images[:, 1, 0] = np.arange(n) % 256, np.arange(n) // 256, n % 256
        arrays |= {f"x_{split}": images, f"y_{split}": np.arange(n, dtype=np.uint8) % (9 + n % 3)}
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path)
    monkeypatch.setattr(fashion_mnist, "BUNDLE", tmp_path / "bundle.npz")
    named = arrays | {f"{name}[:10000]": arrays[name][:10_000] for name in ("x_train", "y_train")}
    monkeypatch.setattr(fashion_mnist, "_DIGESTS", {name: fashion_mnist.array_digest(a) for name, a in named.items()})
    for name, array in arrays.items():
        content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
        (tmp_path / fashion_mnist._ORIGINAL_FILES[name]).write_bytes(gzip.compress(content, 1))
    np.savez(fashion_mnist.BUNDLE, **{name: array[:10_000] for name, array in arrays.items()})
    return arrays


@pytest.mark.parametrize(("first_10k", "count"), [(True, 10_000), (False, 10_010)], ids=["bundle", "all_images"])
def test_each_image_is_the_original_at_its_place(first_10k, count, originals, tmp_path):
    for split, (x, y) in zip(("train", "test"), load_fashion_mnist(first_10k), strict=True):
        assert x.dtype == np.float32
        np.testing.assert_allclose(x[..., 0], originals[f"x_{split}"][:count] / 255, rtol=1e-6)
        np.testing.assert_array_equal(y, originals[f"y_{split}"][:count])
    np.testing.assert_array_equal(load_bytes()[0][0], originals["x_train"])
    (tmp_path / IMAGES).unlink()
    np.testing.assert_array_equal(load_bytes()[0][0], originals["x_train"][:10_000], "without a download, the bundle")


def test_keras_cache_comes_before_debians_folder(originals, tmp_path):
    cache = shutil.copytree(tmp_path, tmp_path / "keras" / "datasets" / "fashion-mnist")
    (cache / IMAGES).write_bytes(b"")
    with pytest.raises(ValueError, match=rf"keras.*{IMAGES}"):
        load_fashion_mnist(first_10k=False)
    np.testing.assert_array_equal(load_bytes()[0][0], originals["x_train"], "whoever downloads nothing is not stopped")


def test_a_download_is_verified_as_every_other_source(originals, tmp_path, monkeypatch):
    (tmp_path / IMAGES).unlink()
    splits = [[originals["x_train"], originals["y_train"]], [originals["x_test"], originals["y_test"]]]
    monkeypatch.setattr("keras.datasets.fashion_mnist.load_data", lambda: splits)
    np.testing.assert_array_equal(load_fashion_mnist(first_10k=False)[1][1], originals["y_test"])
    splits[1][1] = originals["y_test"][::-1]
    with pytest.raises(ValueError, match="y_test, but its content is damaged"):
        load_fashion_mnist(first_10k=False)


@pytest.mark.parametrize(("reason", "remedy"), [("no route", "network"), ("CERTIFICATE_VERIFY_FAILED", "Certificates")])
def test_a_download_that_fails_is_said_with_the_ways_out(reason, remedy, originals, tmp_path, monkeypatch):
    (tmp_path / IMAGES).unlink()
    monkeypatch.setattr("keras.datasets.fashion_mnist.load_data", Mock(side_effect=URLError(reason)))
    with pytest.raises(ConnectionError, match=f"{remedy}.*first_10k=True"):
        load_fashion_mnist(first_10k=False)


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def swap_labels(path):
    arrays = dict(np.load(path))
    np.savez(path, **arrays | {"y_train": arrays["y_test"], "y_test": arrays["y_train"]})


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("bundle.npz", flip_a_byte, "cannot be read.*git checkout"),
        ("bundle.npz", Path.unlink, "cannot be read.*git checkout"),
        ("bundle.npz", swap_labels, r"y_train\[:10000\], but it holds y_test.*git checkout"),
        (IMAGES, flip_a_byte, "cannot be read.*Delete"),
        (IMAGES, lambda path: os.truncate(path, 1000), "cannot be read.*Delete"),
        (IMAGES, lambda path: path.write_bytes(gzip.compress(bytes(1000))), "is cut short.*Delete"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong_and_the_remedy(file, damage, words, originals, tmp_path):
    damage(tmp_path / file)
    with pytest.raises(ValueError, match=f"{file}.* {words}"):
        load_fashion_mnist(first_10k=file == "bundle.npz")
