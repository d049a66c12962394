"""The data are what they claim to be, wherever they come from, and a bad file is named with its remedy."""

import gzip
import re
import shutil
from urllib.error import URLError

import keras
import numpy as np
import pytest

import fashion_mnist


@pytest.fixture
def originals(tmp_path, monkeypatch):
    """The four original files in a folder that stands in for Debian's, and an empty Keras cache."""
    if not fashion_mnist.DEBIAN_FOLDER.exists():
        pytest.skip("needs the original files: apt install dataset-fashion-mnist")
    folder = shutil.copytree(fashion_mnist.DEBIAN_FOLDER, tmp_path / "originals")
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", folder)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return folder


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A copy of the bundle that a test may damage."""
    path = shutil.copy(fashion_mnist.BUNDLE, tmp_path / "bundle.npz")
    monkeypatch.setattr(fashion_mnist, "BUNDLE", path)
    return path


@pytest.fixture
def nothing_here(tmp_path, monkeypatch):
    """No full data on this machine; the test says how the download fails."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "no-such-folder")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def fail_with(error):
        def load_data():
            raise error

        monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", load_data)

    return fail_with


def test_the_bundle_gives_float_images_with_a_channel_and_labels():
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_fashion_mnist()
    for x, y in ((x_train, y_train), (x_test, y_test)):
        assert x.shape == (10_000, 28, 28, 1)
        assert x.dtype == np.float32
        assert (x.min(), x.max()) == (0, 1)
        assert y.shape == (10_000,)
    assert (np.bincount(y_test) == 1000).all()
    assert fashion_mnist.BUNDLE.stat().st_size < 9e6
    assert "MIT License" in (fashion_mnist.BUNDLE.parent / "LICENSE").read_text()


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


def test_bundle_and_originals_are_bit_identical_where_they_overlap(originals):
    (small_x, small_y), small_test = fashion_mnist.load_fashion_mnist(first_10k=True)
    (x, y), test = fashion_mnist.load_fashion_mnist(first_10k=False)
    assert x.shape == (60_000, 28, 28, 1)
    np.testing.assert_array_equal(x[:10_000], small_x)
    np.testing.assert_array_equal(y[:10_000], small_y)
    for a, b in zip(test, small_test, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_raw_bytes_are_all_there_is_on_this_machine_without_a_download(nothing_here):
    nothing_here(AssertionError("a download that nobody asked for"))
    (x, y), (x_test, _) = fashion_mnist.load_bytes()
    assert x.shape == x_test.shape == (10_000, 28, 28)
    assert x.dtype == y.dtype == np.uint8


def test_the_raw_bytes_of_the_original_files_come_as_keras_gives_them(originals):
    (x, y), (x_test, y_test) = fashion_mnist.load_bytes()
    assert (x.shape, y.shape) == ((60_000, 28, 28), (60_000,))
    assert (x_test.shape, y_test.shape) == ((10_000, 28, 28), (10_000,))


def test_the_bundle_is_made_anew_byte_for_byte(originals, tmp_path):
    from make_data_bundle import write_bundle

    write_bundle(originals, tmp_path / "again.npz")
    with np.load(tmp_path / "again.npz") as again, np.load(fashion_mnist.BUNDLE) as committed:
        assert all((again[name] == committed[name]).all() for name in committed)


def test_keras_cache_comes_before_debians_folder(originals, tmp_path):
    cache = shutil.copytree(originals, tmp_path / "keras" / "datasets" / "fashion-mnist")
    shutil.rmtree(originals)
    assert fashion_mnist.load_fashion_mnist(first_10k=False)[0][0].shape == (60_000, 28, 28, 1)
    (cache / "train-images-idx3-ubyte.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"keras.*train-images"):
        fashion_mnist.load_fashion_mnist(first_10k=False)


def test_a_missing_bundle_is_named_with_the_remedy(bundle):
    bundle.unlink()
    with pytest.raises(FileNotFoundError, match=r"bundle\.npz is missing.*git checkout"):
        fashion_mnist.load_fashion_mnist()


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_a_byte, truncate, empty])
def test_a_damaged_bundle_is_named_with_the_remedy(damage, bundle):
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


def test_a_bundle_that_needs_pickle_is_refused(bundle):
    np.savez(bundle, **{n: np.array([{}]) for n in ("x_train", "y_train", "x_test", "y_test")})
    with pytest.raises(ValueError, match="cannot be read"):
        fashion_mnist.load_fashion_mnist()


@pytest.mark.parametrize("damage", [flip_a_byte, truncate, empty])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_a_damaged_original_is_named_with_the_remedy(damage, name, originals):
    damage(originals / name)
    with pytest.raises(ValueError, match=f"{name}.*(Delete|install it again)"):
        fashion_mnist.load_fashion_mnist(first_10k=False)


def test_an_original_cut_inside_a_whole_archive_is_named(originals):
    path = originals / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:1000], 1))
    with pytest.raises(ValueError, match=r"train-images.*cut short"):
        fashion_mnist.load_fashion_mnist(first_10k=False)


def test_swapped_originals_are_told_apart(originals):
    labels, other = originals / "train-labels-idx1-ubyte.gz", originals / "t10k-labels-idx1-ubyte.gz"
    shutil.copy(other, labels)
    with pytest.raises(ValueError, match=r"train-labels.*y_train, but it holds y_test"):
        fashion_mnist.load_fashion_mnist(first_10k=False)


def test_no_network_is_said_with_two_ways_out(nothing_here):
    nothing_here(URLError("Name or service not known"))
    with pytest.raises(ConnectionError, match=r"network\?.*first_10k=True"):
        fashion_mnist.load_fashion_mnist(first_10k=False)


def test_a_certificate_failure_names_the_macs_remedy(nothing_here):
    nothing_here(URLError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate"))
    with pytest.raises(ConnectionError, match=r"Install Certificates\.command"):
        fashion_mnist.load_fashion_mnist(first_10k=False)


def test_certificate_checks_are_never_turned_off():
    for path in (*fashion_mnist.BUNDLE.parents[1].glob("*.py"), *fashion_mnist.BUNDLE.parents[1].glob("*/*.py")):
        if path.parent.name != "tests":
            assert not re.search(r"\bssl\b|unverified|verify ?= ?False", path.read_text()), path
