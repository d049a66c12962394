"""Draw the picture at the head of README.md with the model that section 4.3.6 has trained, or train it first.

python tools/picture.py    writes docs/vae.png
"""

import io
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import vae_helpers as vh
from plane_explorer import names_apart

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from PIL import Image

SIDE, REACH = 15, 2.1  # garments along one side of the map; how far it goes in each direction


def mosaic(images: np.ndarray) -> np.ndarray:
    """Return images (rows, columns, 28, 28, 1) side by side as one (28 rows, 28 columns) array."""
    return images[..., 0].swapaxes(1, 2).reshape(28 * len(images), -1)


vh.use_course_style()
(x_train, _), (x_test, y_test) = vh.load_fashion_mnist()
vae, _ = vh.train_or_load(x_train, x_test)
mu = vh.encode(vae, x_test)[0]
fig, (images, plane, drawn) = plt.subplots(1, 3, figsize=(11.2, 4.3), width_ratios=[0.42, 1, 1], layout="constrained")
images.imshow(mosaic(np.stack([x_test[y_test == c][:2] for c in (0, 1, 2, 3, 4, 5, 7, 8, 9)])), vmin=0, vmax=1)
images.set_title("images")
images.axis("off")
some = np.random.default_rng(vh.SEED).permutation(len(mu))[:4000]
plane.scatter(*mu[some].T, s=3, lw=0, c=[vh.CLASS_COLORS[c] for c in y_test[some]])
medians = np.array([np.median(mu[y_test == c], axis=0) for c in range(10)])
places = names_apart(list(vh.CLASS_NAMES), medians, 0.28, np.full(2, -3.2), np.full(2, 3.2))
bold = {"ha": "center", "va": "center", "fontsize": 9.5, "weight": "bold"}
for at, name in zip(places, vh.CLASS_NAMES, strict=True):
    plane.text(*at, name, path_effects=[patheffects.withStroke(linewidth=3, foreground="white")], **bold)
plane.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal", title="encoder: a place for every image")
garments = vh.decode(vae, vh.latent_grid(SIDE, limit=REACH))
drawn.imshow(mosaic(garments), vmin=0, vmax=1, extent=(-REACH, REACH, -REACH, REACH))
drawn.set(title="decoder: a garment for every place", xticks=range(-2, 3), yticks=range(-2, 3))
for ax in (plane, drawn):
    ax.set(xlabel="$z_1$")
    ax.set_ylabel("$z_2$", rotation=0)
    ax.grid(False)
picture = io.BytesIO()
fig.savefig(picture, dpi=100)
few_colours = Image.open(picture).convert("RGB").quantize(256, dither=Image.Dither.NONE)
few_colours.save(ROOT / "docs" / "vae.png", optimize=True)
