"""A plane of decoded images under the pointer: one piece of HTML that needs neither a kernel nor a network.

    latent_grid             codes over the plane, to be decoded
    explore_plane           arrays in, an output that a notebook displays and an exported page keeps
    sheet_axes, sheet_in_words   what such a sheet shows along its sides
    on_sheet, names_apart   where on it codes are, and where their names are written, none over another

The HTML holds one picture, the sheet of all images, as PNG. A script shows it as a map and draws the image under the
pointer from it, blending the sheet's nearest images in between. Where scripts do not run (a notebook not yet trusted,
GitHub) the sheet itself is seen. No element has an id, so any number of explorers may stand on one page.
"""

import base64
import html
import io
import json
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
from PIL import Image

MOST_BYTES = 350_000  # of the whole HTML
# Distances of neighbouring grey levels, of 255, of which the finest that fits is taken. A pixel is off by half of it.
STEPS = (2, 4, 8, 16, 32, 64, 128)
FONT = 2.7  # size of the names, per cent of the map's width

STYLE = """
.vae-plane { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: flex-start; max-width: 56rem; }
.vae-plane .vae-plane-map { flex: 3 1 17rem; max-width: 35rem; position: relative; container-type: inline-size;
  touch-action: none; cursor: crosshair; user-select: none; -webkit-user-select: none; line-height: 1; }
.vae-plane .vae-plane-map img { display: block; width: 100%; max-width: none; height: auto; margin: 0;
  pointer-events: none; }
.vae-plane .vae-plane-live { flex: 1 1 11rem; max-width: 17.5rem; }
.vae-plane canvas { display: block; width: 100%; image-rendering: pixelated; }
.vae-plane output, .vae-plane label { display: flex; gap: 1em; font-variant-numeric: tabular-nums; margin: .5em 0; }
.vae-plane input { flex: 1; min-width: 0; margin: 0; }
.vae-plane p { margin: .5em 0; font-size: .9em; line-height: 1.4; }
.vae-plane-name { position: absolute; transform: translate(-50%, -50%); white-space: nowrap; pointer-events: none;
  font: bold FONTcqi sans-serif; color: #fff;
  text-shadow: 0 0 2px #000, 0 0 2px #000, 0 0 3px #000, 0 0 3px #000, 0 0 4px #000, 0 0 4px #000; }
.vae-plane-ring { position: absolute; transform: translate(-50%, -50%); width: 3.2cqi; height: 3.2cqi;
  border: 2px solid #fff; border-radius: 50%; box-shadow: 0 0 0 2px #000, inset 0 0 0 2px #000; pointer-events: none; }
.vae-plane :focus-visible { outline: 3px solid currentColor; outline-offset: 3px; }
"""

# Positions are counted in images of the sheet, along each axis from its smallest coordinate. A line, the plane of one
# latent, is read row by row from the top left.
SCRIPT = """
(() => {
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children);
    return element;
  };

  const start = root => {
    const {rows, columns, axes, names} = JSON.parse(root.dataset.plane), isLine = axes.length == 1;
    const map = root.querySelector(".vae-plane-map"), sheet = map.querySelector("img");
    const width = sheet.naturalWidth / columns, height = sheet.naturalHeight / rows;
    const last = axes.map(axis => axis.values.length - 1);
    let at = last.map(n => Math.round(n / 2));

    const canvas = make("canvas", {width, height, role: "img", "aria-label": "the image decoded at this point"});
    const paint = canvas.getContext("2d"), ring = make("span", {class: "vae-plane-ring"}), said = make("output", {});
    const sliders = last.map(n => make("input", {type: "range", min: 0, max: n, step: 0.25}));
    const labels = sliders.map((slider, i) => make("label", {}, axes[i].name, slider));

    const coordinate = i => {
      const {values} = axes[i], low = Math.floor(at[i]), high = Math.min(low + 1, last[i]);
      const value = values[low] + (at[i] - low) * (values[high] - values[low]);
      return value.toFixed(2).replace(/^-(?=.*[1-9])/, "\\u2212").replace("-", "");
    };
    const place = at => {  // in the map, from the top left, in images
      const row = isLine ? Math.floor((at[0] + 0.5) / columns) : rows - 1 - at[1];
      return [isLine ? at[0] + 0.5 - row * columns : at[0] + 0.5, row + 0.5];
    };
    const put = (element, [x, y]) => {
      element.style.left = 100 * x / columns + "%";
      element.style.top = 100 * y / rows + "%";
    };
    const neighbours = i => {  // along axis i: index and weight
      const low = Math.floor(at[i]), share = at[i] - low;
      return [[low, 1 - share], [low + 1, share]].filter(([, weight]) => weight > 0);
    };
    const add = (column, row, weight) => {
      paint.globalAlpha = weight;
      paint.drawImage(sheet, column * width, row * height, width, height, 0, 0, width, height);
    };

    const move = to => {
      at = to.map((value, i) => Math.min(Math.max(value, 0), last[i]));
      paint.globalCompositeOperation = "source-over";
      paint.globalAlpha = 1;
      paint.fillRect(0, 0, width, height);
      paint.globalCompositeOperation = "lighter";  // weighted images add up
      for (const [i, weight] of neighbours(0))
        if (isLine) add(i % columns, Math.floor(i / columns), weight);
        else for (const [j, other] of neighbours(1)) add(i, rows - 1 - j, weight * other);
      put(ring, place(at));
      said.replaceChildren(...axes.map((axis, i) => make("span", {}, axis.name + " = " + coordinate(i))));
      sliders.forEach((slider, i) => {
        slider.value = at[i];
        slider.setAttribute("aria-valuetext", coordinate(i));
      });
    };

    const follow = event => {
      const box = map.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * columns, y = (event.clientY - box.top) / box.height * rows;
      const row = Math.min(Math.max(Math.floor(y), 0), rows - 1);
      move(isLine ? [row * columns + Math.min(Math.max(x, 0), columns) - 0.5] : [x - 0.5, rows - 0.5 - y]);
    };
    map.addEventListener("pointermove", follow);
    map.addEventListener("pointerdown", event => {
      map.setPointerCapture(event.pointerId);  // a finger or a pressed button may leave the map
      follow(event);
    });
    map.addEventListener("keydown", event => {
      const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1]}[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      move(isLine ? [Math.round(at[0]) + step[0] - columns * step[1]] : at.map((v, i) => Math.round(v) + step[i]));
    });
    sliders.forEach((slider, i) => slider.addEventListener("input", () => {
      move(at.map((value, k) => k == i ? Number(slider.value) : value));
    }));

    for (const element of [map, ...sliders])
      element.dataset.lmSuppressShortcuts = "true";  // or JupyterLab takes the arrow keys for itself
    map.setAttribute("tabindex", "0");
    map.setAttribute("role", "application");
    map.setAttribute("aria-label", "Map of the codes: the arrow keys move the point");
    map.replaceChildren(sheet, ...names.map(([name, x, y]) => {
      const element = make("span", {class: "vae-plane-name", "aria-hidden": "true"}, name);
      put(element, [x, y]);
      return element;
    }), ring);
    const how = "Move the pointer or a finger over the map, or use the arrow keys. Between the images of the sheet " +
      "the nearest " + (isLine ? "two" : "four") + " are blended.";
    root.querySelector(".vae-plane-live").replaceChildren(canvas, said, ...labels, make("p", {}, how));
    move(at);
  };

  for (const root of document.querySelectorAll(".vae-plane")) {
    if (root.isStarted) continue;
    root.isStarted = true;
    root.querySelector("img").decode().then(() => start(root), () => {});  // no picture: the text stays
  }
})();
"""


class Explorer:
    """An output for a notebook: HTML, and a sentence where only text is shown."""

    def __init__(self, content: str, text: str) -> None:
        self.html, self.text = content, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def names_apart(names: list[str], at: np.ndarray, height: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return places (n, 2) near `at` (n, 2), inside the box from `low` to `high`, at which no name covers another.

    `height` is that of the letters, in the unit of `at`. Each name takes the free place nearest to its own.
    """
    half = height * np.array([[0.32 * len(name), 0.62] for name in names])  # of each name's box
    steps = height / 4 * np.stack(np.meshgrid(*2 * [np.arange(-24, 25)]), axis=-1).reshape(-1, 2)
    steps = steps[np.argsort(np.linalg.norm(steps, axis=1), kind="stable")]  # nearest first
    places = np.empty((0, 2))
    for i, wanted in enumerate(at):
        tried = np.clip(wanted + steps, low + half[i], high - half[i])
        free = (np.abs(tried[:, None] - places) >= half[i] + half[:i]).any(axis=2).all(axis=1)
        places = np.vstack([places, tried[free.argmax()]])
    return places


def latent_grid(
    n: int = 15, latent_dim: int = 2, dims: tuple[int, int] = (0, 1), limit: float | None = None
) -> np.ndarray:
    """Return codes (n, n, latent_dim) over the plane of two latents, `dims`; the other latents are 0.

    Row 0 is the top: its second coordinate is the largest. Without `limit` the coordinates are the prior's quantiles
    (i + 1/2) / n, so that each cell holds as much of the prior; with it they run linearly from -limit to limit. For
    one latent, the n * n codes are read row by row.
    """
    count = n if latent_dim > 1 else n * n
    if limit is None:
        at = np.array([NormalDist().inv_cdf((i + 0.5) / count) for i in range(count)])
    else:
        at = np.linspace(-limit, limit, count)
    if latent_dim == 1:
        return at.astype("float32").reshape(n, n, 1)
    z = np.zeros((n, n, latent_dim), "float32")
    z[..., dims[0]], z[..., dims[1]] = at, at[::-1, None]
    return z


def sheet_axes(z: np.ndarray) -> dict[int, np.ndarray]:
    """Return the latents that a sheet of codes z (rows, columns, d) shows: column -> its coordinates, growing.

    First the latent that grows to the right, then the one that grows upwards; of one latent, which is read row by row,
    all codes.

    Raises:
        ValueError: codes that are infinite (a quantile of 0 or 1), or no such grid.
    """
    if not np.isfinite(z).all():
        raise ValueError("z holds infinite codes: the quantiles 0 and 1 of a normal lie there. Use (i + 1/2) / n.")
    if z.shape[2] == 1:
        axes, grid = {0: z.ravel()}, True
    else:
        i, j = (int(np.ptp(z, axis=axis).max(axis=0).argmax()) for axis in (1, 0))
        axes = {i: z[0, :, i], j: z[::-1, 0, j]}
        grid = i != j and np.array_equal(z[::-1][..., [i, j]], np.stack(np.meshgrid(*axes.values()), axis=-1))
    if not grid or not all((np.diff(values) > 0).all() for values in axes.values()):
        raise ValueError("z must be a grid: one latent grows to the right, another upwards; a single one row by row.")
    return axes


def _payload(images: np.ndarray, most: int) -> str:
    """Return all images as one PNG in base64, with the finest grey levels that need at most `most` characters."""
    rows, columns, height, width = images.shape
    grey = 255 * images.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    for step in STEPS:
        file = io.BytesIO()
        levels = np.clip(step * np.round(grey / step), 0, 255).astype("uint8")
        Image.fromarray(levels).save(file, format="PNG", optimize=True)
        payload = base64.b64encode(file.getvalue()).decode()
        if len(payload) <= most:
            return payload
    raise ValueError(f"{rows} × {columns} images of {height} × {width} pixels are too many for {most} characters.")


def on_sheet(labels: Mapping[str, Any], z: np.ndarray) -> np.ndarray:
    """Return where on a sheet of codes z (rows, columns, d) the labels' codes are, (n, 2), or where at its edge.

    Places are counted in images from the top left corner of the sheet.
    """
    (rows, columns, d), axes = z.shape, sheet_axes(z)
    places = np.empty((len(labels), 2))
    for k, (name, code) in enumerate(labels.items()):
        code = np.asarray(code, float).ravel()
        if len(code) != d:
            raise ValueError(f"The code of {name!r} has {len(code)} numbers, but z has {d}.")
        u, *v = (np.interp(code[i], values, np.arange(len(values))) for i, values in axes.items())
        places[k] = (u + 0.5, rows - 0.5 - v[0]) if v else ((u + 0.5) % columns, (u + 0.5) // columns + 0.5)
    return places


def sheet_in_words(z: np.ndarray) -> str:
    """Return in a sentence what a sheet of images decoded from codes z (rows, columns, d) shows."""
    (rows, columns, d), axes = z.shape, sheet_axes(z)
    ways = ("to the right", "upwards") if len(axes) == 2 else ("row by row",)
    reach = [f"z_{i + 1} from {v[0]:.1f} to {v[-1]:.1f} {way}" for (i, v), way in zip(axes.items(), ways, strict=True)]
    others = ", the other latents 0" if d > 2 and not np.delete(z, list(axes), axis=2).any() else ""
    return f"A sheet of {rows} by {columns} decoded images, {' and '.join(reach)}{others}."


def _html(data: dict[str, Any], alt: str, payload: str) -> str:
    return f"""<div class="vae-plane" data-plane="{html.escape(json.dumps(data))}">
<style>{STYLE.replace("FONT", str(FONT))}</style>
<div class="vae-plane-map"><img alt="{html.escape(alt)}" width="560" src="data:image/png;base64,{payload}"></div>
<div class="vae-plane-live"><p>This is the sheet of images from which the explorer draws. Where scripts may run, in a
trusted notebook or in an exported page, the image follows a pointer that moves over it.</p></div>
<script>{SCRIPT}</script>
</div>"""


def explore_plane(images: Any, z: Any, labels: Mapping[str, Any] | None = None) -> Explorer:
    """Return an output in which the pointer moves over the plane and the image follows, without a kernel.

    `images` (rows, columns, 28, 28, 1), decoded from codes `z` (rows, columns, d), laid out as `latent_grid` does: one
    latent grows to the right, another upwards; codes of one latent are read row by row. `labels` are names and their
    codes, (d,) each; they are written on the map, those from outside at its edge. At the sheet's own codes the image
    is that of `images` to within 2/255, as long as that fits into 350 kB: 31 × 31 garments do.

    Raises:
        ValueError: shapes that do not fit, or codes that are not such a grid.
    """
    images, z, labels = np.asarray(images, "float64"), np.asarray(z, "float64"), labels or {}
    images = images[..., 0] if images.ndim == 5 else images
    if images.ndim != 4 or z.ndim != 3 or images.shape[:2] != z.shape[:2]:
        wanted = "images (rows, columns, 28, 28, 1) and z (rows, columns, d)"
        raise ValueError(f"Give {wanted}, but not {images.shape} and {z.shape}.")
    rows, columns, _ = z.shape
    axes = sheet_axes(z)
    at = on_sheet(labels, z)
    written = names_apart(list(labels), at, FONT / 100 * columns, np.zeros(2), np.array([columns, rows]))
    subscript = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    data = {
        "rows": rows,
        "columns": columns,
        "axes": [{"name": f"z{i + 1}".translate(subscript), "values": v.round(4).tolist()} for i, v in axes.items()],
        "names": [[name, *place.round(2).tolist()] for name, place in zip(labels, written, strict=True)],
    }
    found = [f"{name} near row {y + 0.5:.0f}, column {x + 0.5:.0f}" for name, (x, y) in zip(labels, at, strict=True)]
    alt = sheet_in_words(z) + (f" The labels: {'; '.join(found)}." if found else "")
    payload = _payload(images, MOST_BYTES - len(_html(data, alt, "").encode()))
    text = f"[An explorer of {rows} × {columns} decoded images, for a browser: the image follows the pointer.]"
    return Explorer(_html(data, alt, payload), text)
