"""Draw the picture at the head of README.md with the model that section 4.3.6 has trained, or train it first.

python tools/picture.py    writes docs/vae.png
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import vae_helpers as vh
from vae_plots import draw_rows

import matplotlib.pyplot as plt
import numpy as np

SIDE, REACH = 15, 2.1  # garments along one side of the map; how far it goes in each direction

vh.use_course_style()
(x_train, _), (x_test, y_test) = vh.load_fashion_mnist()
vae, _ = vh.train_or_load(x_train, x_test)
mu = vh.encode(vae, x_test)[0]
fig, (images, plane, drawn) = plt.subplots(1, 3, figsize=(11.2, 4), width_ratios=[0.34, 1.6, 1], layout="constrained")
draw_rows(images, [x_test[y_test == c][:2] for c in (0, 1, 2, 3, 4, 5, 7, 8, 9)], ())
images.set_title("images")
near = np.flatnonzero(np.abs(mu).max(axis=1) < 3.2)[:4000]
vh.plot_latent_scatter(mu[near], y_test[near], plane)
plt.setp(plane.texts, size=7)
plane.set_title("encoder: a place for every image")
garments = vh.decode(vae, vh.latent_grid(SIDE, limit=REACH))
sheet = garments[..., 0].swapaxes(1, 2).reshape(28 * SIDE, -1)
drawn.imshow(sheet, vmin=0, vmax=1, extent=(-REACH, REACH, -REACH, REACH))
drawn.set(title="decoder: a garment for every place", xticks=range(-2, 3), yticks=range(-2, 3))
drawn.set(xlabel="$z_1$", ylabel="$z_2$")
drawn.grid(False)
fig.savefig(ROOT / "docs" / "vae.png", dpi=100, metadata={"Software": None})
