"""What several tests use: a few images, a small network, a training that takes no time, and a browser."""

import os
import shutil
from functools import partial
from importlib.util import find_spec

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
    """Train or load a small model, for one epoch if no other number is given."""
    return partial(vh.train_or_load, epochs=1, **small)


@pytest.fixture
def no_training(monkeypatch):
    """A fit that takes no time, for what is about files and not about training."""
    monkeypatch.setattr(vh, "fit", lambda vae, *_: {"loss": [300.0]})


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, which only `make test-browser` requires."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not chromium or not driver or not find_spec("selenium"):  # it is no part of the Mac's set
        refuse = pytest.fail if os.environ.get("VAE_BROWSER") == "required" else pytest.skip
        refuse("needs requirements-dev.txt, Chromium and its driver. On Debian: apt install chromium chromium-driver")

    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Only our own pages are opened: no sandbox, which root and many containers lack, and no calls home.
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.set_script_timeout(120)
    yield chrome
    chrome.quit()
