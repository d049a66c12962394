"""The plots of a VAE: arrays in, a matplotlib Figure out, which carries its own alternative text.

    looks     CLASS_COLORS, use_course_style, show
    images    plot_images, plot_one_per_class, plot_reconstructions, plot_interpolation
    training  plot_history
    codes     two_latents, plot_latent_scatter, plot_class_maps, plot_clouds, plot_latent_grid, plot_confusion
    pixels    plot_uncertainty_maps

No function here trains, loads or shows anything, and none needs a model: codes and images may come from anywhere.
Images are arrays (N, 28, 28, 1) with values in [0, 1], codes arrays (N, d), labels integers of shape (N,). For more
than two latents the plots of codes show the two whose means vary most, and say so in the title; for one latent they
spread the classes over rows. The alternative text of a figure, `fig.alt_text`, says what these very data show.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from IPython.display import display
from matplotlib import colors, patches, patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from fashion_mnist import CLASS_NAMES
from plane_explorer import sheet_axes, sheet_in_words

# ------------------------------------------------------------------------------------------------------ looks

# One fixed colour per class, after Paul Tol's colour-blind-safe "muted" scheme; black replaces its pale grey.
CLASS_COLORS = ("#88CCEE", "#332288", "#DDCC77", "#CC6677", "#117733")
CLASS_COLORS += ("#44AA99", "#AA4499", "#999933", "#000000", "#882255")
TRAINING, HELD_OUT = "#332288", "#CC6677"
RADII = (1, 2, 3)  # circles that hold 39.3, 86.5 and 98.9 per cent of the prior in the plane
BY_KIND = (1, 3, 0, 6, 2, 4, 8, 5, 7, 9)  # classes with similar clothes side by side
WHITE_TO_BLUE = colors.LinearSegmentedColormap.from_list("density", ["white", "#88CCEE", "#332288", "#120A33"])
_HALO = [patheffects.withStroke(linewidth=3, foreground="white")]
_RING = [patheffects.Stroke(linewidth=4, foreground="black"), patheffects.Normal()]
_MEDIAN = {"marker": "o", "ms": 8, "mec": "white", "mew": 2, "zorder": 5, "path_effects": _RING}


def use_course_style() -> None:
    """Set the look of every figure of the course."""
    sizes = {"figure.figsize": (5.5, 5.0), "figure.dpi": 100, "axes.titlesize": 12, "axes.labelsize": 11}
    sns.set_theme(style="whitegrid", rc=sizes | {"image.cmap": "gray"})


def show(fig: Figure, alt: str | None = None) -> None:
    """Display `fig` with its alternative text, or with `alt`, and close it.

    Raises:
        ValueError: the figure has no alternative text and none is given.
    """
    text = alt or getattr(fig, "alt_text", None)
    if not text:
        raise ValueError('This figure has no alternative text. Say what it shows: show(fig, alt="…").')
    display(fig, metadata={"image/png": {"alt": text}})
    plt.close(fig)


def _many(n: int, thing: str) -> str:
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def _codes(codes: Any, name: str) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(f"{name} must have shape (N, d), a row per image, but has {codes.shape}.")
    return codes


def _labels(y: Any, n: int) -> np.ndarray:
    y = np.asarray(y)
    if y.shape != (n,) or not n:
        raise ValueError(f"There are {n} images, but labels of shape {y.shape}: give one label for each image.")
    if not np.isin(y, range(len(CLASS_NAMES))).all():
        raise ValueError("A label is a whole number from 0 to 9, the place of its class in CLASS_NAMES.")
    return y.astype(int)


def _images(images: Any, name: str, leading: int = 1) -> np.ndarray:
    """Return images as (..., 28, 28) with `leading` dimensions before height and width."""
    images = np.asarray(images)
    if images.ndim == leading + 3 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != leading + 2 or 0 in images.shape or images.shape[-1] == 1:
        wanted = ", ".join(("N", "M")[:leading])
        raise ValueError(f"{name} must have shape ({wanted}, 28, 28, 1), but has {images.shape}.")
    return images


def _sheet(images: np.ndarray, right: int = 2, below: int = 2) -> np.ndarray:
    """Lay images (rows, columns, height, width) on one sheet, apart by so many pixels that are no number (NaN)."""
    rows, columns, height, width = images.shape
    padded = np.pad(images.astype(float), ((0, 0), (0, 0), (0, below), (0, right)), constant_values=np.nan)
    sheet = padded.swapaxes(1, 2).reshape(rows * (height + below), columns * (width + right))
    return sheet[: len(sheet) - below, : sheet.shape[1] - right]


def draw_rows(ax: Axes, images: Any, names: Sequence[str], titles: Sequence[str] = (), **look: Any) -> AxesImage:
    """Draw rows of images, (rows, N, 28, 28, 1), each beside its name, all below `titles`, as a single picture.

    Black is 0 and white is 1 whatever the images hold, unless `look`, further arguments of imshow, says otherwise.
    """
    images = _images(images, "images", leading=2)
    picture = ax.imshow(_sheet(images), **{"cmap": "gray", "vmin": 0, "vmax": 1} | look)
    rows, columns, height, width = images.shape
    ax.set_yticks(np.arange(rows)[: len(names)] * (height + 2) + height / 2 - 0.5, names)
    ax.set_xticks(np.arange(columns)[: len(titles)] * (width + 2) + width / 2 - 0.5, titles)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return picture


# ----------------------------------------------------------------------------------------------------- images


def plot_images(
    images: Any, titles: Sequence[str] = (), columns: int = 5, size: float = 1.6, suptitle: str = ""
) -> Figure:
    """Plot images (N, 28, 28, 1) in rows of `columns`, each under its title; grey runs from 0 (black) to 1 (white)."""
    images = _images(images, "images")
    (n, height, width), rows = images.shape, -(-len(images) // columns)
    room = 0.3 if len(titles) else 0.05  # inches above each row
    fig, ax = plt.subplots(figsize=(size * columns, (size + room) * rows), layout="constrained")
    below = round(room / size * height) if len(titles) else 2
    filled = np.full((rows * columns, height, width), np.nan)
    filled[:n] = images
    ax.imshow(_sheet(filled.reshape(rows, columns, height, width), below=below), cmap="gray", vmin=0, vmax=1)
    ax.axis("off")
    for i, title in enumerate(titles):
        x, y = i % columns * (width + 2) + width / 2 - 0.5, i // columns * (height + below) - 1.5
        ax.text(x, y, title, ha="center", va="bottom", size=plt.rcParams["axes.titlesize"])
    fig.suptitle(suptitle or None)
    what = f"{suptitle}. " if suptitle else ""
    named = f", titled {', '.join(titles)}" if len(titles) else ""
    mean = images.mean(axis=(1, 2))
    fig.alt_text = (
        f"{what}{_many(len(images), 'grey image')} in rows of {min(columns, len(images))}{named}; "
        f"the mean grey of an image is {mean.min():.2f} to {mean.max():.2f}."
    )
    return fig


def plot_one_per_class(x: Any, y: Any, seed: int = 42) -> Figure:
    """Plot one random image of each class that `y` has, under its name: images (N, 28, 28, 1) and labels (N,)."""
    x = _images(x, "x")
    y = _labels(y, len(x))
    rng = np.random.default_rng(seed)
    classes = [c for c in range(len(CLASS_NAMES)) if (y == c).any()]
    picked = [rng.choice(np.where(y == c)[0]) for c in classes]
    names = [CLASS_NAMES[c] for c in classes]
    return plot_images(x[picked], names, suptitle="Fashion-MNIST: one random image per class")


def _rows_of_images(images: np.ndarray, names: Sequence[str], titles: Sequence[str]) -> Figure:
    rows, columns = images.shape[:2]
    size = min(1.2, 9.8 / columns)  # inches of an image
    fig, ax = plt.subplots(figsize=(size * columns + 1.1, (size + 0.08) * rows + 0.3), layout="constrained")
    draw_rows(ax, images, names, titles)
    ax.tick_params(axis="x", labelsize=min(12, 8.6 * size))
    return fig


def plot_reconstructions(x: Any, rows: Mapping[str, Any], titles: Sequence[str] = ()) -> Figure:
    """Plot originals (N, 28, 28, 1) above their reconstructions: `rows` gives each further row's name and images.

    Raises:
        ValueError: a row has another number of images than the originals.
    """
    x = _images(x, "x")
    rows = {name: _images(images, name) for name, images in rows.items()}
    for name, images in rows.items():
        if len(images) != len(x):
            raise ValueError(f"The row {name!r} has {len(images)} images for {len(x)} originals: give as many.")
    fig = _rows_of_images(np.stack([x, *rows.values()]), ["original", *rows], titles)
    errors = [f"{name} {((images - x) ** 2).sum(axis=(1, 2)).mean():.1f}" for name, images in rows.items()]
    of = f" ({', '.join(titles)})" if len(titles) else ""
    fig.alt_text = (
        f"{_many(len(x), 'original')}{of} above {_many(len(rows), 'row')} of reconstructions: {', '.join(rows)}. "
        f"Summed squared error of an image, on average: {', '.join(errors)}."
    )
    return fig


def plot_interpolation(images: Any, titles: Sequence[str] = (), names: Sequence[str] = ()) -> Figure:
    """Plot paths through the latent space, one a row: (paths, steps, 28, 28, 1), `titles` over the steps."""
    images = _images(images, "images", leading=2)
    if len(names) not in (0, len(images)):
        raise ValueError(f"There are {len(names)} names for {len(images)} paths: give as many.")
    names = names or [f"path {i + 1}" for i in range(len(images))]
    fig = _rows_of_images(images, names, titles)
    moved = np.sqrt((np.diff(images, axis=1) ** 2).sum(axis=(2, 3)))
    fig.alt_text = (
        f"{len(images)} rows of {images.shape[1]} images, each a path from the first to the last. Neighbours differ by "
        f"{moved.min():.1f} to {moved.max():.1f}, the root of their summed squared differences."
    )
    return fig


# --------------------------------------------------------------------------------------------------- training


def plot_history(history: Mapping[str, Sequence[float]], title: str = "") -> Figure:
    """Plot loss, recon_loss and kl_loss against the epoch: training solid, held-out (val_…) dashed, nats per image.

    First epochs far above everything after them are cut off, and their values are written at the edge.
    """
    missing = [name for name in ("loss", "recon_loss", "kl_loss") if not len(history.get(name, ()))]
    if missing:
        raise ValueError(f"The history has no epoch of {', '.join(missing)}: give what vh.fit returns.")
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), layout="constrained")
    words = []
    for ax, name in zip(axes, ("loss", "recon_loss", "kl_loss"), strict=True):
        rows = {"training": list(history[name]), "held-out": list(history.get(f"val_{name}", []))}
        looks = {"training": {"ls": "-", "marker": "o", "color": TRAINING}}
        looks["held-out"] = {"ls": "--", "marker": "s", "color": HELD_OUT}
        for kind, row in rows.items():
            if row:
                ax.plot(np.arange(1, len(row) + 1), row, ms=4, label=f"{kind} images", **looks[kind])
        later = [value for row in rows.values() for value in row[1:]]
        room = max(later) - min(later) if later else 0
        far = {kind: row[0] for kind, row in rows.items() if room and row and row[0] > max(later) + room}
        if far:
            near = [row[0] for kind, row in rows.items() if row and kind not in far]
            low, high = min(later + near), max(later + near)
            ax.set_ylim(low - 0.06 * (high - low), high + 0.2 * (high - low))
        for k, (kind, value) in enumerate(far.items()):
            first = f"{kind}, epoch 1: {value:.{1 if value < 100 else 0}f}"
            look = {"ha": "right", "va": "top", "size": 10.5, "color": looks[kind]["color"]}
            ax.text(0.97, 0.97 - 0.1 * k, first, transform=ax.transAxes, path_effects=_HALO, **look)
        ax.set(title=name, xlabel="epoch", xlim=(0.5, 1.5) if len(rows["training"]) == 1 else None)
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ends = {kind: f"from {row[0]:.1f} to {row[-1]:.1f}" for kind, row in rows.items() if row}
        words.append(f"{name} " + ", held-out ".join(ends.values()))
    axes[0].set_ylabel("nats per image")
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    fig.suptitle(title or None)
    epochs = _many(len(history["loss"]), "epoch")
    fig.alt_text = f"{title or 'Training'}: three panels over {epochs}, nats per image: {'; '.join(words)}."
    return fig


# ------------------------------------------------------------------------------------------------------ codes


def two_latents(mu: Any) -> tuple[int, int]:
    """Return the columns of codes (N, d) that a plane shows: those of largest variance, in order; (0, 0) for one."""
    mu = _codes(mu, "mu")
    if mu.shape[1] == 1:
        return 0, 0
    return tuple(sorted(np.argsort(mu.var(axis=0), kind="stable")[-2:].tolist()))


def _shown(mu: np.ndarray) -> str:
    """Return which latents of more than two are shown, in words for a title; nothing for one and two."""
    if mu.shape[1] <= 2:
        return ""
    i, j = two_latents(mu)
    return f"$z_{{{i + 1}}}$ and $z_{{{j + 1}}}$, the two of {mu.shape[1]} latents with the largest variance of mu"


def _places(mu: np.ndarray, y: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return where codes are drawn, (N, 2): two latents, or for one latent the class as height, a little scattered."""
    if mu.shape[1] > 1:
        return mu[:, two_latents(mu)]
    rows = np.argsort(BY_KIND)[y] + np.random.default_rng(seed).uniform(-0.35, 0.35, len(y))
    return np.stack([mu[:, 0], rows], axis=1)


def _prepare(ax: Axes, mu: np.ndarray, places: np.ndarray, **circle: Any) -> None:
    """Name the axes; in the plane make them equal and add the prior's circles, for one latent name the classes."""
    ax.grid(False)
    if mu.shape[1] == 1:
        ax.set(xlabel="$z_1$", yticks=range(10), yticklabels=[CLASS_NAMES[c] for c in BY_KIND], ylim=(-0.7, 9.7))
        for radius in RADII:
            for x in (-radius, radius):
                ax.axvline(x, color="#999999", lw=1, ls=(0, (5, 3)), zorder=0)
        return
    i, j = two_latents(mu)
    limit = 1.03 * max(3.1, float(np.abs(places).max()))
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xlabel=f"$z_{{{i + 1}}}$", ylabel=f"$z_{{{j + 1}}}$", xticks=[-3, 0, 3], yticks=[-3, 0, 3])
    for radius in RADII:
        style = {"fill": False, "ec": "#333333", "lw": 1, "ls": (0, (5, 3)), "zorder": 3} | circle
        ax.add_patch(patches.Circle((0, 0), radius, **style))


def _name_classes(ax: Axes, places: np.ndarray, y: np.ndarray) -> None:
    """Write the class names left and right of the plane, each with a line to its class's median."""
    medians = {c: np.median(places[y == c], axis=0) for c in np.unique(y)}
    limit = ax.get_ylim()[1]
    size = np.clip(1.6 * ax.get_window_extent().width / ax.figure.dpi, 7, 11)  # small in a narrow panel
    ax.set_xlim(-1.5 * limit, 1.5 * limit)
    by_x = sorted(medians, key=lambda c: medians[c][0])
    half = (len(by_x) + 1) // 2
    for side, aligned, group in ((-1.02 * limit, "right", by_x[:half]), (1.02 * limit, "left", by_x[half:])):
        heights = np.linspace(-0.8, 0.8, max(2, len(group))) * limit
        for c, height in zip(sorted(group, key=lambda c: medians[c][1]), heights, strict=False):
            ax.plot([side, medians[c][0]], [height, medians[c][1]], color="black", lw=1, zorder=4, path_effects=_HALO)
            ax.text(side, height, f" {CLASS_NAMES[c]} ", ha=aligned, va="center", size=size, weight="bold")
            ax.plot(*medians[c], color=CLASS_COLORS[c], **_MEDIAN)


def _nearest_classes(mu: np.ndarray, y: np.ndarray) -> str:
    """Return in words which two classes have their medians nearest to each other."""
    classes = np.unique(y)
    if len(classes) < 2:
        return ""
    medians = np.array([np.median(mu[y == c][:, two_latents(mu)], axis=0) for c in classes])
    distance = np.linalg.norm(medians[:, None] - medians, axis=2) + 1e9 * np.eye(len(classes))
    a, b = np.unravel_index(distance.argmin(), distance.shape)
    return f" The medians nearest to each other are those of {CLASS_NAMES[classes[a]]} and {CLASS_NAMES[classes[b]]}."


def plot_latent_scatter(mu: Any, y: Any, ax: Axes | None = None, seed: int = 42) -> Figure:
    """Plot a point for every code, mu (N, d), in the colour of its class, y (N,), with the prior's circles.

    The points are drawn in a mixed order, set by `seed`, so that no class covers another only because it comes last.
    """
    mu = _codes(mu, "mu")
    y = _labels(y, len(mu))
    places = _places(mu, y)
    if ax is None:
        _, ax = plt.subplots(figsize=(8.4, 6.0), layout="constrained")
    order = np.random.default_rng(seed).permutation(len(mu))
    ax.scatter(*places[order].T, c=[CLASS_COLORS[c] for c in y[order]], s=8, linewidths=0, antialiased=False)
    _prepare(ax, mu, places)
    if mu.shape[1] > 1:
        _name_classes(ax, places, y)
        circles = f"Centres of {len(mu):,} images; the circles hold 39.3, 86.5 and 98.9 % of the prior"
        ax.set_title(_shown(mu) or circles, wrap=True)
    else:
        ax.set_title(f"Centres of {len(mu):,} images, a row per class; lines at ±1, ±2, ±3")
    within = np.mean(np.linalg.norm(places, axis=1) <= 2) if mu.shape[1] > 1 else np.mean(np.abs(mu) <= 2)
    ax.figure.alt_text = (
        f"{len(mu):,} coloured points, one for each image, from {len(np.unique(y))} classes; {100 * within:.0f} per "
        f"cent of them within distance 2 of the origin.{_nearest_classes(mu, y)}"
    )
    return ax.figure


def plot_class_maps(mu: Any, y: Any) -> Figure:
    """Plot a small map for each of the ten classes: its codes, rows of mu (N, d), dark, and all others pale."""
    mu = _codes(mu, "mu")
    y = _labels(y, len(mu))
    places = _places(mu, y)
    if mu.shape[1] == 1:
        places[:, 1] = np.random.default_rng(0).uniform(-1, 1, len(mu))
    fig, axes = plt.subplots(2, 5, figsize=(9.4, 4.4), sharex=True, sharey=True, layout="constrained")
    for c, ax in enumerate(axes.flat):
        own = places[y == c]
        ax.plot(*places.T, ".", ms=2.5, mew=0, color="#DDDDDD", antialiased=False, rasterized=True)
        ax.plot(*own.T, ".", ms=2.2, mew=0, color="#222222", antialiased=False)
        _prepare(ax, mu, places, ec="#999999", lw=0.7, ls="-")
        if mu.shape[1] == 1:
            ax.set(yticks=[], ylim=(-1.2, 1.2))
        if len(own):
            ax.plot(*np.median(own, axis=0), color=CLASS_COLORS[c], **_MEDIAN)
        ax.set_title(CLASS_NAMES[c])
        ax.label_outer()
    fig.suptitle(_shown(mu) or "One class at a time: its centres dark, its median coloured, all others pale")
    spread = {CLASS_NAMES[c]: mu[y == c][:, two_latents(mu)].std(axis=0).sum() for c in np.unique(y)}
    tight, wide = min(spread, key=spread.get), max(spread, key=spread.get)
    fig.alt_text = (
        f"Ten small maps, one per class, dark over pale points. {tight} takes the smallest area, {wide} the largest."
        + _nearest_classes(mu, y)
    )
    return fig


def plot_clouds(mu: Any, logvar: Any, y: Any, n_per_class: int = 20, seed: int = 42, ax: Axes | None = None) -> Figure:
    """Plot one-sigma ellipses, centres mu and half-widths exp(logvar / 2), (N, d) each: `n_per_class` of each class."""
    mu, logvar = _codes(mu, "mu"), _codes(logvar, "logvar")
    y = _labels(y, len(mu))
    if n_per_class < 1:
        raise ValueError(f"n_per_class, the clouds of each class, must be at least 1, but is {n_per_class}.")
    if logvar.shape != mu.shape:
        raise ValueError(f"mu has shape {mu.shape}, but logvar {logvar.shape}: they belong together.")
    sigma, places = np.exp(0.5 * logvar), _places(mu, y)
    half = sigma[:, two_latents(mu)] if mu.shape[1] > 1 else np.concatenate([sigma, np.full_like(sigma, 0.05)], axis=1)
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(y == c) for c in np.unique(y)]
    picked = rng.permutation(np.concatenate([rng.choice(g, min(n_per_class, len(g)), replace=False) for g in groups]))
    if ax is None:
        _, ax = plt.subplots(figsize=(8.4, 6.0), layout="constrained")
    for n in picked:
        color = CLASS_COLORS[y[n]]
        look = {"ec": color, "fc": colors.to_rgba(color, 0.3), "lw": 1.3}
        ax.add_patch(patches.Ellipse(places[n], 2 * half[n, 0], 2 * half[n, 1], **look))
    _prepare(ax, mu, np.concatenate([places, places[picked] - half[picked], places[picked] + half[picked]]))
    if mu.shape[1] > 1:
        _name_classes(ax, places, y)
    else:
        reach = max(3.3, *1.03 * (np.abs(mu[picked]) + sigma[picked]).ravel())
        ax.set_xlim(-reach, reach)
    shape = "ellipses" if mu.shape[1] > 1 else "intervals"
    ax.set_title(_shown(mu) or f"The clouds of {len(picked)} images: one-sigma {shape}", wrap=True)
    ax.figure.alt_text = (
        f"{len(picked)} {shape} in {len(groups)} colours, one for each image. The median half-width of all clouds is "
        f"{np.median(half[:, 0]):.3f} to the right"
        + (f" and {np.median(half[:, 1]):.3f} upwards." if mu.shape[1] > 1 else ".")
    )
    return ax.figure


def plot_latent_grid(images: Any, z: Any, size: float = 7.5) -> Figure:
    """Plot images (rows, columns, 28, 28, 1) decoded from codes z (rows, columns, d) as one sheet, like a map.

    Row 0 is the top. The coordinate that varies along the columns grows to the right, the one that varies along the
    rows grows upwards, and the ticks show both; codes of one latent are read row by row.

    Raises:
        ValueError: codes that are infinite (a quantile of 0 or 1), or no such grid.
    """
    images, z = _images(images, "images", leading=2), np.asarray(z)
    if z.shape[:2] != images.shape[:2] or z.ndim != 3 or not z.size:
        raise ValueError(f"z must have shape {(*images.shape[:2], 'd')}, one code for each image, but has {z.shape}.")
    axes = sheet_axes(z)
    rows, columns, height, width = images.shape
    fig, ax = plt.subplots(figsize=(size + 0.6, size * rows / columns + 0.5), layout="constrained")
    ax.imshow(_sheet(images, 0, 0), cmap="gray", vmin=0, vmax=1)
    ax.grid(False)
    if len(axes) == 1:
        ax.set_yticks((np.arange(rows) + 0.5) * height - 0.5, [f"{v:.1f}" for v in z[:, 0, 0]])
        ax.set(xticks=[], ylabel="$z_1$ where each row starts; it grows to the right", title="One latent, row by row")
    else:
        (i, right), (j, up) = axes.items()
        # Six of an even number of places, seven of an odd one: so they lie evenly about the middle.
        shown_x, shown_y = (np.linspace(0, n - 1, min(n, 6 + n % 2)).round().astype(int) for n in (columns, rows))
        ax.set_xticks((shown_x + 0.5) * width - 0.5, [f"{v:.1f}" for v in right[shown_x]])
        ax.set_yticks((shown_y + 0.5) * height - 0.5, [f"{v:.1f}" for v in up[::-1][shown_y]])
        ax.set(xlabel=f"$z_{{{i + 1}}}$", ylabel=f"$z_{{{j + 1}}}$")
        if z.shape[2] > 2:
            others = "are not 0" if np.delete(z, (i, j), axis=2).any() else "are 0"
            ax.set_title(f"Two of {z.shape[2]} latents; the others {others}")
    bright = np.unravel_index(images.mean(axis=(2, 3)).argmax(), (rows, columns))
    fig.alt_text = f"{sheet_in_words(z)} The brightest is in row {bright[0] + 1} from the top, column {bright[1] + 1}."
    return fig


def plot_confusion(y_true: Any, y_pred: Any) -> Figure:
    """Plot which class is taken for which: rows are true classes and add up to 100 %, similar clothes side by side."""
    y_true, y_pred = _labels(y_true, len(y_pred)), _labels(y_pred, len(y_true))
    kinds = [c for c in BY_KIND if c in np.union1d(y_true, y_pred)]
    share = np.array([[np.sum((y_true == a) & (y_pred == b)) for b in kinds] for a in kinds], float)
    share *= 100 / np.maximum(share.sum(axis=1, keepdims=True), 1)
    names, at = [CLASS_NAMES[c] for c in kinds], np.arange(len(kinds)) + 0.5
    fig, ax = plt.subplots(figsize=(8.4, 6.9), layout="constrained")
    heat = ax.pcolormesh(share, cmap=WHITE_TO_BLUE, vmin=0, vmax=100, edgecolors="#DDDDDD", linewidth=0.5)
    for (row, column), value in np.ndenumerate(share):
        if value > 0.5:
            color = "white" if value > 45 else "black"
            ax.text(column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center", color=color)
    ax.set_xticks(at, names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(at, names)
    ax.set(xlabel="predicted class", ylabel="true class", title="Who is taken for whom", aspect="equal")
    ax.invert_yaxis()
    ax.grid(False)
    fig.colorbar(heat, ax=ax, label="per cent of the true class", shrink=0.8)
    right = np.where(share.sum(axis=1) > 0, np.diag(share), np.nan)
    best, worst = int(np.nanargmax(right)), int(np.nanargmin(right))
    fig.alt_text = (
        f"Heat map of true against predicted classes. Most often right: {names[best]}, {right[best]:.0f} per cent; "
        f"least often: {names[worst]}, {right[worst]:.0f} per cent."
    )
    return fig


# ----------------------------------------------------------------------------------------------------- pixels


def plot_uncertainty_maps(x: Any, mean: Any, variance: Any, names: Sequence[str] = ()) -> Figure:
    """Plot for each image a column: input, mean of its decodes, and their variance with a scale of its own.

    All three are (N, 28, 28, 1); the variance is that of a pixel's grey, between 0 and 1/4.
    """
    x, mean, variance = (_images(a, n) for a, n in ((x, "x"), (mean, "mean"), (variance, "variance")))
    if not len(x) == len(mean) == len(variance):
        raise ValueError(f"There are {len(x)} inputs, {len(mean)} means and {len(variance)} variances: give as many.")
    size = min(2.0, 10.4 / len(x))
    shapes = {"figsize": (size * len(x) + 0.5, 3 * size + 0.9), "height_ratios": [2.1, 1.2], "layout": "constrained"}
    fig, axes = plt.subplots(2, len(x), squeeze=False, **shapes)
    for i, (upper, lower) in enumerate(axes.T):
        draw_rows(upper, [x[i : i + 1], mean[i : i + 1]], ["" if i else "input", "" if i else "mean"], names[i : i + 1])
        top = max(float(variance[i].max()), 1e-9)
        heat = draw_rows(lower, [variance[i : i + 1]], ["" if i else "variance"], cmap="magma", vmax=top)
        bar = fig.colorbar(heat, ax=lower, location="bottom", shrink=0.9, aspect=14, pad=0.04)
        bar.set_ticks([0, top / 2, top], labels=["0", "", f"{top:.2g}"])
        bar.ax.tick_params(labelsize=9)
    fig.supxlabel("variance of a pixel's grey, a scale for each image", fontsize=10)
    largest = ", ".join(f"{v.max():.3f}" for v in variance)
    fig.alt_text = (
        f"{_many(len(x), 'column')} of three pictures: input, mean of the decodes, and the variance of each pixel as a "
        f"heat map. The largest variance in each: {largest}."
    )
    return fig
