"""What several tests use: a few images, a small network, and a training that takes no time."""

import pytest

import vae_helpers as vh


@pytest.fixture(scope="session")
def x():
    """The first 300 training images: two batches of 128 and a short one of 44."""
    return vh.load_fashion_mnist()[0][0][:300]


@pytest.fixture(scope="session")
def small():
    """A network that is built and trained fast, as arguments of build_vae."""
    return {"encoder": {"filters": (4, 4), "units": (8,)}, "decoder": {"units": (8,), "channels": 4}}


@pytest.fixture
def train(small):
    """Train or load a small model for one epoch, in a folder."""

    def train(x, folder, **settings):
        return vh.train_or_load(x, cache_dir=folder, **{"epochs": 1} | small | settings)

    return train


@pytest.fixture
def no_training(monkeypatch):
    """A fit that takes no time, for what is about files and not about training."""
    monkeypatch.setattr(vh, "fit", lambda vae, *_: {"loss": [300.0]})
