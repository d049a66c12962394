"""Diagrams that one section shows once; what a user of VAEs would draw again stands in `vae_plots.py`.

Each function takes arrays, returns a matplotlib Figure that carries its own alternative text (`fig.alt_text`), and
neither trains, loads nor shows anything.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patches, patheffects
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from plane_explorer import names_apart, on_sheet
from vae_plots import draw_rows, plot_latent_grid, two_latents


def overfitting(history: dict[str, list[float]]) -> Figure:
    """Draw the loss on few training images and on held-out ones against the epoch; mark the lowest held-out loss."""
    loss, val_loss = np.array(history["loss"]), np.array(history["val_loss"])
    epochs, best = np.arange(1, len(loss) + 1), int(val_loss.argmin())
    fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.plot(epochs, loss, "-", color="#332288", label="100 training images")
    ax.plot(epochs, val_loss, "--", color="#CC6677", label="held-out images")
    ax.plot(best + 1, val_loss[best], "o", ms=8, color="#CC6677")
    ax.annotate("lowest", (best + 1, val_loss[best]), (0, 24), textcoords="offset points", ha="center")
    ax.set(xlabel="epoch, in which each image is seen ten times", ylabel="loss, nats per image", xticks=epochs)
    ax.set_title("The same network on 100 images")
    ax.legend(loc="upper right")
    fig.alt_text = (
        f"Loss against epoch for 100 training images. The training curve falls to {loss[-1]:.0f} nats; the held-out "
        f"curve is lowest in epoch {best + 1}, with {val_loss[best]:.0f} nats, and ends at {val_loss[-1]:.0f}."
    )
    return fig


def grey_pixels(grey: np.ndarray, mean_image: np.ndarray) -> Figure:
    """Draw a histogram of the pixel values `grey`, strictly between 0 and 1, and beside it `mean_image` (28, 28, 1)."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=[1.8, 1], layout="constrained")
    two_bytes = np.arange(0.5, 255, 2) / 255  # every bar holds two of the 254 grey values
    counts, *_ = left.hist(grey, bins=two_bytes, color="#332288", linewidth=0)
    left.set(title="Pixels strictly between 0 and 1", xlabel="pixel value", ylabel="pixels per bar", xlim=(0, 1))
    left.yaxis.set_major_formatter("{x:,.0f}")
    picture = right.imshow(mean_image.squeeze(), cmap="gray", vmin=0, vmax=1)
    right.set_title("Mean training image")
    right.axis("off")
    fig.colorbar(picture, ax=right, label="pixel value")
    light = 0.5 + (0.5 + counts[64:].argmax()) * 2 / 255
    fig.alt_text = (
        f"Left: histogram of {len(grey):,} grey pixel values, {np.mean(grey > 0.5):.0%} of them above 0.5, with a "
        f"narrow peak next to 0 and a broad hump that is highest near {light:.2f}. Right: the mean training image, a "
        f"blur from {mean_image.min():.2f} to {mean_image.max():.2f}."
    )
    return fig


STAMP_COLORS, STAMP_DASHES = ("#332288", "#CC6677", "#117733", "#AA4499"), ("-", "--", "-.", ":")


def _board(
    ax: plt.Axes, numbers: np.ndarray, side: int, title: str, corner: tuple[int, int] = (0, 0), size: int = 12
) -> None:
    """Write `numbers` on a board of side × side cells, the first at `corner` (row, column)."""
    lines = np.arange(side + 1) - 0.5
    ax.hlines(lines, -0.5, side - 0.5, color="#DDDDDD", lw=0.8, zorder=0)
    ax.vlines(lines, -0.5, side - 0.5, color="#DDDDDD", lw=0.8, zorder=0)
    for (i, j), number in np.ndenumerate(numbers):
        ax.text(corner[1] + j, corner[0] + i, f"{number:.0f}", ha="center", va="center", fontsize=size, zorder=5)
    ax.set(title=title, xticks=[], yticks=[], aspect="equal", xlim=(-0.6, side - 0.4), ylim=(side - 0.4, -0.6))
    ax.spines[:].set_visible(False)


def _frame(ax: plt.Axes, row: float, col: float, size: float, color: str, dash: str = "-", tint: float = 0.14) -> None:
    """Outline and tint the square of `size` cells whose upper left cell is (row, col)."""
    box = {"xy": (col - 0.5, row - 0.5), "width": size, "height": size, "clip_on": False}
    ax.add_patch(plt.Rectangle(**box, facecolor=color, alpha=tint, edgecolor="none"))
    ax.add_patch(plt.Rectangle(**box, facecolor="none", edgecolor=color, linestyle=dash, linewidth=2.5 if tint else 4))


def stamps(image: np.ndarray, kernel: np.ndarray, full: np.ndarray) -> Figure:
    """Draw how the four stamps of a 2×2 `image` with a 4×4 `kernel` and stride 2 add up to `full` (6, 6)."""
    mosaic = [["x", "0", "1", "y", "y"], ["K", "2", "3", "y", "y"]]
    fig, axes = plt.subplot_mosaic(mosaic, figsize=(11, 5), layout="constrained")
    _board(axes["x"], image, 2, "input, 2×2", size=18)
    _board(axes["K"], kernel, 4, "kernel, 4×4", size=14)
    _frame(axes["K"], 0, 0, 4, "black", tint=0)
    _board(axes["y"], full, 6, "output: the four stamps added, 6×6", size=16)
    for m, (i, j) in enumerate(np.ndindex(2, 2)):
        look = {"color": STAMP_COLORS[m], "dash": STAMP_DASHES[m]}
        _board(axes[str(m)], image[i, j] * kernel, 6, f"{image[i, j]} × kernel", (2 * i, 2 * j))
        _frame(axes["x"], i + 0.03, j + 0.03, 0.94, **look)
        _frame(axes[str(m)], 2 * i, 2 * j, 4, **look)
        _frame(axes["y"], 2 * i, 2 * j, 4, **look)
    _frame(axes["y"], 1, 1, 4, "black", tint=0)
    axes["y"].add_patch(plt.Circle((2, 2), 0.36, facecolor="white", edgecolor="black", linewidth=1.5, zorder=4))
    terms = " + ".join(f"{image[i, j]}·{kernel[2 - 2 * i, 2 - 2 * j]}" for i, j in np.ndindex(2, 2))
    axes["y"].set_xlabel(f'ringed: {terms} = {full[2, 2]:.0f}\nthick frame: the 4×4 cells that "same" padding keeps')
    fig.alt_text = (
        f"A transposed convolution in numbers: the 2×2 input {image.tolist()}, a 4×4 kernel, four boards with the "
        f"kernel times one input number each, shifted by two cells, and their 6×6 sum. The ringed cell adds {terms} = "
        f"{full[2, 2]:.0f}; a thick frame marks the 4×4 cells in the middle."
    )
    return fig


def decoder_stages(stages: list[np.ndarray]) -> Figure:
    """Draw a code's way through the decoder: z (1, 2), three dense layers, 7×7 and 14×14 maps, x_hat (1, 28, 28, 1)."""
    z, *dense, maps_7, maps_14, x_hat = [np.asarray(stage)[0] for stage in stages]
    fig, ax = plt.subplots(figsize=(11, 5.1), layout="constrained")
    activations = {"cmap": "cividis", "vmin": -1, "vmax": 4, "interpolation": "nearest", "zorder": 3}  # ELU is above -1
    ax.imshow(z[:, None], extent=(0, 4, 10, 18), **activations)
    for number, y in zip(z, (16, 12), strict=True):
        text = f"{number:.1f}".replace("-", "−")
        ax.text(2, y, text, ha="center", va="center", color="white", fontweight="bold", fontsize=11, zorder=4)
    for i, h in enumerate(dense):
        ax.imshow(h[:, None], extent=(11 + 4 * i, 13.2 + 4 * i, 0, 28), **activations)
    for left, side, maps in ((28, 7, maps_7), (48, 14, maps_14)):
        for n in range(maps.shape[-1] - 1, 0, -1):  # the maps behind the first
            corner = (left + 0.45 * n, 14 - side / 2 + 0.45 * n)
            ax.add_patch(plt.Rectangle(corner, side, side, facecolor="#EEEEEE", edgecolor="#777777", lw=0.8, zorder=2))
        extent = (left, left + side, 14 - side / 2, 14 + side / 2)
        shown = ax.imshow(maps[:, :, 0], extent=extent, **activations)
    image = ax.imshow(x_hat[:, :, 0], extent=(76, 104, 0, 28), cmap="gray", vmin=0, vmax=1, zorder=3)
    places, arrows = (2, 16.1, 34.5, 58, 90), ((5, 10), (22.2, 27), (42.2, 47), (69.2, 75))
    sizes, up = ("2", "128, 128, 128", "7×7×16", "14×14×16", "28×28×1"), "Conv2DTranspose,"
    made_by = ("the code z", "Dense, ELU,\nthree times", "Dense, ELU,\nReshape", f"{up}\nELU", f"{up}\nsigmoid")
    for x, title, words in zip(places, sizes, made_by, strict=True):
        ax.text(x, 34, title, ha="center", va="top", fontsize=15, fontweight="bold")
        ax.text(x, -2, words, ha="center", va="top", fontsize=11)
    for start, stop in arrows:
        ax.annotate("", (stop, 14), (start, 14), arrowprops={"arrowstyle": "-|>", "color": "black", "lw": 1.5})
    ax.set(xlim=(-2, 105), ylim=(-15.5, 34), aspect="equal")
    ax.axis("off")
    for picture, left, label, extend in ((shown, 26, "activation", "max"), (image, 76, "pixel of x_hat", "neither")):
        bar = ax.inset_axes((left, -11.2, 28, 1.3), transform=ax.transData)
        fig.colorbar(picture, cax=bar, label=label, orientation="horizontal", extend=extend)
    fig.alt_text = (
        f"The code ({z[0]:.1f}, {z[1]:.1f}) on its way through the decoder, left to right: three columns of 128 "
        f"activations, a stack of 16 maps of 7×7, a stack of 16 maps of 14×14, and an image of 28×28 with pixels from "
        f"{x_hat.min():.2f} to {x_hat.max():.2f}."
    )
    return fig


def vae_diagram() -> Figure:
    """Draw the parts of a VAE from image to reconstruction, and the two places where a loss is measured."""
    blue, purple, ink = "#332288", "#AA4499", "#333333"
    fig, ax = plt.subplots(figsize=(10.8, 4), layout="constrained")
    ax.set(xlim=(0.2, 22.4), ylim=(-2.8, 4.5), aspect="equal")
    ax.axis("off")
    parts = (  # centre, width, half its height at the left and at the right, colour, text
        (1.4, 1, 2.2, 1, 1, ink, "image\n$\\mathbf{x}$"),
        (5, 1, 3, 1.6, 0.8, blue, "encoder\n$q_\\phi(\\mathbf{z} \\mid \\mathbf{x})$"),
        (8.4, 1.75, 2, 0.55, 0.55, blue, "mu"),
        (8.4, 0.25, 2, 0.55, 0.55, blue, "logvar"),
        (8.4, -2.2, 3, 0.5, 0.5, purple, "prior $p(\\mathbf{z})$"),
        (12.2, 1, 2.8, 1, 1, "#CC6677", "code $\\mathbf{z}$\nmu + $\\boldsymbol{\\sigma} \\odot$ eps"),
        (12.2, -2.2, 2.8, 0.5, 0.5, "#DDCC77", "noise eps"),
        (16.55, 1, 2.9, 0.8, 1.6, "#117733", "decoder\n$p_\\theta(\\mathbf{x} \\mid \\mathbf{z})$"),
        (20.6, 1, 3.3, 1, 1, ink, "reconstruction\nx_hat"),
    )
    for x, y, w, left, right, color, text in parts:
        corners = (x - w / 2, y - left), (x + w / 2, y - right), (x + w / 2, y + right), (x - w / 2, y + left)
        ax.add_patch(plt.Polygon(corners, facecolor=color + "26", edgecolor=color, lw=2, joinstyle="round"))
        ax.text(x, y, text, ha="center", va="center", fontsize=12, linespacing=1.5)
    starts = [(2.5, 1), (6.5, 1.3), (6.5, 0.7), (9.4, 1.75), (9.4, 0.25), (12.2, -1.7), (13.6, 1), (18, 1)]
    ends = [(3.5, 1), (7.4, 1.75), (7.4, 0.25), (10.8, 1.3), (10.8, 0.7), (12.2, 0), (15.1, 1), (18.95, 1)]
    starts += [(1.4, 2.3), (20.6, 2.3), (8.4, -1.2), (8.4, -1.2)]  # the last four belong to the losses
    ends += [(1.4, 2), (20.6, 2), (8.4, -0.65), (8.4, -1.7)]
    for start, end, color in zip(starts, ends, [ink] * 8 + [purple] * 4, strict=True):
        look = {"arrowstyle": "-|>", "color": color, "lw": 1.8, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 15}
        ax.annotate("", end, start, arrowprops=look)
    ax.add_patch(plt.Rectangle((7, -0.65), 2.8, 3.3, facecolor="none", edgecolor=purple, lw=1.8, ls="--"))
    ax.plot([1.4, 1.4, 20.6, 20.6], [2.2, 3.6, 3.6, 2.2], color=purple, lw=1.8, ls="--")
    ax.text(11, 3.95, "recon_loss: does the drawing resemble the image?", ha="center", color=purple, fontsize=12)
    ax.text(8.1, -1.2, "kl_loss: is the cloud near the prior?", ha="right", va="center", color=purple, fontsize=12)
    fig.alt_text = (
        "From left to right: image x, encoder, mu and logvar, code z = mu + sigma times eps with noise eps from below, "
        "decoder, x_hat. recon_loss joins x_hat and image; kl_loss joins the prior and the frame of mu and logvar."
    )
    return fig


def pixel_costs(x_hat: np.ndarray, squared: dict[str, np.ndarray], entropy: dict[str, np.ndarray]) -> Figure:
    """Draw what pixels cost against the decoder's output `x_hat`, (n,), under two losses: name -> cost (n,)."""
    fig, axes = plt.subplots(1, 2, figsize=(10.5, 3.8), sharey=True, layout="constrained")
    titles = "Squared error: Gaussian, sigma2_x = 1/2", "Binary cross-entropy: Bernoulli"
    for ax, title, costs in zip(axes, titles, (squared, entropy), strict=True):
        looks = zip(("#332288", "#CC6677", "#117733"), ("-", "--", "-."), strict=True)
        for (name, cost), (color, style) in zip(costs.items(), looks, strict=True):
            ax.plot(x_hat, cost, style, color=color, lw=2.5, label=name)
        ax.set(title=title, xlabel="decoder's output x_hat", xlim=(0, 1), ylim=(0, 4))
    axes[0].set_ylabel("cost of one pixel (nats)")
    axes[0].legend(loc="upper center")
    name, cost = max(entropy.items(), key=lambda item: item[1].min())
    at, least, most = x_hat[cost.argmin()], cost.min(), max(cost.max() for cost in squared.values())
    arrow = {"arrowstyle": "->", "color": "black"}
    axes[1].annotate(f"grey: never below {least:.2f}", (at, least), (at, 2), ha="center", arrowprops=arrow)
    fig.alt_text = (
        f"The cost of three pixels against the decoder's output. Squared error: parabolas, none above {most:.1f}. "
        f"Cross-entropy rises without limit at the wrong end, and never falls below {least:.2f} for {name}."
    )
    return fig


def moved_draws(before: np.ndarray, after: dict[str, np.ndarray], rows: tuple[str, str]) -> Figure:
    """Draw numbers `before`, (n,), above what they become, a panel for each: title -> (n,); `rows` names both."""
    fig, axes = plt.subplots(1, len(after), figsize=(10, 3.2), sharex=True, sharey=True, layout="constrained")
    words = []
    for ax, (title, z) in zip(axes, after.items(), strict=True):
        ax.plot([before, z], [1, 0], color="#777777", lw=1.2)
        ax.plot(before, np.ones_like(before), "o", color="#332288", ms=8, mec="white")
        ax.plot(z, np.zeros_like(z), "s", color="#CC6677", ms=7, mec="white")
        ax.set(title=title, xlabel="value", ylim=(-0.25, 1.25))
        ax.set_yticks([1, 0], rows)
        ax.grid(axis="x", visible=False)
        far = z - before
        words.append(f"{title}: from {z.min():.1f} to {z.max():.1f}, moved by {far.min():.2f} to {far.max():.2f}")
    fig.alt_text = (
        f"In each panel straight lines join {len(before)} dots, {rows[0]}, from {before.min():.1f} to "
        f"{before.max():.1f}, to the dots below, {rows[1]}. {'; '.join(words)}."
    )
    return fig


def one_pixel_model(z: np.ndarray, f: np.ndarray, sigma_x: float, x: float, densities: dict[str, np.ndarray]) -> Figure:
    """Draw a decoder's mean `f` of one pixel `x`, and below it `densities`, prior and posterior, of codes `z`, (n,)."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(7.5, 5.2), sharex=True, layout="constrained")
    top.fill_between(z, f - 2 * sigma_x, f + 2 * sigma_x, color="#117733", alpha=0.18, lw=0)
    top.plot(z, f, color="#117733", lw=2.5, label="mean f(z), and a band of 2 standard deviations")
    top.axhline(x, color="black", lw=1.5, ls="--", label=f"observed x = {x}")
    top.set(ylabel="pixel x", ylim=(-3.4, 2.8), title="The decoder: one latent z, one pixel x")
    (prior, before), (posterior, after) = densities.items()
    bottom.plot(z, before, color="#555555", lw=2, ls="--", label=prior)
    bottom.plot(z, after, color="#332288", lw=2.5, label=posterior)
    bottom.fill_between(z, after, color="#332288", alpha=0.25, lw=0)
    bottom.set(xlabel="code z", ylabel="density", xlim=(-3, 3.5), ylim=(0, 1.25 * after.max()))
    bottom.set_title("The codes: before and after seeing x")
    crossings = z[np.flatnonzero(np.diff(np.sign(f - x)))]
    top.plot(crossings, np.full(len(crossings), x), "o", color="black", ms=6)
    for ax, place in ((top, "lower right"), (bottom, "upper left")):
        ax.vlines(crossings, *ax.get_ylim(), color="#777777", lw=1.2, ls=":")
        ax.legend(loc=place)
    inner = after[1:-1]
    bumps = z[1:-1][(inner > after[:-2]) & (inner > after[2:]) & (inner > 0.1 * after.max())]
    fig.alt_text = (
        f"Top: a wavy curve f(z) with a band; the dashed line x = {x} crosses it {len(crossings)} times. Bottom: the "
        f"broad prior, and the posterior with bumps at z = {' and '.join(f'{at:.1f}' for at in bumps)}."
    )
    return fig


def bound_and_gap(means: np.ndarray, bounds: dict[str, np.ndarray], log_px: float) -> Figure:
    """Draw ELBOs against the mean of q, a curve for each entry of `bounds`: name -> (n,), below the line log p(x)."""
    fig, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    ax.axhline(log_px, color="black", lw=2.5, label=f"log p(x) = {log_px:.2f}".replace("-", "−"))
    looks = zip(("#CC6677", "#117733", "#332288"), ("-", "--", "-."), strict=True)
    for (name, bound), (color, style) in zip(bounds.items(), looks, strict=True):
        ax.plot(means, bound, style, color=color, lw=2.5, label=name)
    name, best = max(bounds.items(), key=lambda item: item[1].max())
    at, gap = means[best.argmax()], log_px - best.max()
    ax.plot([at, at], [best.max(), log_px], "o-", color="black", lw=2, ms=6)
    ax.text(at + 0.1, log_px - 0.4 * gap, f"gap {gap:.2f} nats", va="center")
    ax.set(xlabel="mean of q", ylabel="ELBO (nats)", xlim=(means[0], means[-1]), ylim=(log_px - 3, log_px + 0.4))
    ax.set_title("The bound as q moves")
    ax.legend(loc="lower left")
    fig.alt_text = (
        f"A horizontal line at log p(x) = {log_px:.2f}, and below it the ELBO against the mean of q, a curve each "
        f"for {', '.join(bounds)}. The highest point, {name} at mean {at:.1f}, lies {gap:.2f} nats under the line."
    )
    return fig


def convolution(image: np.ndarray, patch: np.ndarray, kernel: np.ndarray, feature_map: np.ndarray, at: tuple) -> Figure:
    """Draw how output pixel `at`, (row, column), of a convolution with stride 2 comes from its patch and the kernel."""
    row, column = at
    fig, axes = plt.subplots(1, 4, figsize=(10.6, 3.5), width_ratios=[1.7, 1, 1, 1.7], layout="constrained")
    reach = np.ceil(np.abs(feature_map).max())
    panels = {"input, 28×28": image, "patch, 3×3": patch, "kernel, 3×3": kernel, "output, 14×14": feature_map}
    scales = ((0, 1), (0, 1), (kernel.min(), kernel.max()), (-reach, reach))
    for ax, (title, array), (low, high) in zip(axes, panels.items(), scales, strict=True):
        picture = ax.imshow(array, cmap="gray", vmin=low, vmax=high)
        ax.set(title=title, xticks=[], yticks=[])
        if len(array) > 3:
            label = "pixel value" if low == 0 else "weighted sum"
            fig.colorbar(picture, ax=ax, location="bottom", label=label, shrink=0.85)
            continue
        for (i, j), value in np.ndenumerate(array):
            text = (f"{value:.2f}" if array is patch else f"{value:.0f}").replace("-", "−")
            color = "white" if 2 * value < low + high else "black"
            ax.text(j, i, text, ha="center", va="center", color=color, fontsize=12)
    for ax, corner, size in ((axes[0], (2 * column, 2 * row), 3), (axes[3], (column, row), 1)):
        for color, width in (("white", 5), ("#332288", 2.5)):
            corner_xy = (corner[0] - 0.5, corner[1] - 0.5)
            ax.add_patch(plt.Rectangle(corner_xy, size, size, fill=False, edgecolor=color, linewidth=width))
    for patch_y, y in ((-0.5, 2 * row - 0.5), (2.5, 2 * row + 2.5)):
        ends = {"xy": (2 * column + 2.5, y), "xytext": (-0.5, patch_y), "textcoords": axes[1].transData}
        arrow = {"arrowstyle": "-", "color": "#332288", "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
        axes[0].annotate("", **ends, arrowprops=arrow, annotation_clip=False).set_in_layout(False)
    for ax, sign in ((axes[1], "×"), (axes[2], "→")):
        ax.text(1.12, 0.5, sign, transform=ax.transAxes, ha="center", va="center", fontsize=18)
    result = float(feature_map[row, column])
    axes[2].text(0.5, -0.15, f"sum = {result:.2f}", transform=axes[2].transAxes, ha="center", va="center", fontsize=12)
    fig.alt_text = (
        f"An image with a framed patch of 3 by 3 pixels, the nine values of the patch, the nine weights of the kernel, "
        f"and the 14 by 14 output with the pixel in row {row}, column {column} framed: its value is {result:.2f}."
    )
    return fig


def sampling_mistakes(clouds: dict[str, np.ndarray], sigma: np.ndarray) -> Figure:
    """Draw clouds of codes, name -> (n, 2), the right one first, over the two-sigma ellipse that they should fill."""
    angle, pointer, words = np.linspace(0, 2 * np.pi, 200), {"arrowstyle": "-", "color": "black"}, []
    fig, axes = plt.subplots(2, 3, figsize=(10, 5.3), sharex=True, sharey=True, layout="constrained")
    for ax, (name, z) in zip(axes.flat, clouds.items(), strict=True):
        right = ax is axes[0, 0]
        style = {"color": "#332288", "marker": "o"} if right else {"color": "#CC6677", "marker": "^"}
        ax.plot(*z.T, ls="", ms=3, mew=0, alpha=0.75, **style)
        ax.plot(2 * sigma[0] * np.cos(angle), 2 * sigma[1] * np.sin(angle), "--", color="black", lw=1.4)
        ax.set_title(name, fontweight="bold" if right else "normal")
        ax.set(xlim=(-6.6, 6.6), ylim=(-4.8, 4.8), aspect="equal", xticks=range(-6, 7, 3), yticks=range(-4, 5, 2))
        ax.grid(alpha=0.4)
        if np.all(z == z[0]):
            ax.plot(*z[0], ms=10, **style)
            ax.annotate(f"all {len(z)} are here", z[0], (-5.9, -3.6), fontsize=11, va="center", arrowprops=pointer)
            words.append(f"{name}: one point")
        else:
            (width, height), correlation = z.std(axis=0), np.corrcoef(z.T)[0, 1]
            words.append(f"{name}: spreads {width:.1f} and {height:.1f}, correlation {correlation:.1f}")
    axes[0, 0].annotate("2σ ellipse", (sigma[0], 1.73 * sigma[1]), (1.6, 3.4), fontsize=11, arrowprops=pointer)
    fig.supxlabel("z, first latent", fontsize=11)
    fig.supylabel("z, second latent", fontsize=11)
    fig.alt_text = f"Scatters of draws with the dashed ellipse that they should fill. {'; '.join(words)}."
    return fig


def gradient_estimates(estimates: dict[str, np.ndarray], exact: float) -> Figure:
    """Draw histograms of single estimates of a gradient, name -> (n,), around its exact value, which is negative."""
    fig, axes = plt.subplots(len(estimates), 1, figsize=(8.4, 4.4), sharex=True, sharey=True, layout="constrained")
    parts = []
    for ax, (name, g), color in zip(axes, estimates.items(), ("#332288", "#CC6677"), strict=True):
        spread, wrong = np.std(g), np.mean(np.asarray(g) > 0)
        ax.axvspan(0, 5, color="#E4E4E4", lw=0, zorder=0.5)
        # Weights, because density=True would forget the estimates beyond the axis.
        ax.hist(g, np.linspace(-25, 5, 61), weights=np.full(len(g), 2 / len(g)), color=color, ec=color, zorder=2)
        ax.axvline(exact, color="black", lw=1.6, ls=":", zorder=3)
        ax.grid(False)
        ax.set(xlim=(-25, 5), ylabel="density")
        ax.text(0.03, 0.8, name, transform=ax.transAxes, color=color, fontsize=13, fontweight="bold")
        ax.text(0.03, 0.62, f"spread {spread:.2f}", transform=ax.transAxes, fontsize=11)
        ax.text(0.03, 0.46, f"{wrong:.1%} with the wrong sign", transform=ax.transAxes, fontsize=11)
        ax.text(3.6, 0.8, "wrong\nsign", transform=ax.get_xaxis_transform(), ha="center", va="center", fontsize=10)
        parts.append(f"{name}: spread {spread:.2f}, {wrong:.1%} with the wrong sign")
    axes[0].text(exact + 0.4, 0.88, "exact", transform=axes[0].get_xaxis_transform(), fontsize=11)
    axes[-1].set_xlabel("one estimate of the gradient")
    fig.alt_text = f"Histograms of single gradient estimates around the exact value {exact:g}. {'; '.join(parts)}."
    return fig


def aggregate_posterior(z: np.ndarray, prior_draws: np.ndarray, log_ratio: np.ndarray) -> Figure:
    """Draw codes of images beside draws from the prior, these coloured by log q(z) - log p(z) and crossed in holes."""
    holes = log_ratio < -np.log(10)
    i, j = two_latents(z)
    up = f"$z_{{{j + 1}}}$" if z.shape[1] > 1 else "a random height"
    if z.shape[1] == 1:
        heights = np.random.default_rng(0).standard_normal((len(z) + len(prior_draws), 1))
        z, prior_draws, j = np.hstack([z, heights[: len(z)]]), np.hstack([prior_draws, heights[len(z) :]]), 1
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 4.0), sharex=True, sharey=True, layout="constrained")
    left.plot(z[:, i], z[:, j], ".", ms=3, mew=0, color="#332288", antialiased=False)
    look = {"cmap": "cividis", "vmin": -4, "vmax": 4, "s": 7, "linewidths": 0, "antialiased": False}
    dots = right.scatter(*prior_draws[:, [i, j]].T, c=np.clip(log_ratio, -4, 4), **look)
    right.plot(*prior_draws[holes][:, [i, j]].T, "x", ms=4, mew=1, color="#AA1111")
    for ax, title in ((left, "codes of images: q(z)"), (right, "draws from the prior; red crosses: holes")):
        ax.set(aspect="equal", xlabel=f"$z_{{{i + 1}}}$", title=title)
        for radius in (1, 2, 3):
            ax.add_patch(plt.Circle((0, 0), radius, fill=False, ec="#555555", lw=1, ls=(0, (5, 3))))
    left.set_ylabel(up)
    fig.colorbar(dots, ax=right, label="log q(z) − log p(z), nats", extend="both")
    fig.alt_text = (
        f"Two planes of {len(z)} points. Left, codes of images; right, draws from the prior, "
        "coloured by how many more or fewer codes there are than the prior says; "
        f"{100 * holes.mean():.0f} per cent lie in holes."
    )
    return fig


def codes_and_samples(mus: dict[float, np.ndarray], samples: dict[float, np.ndarray]) -> Figure:
    """Draw a column for each KL weight: centres mu (N, d) with the prior's 95 % circle, 25 samples (N, 28, 28, 1)."""
    fig, axes = plt.subplots(2, len(mus), figsize=(11, 5.9), layout="constrained", squeeze=False)
    radius, d, inside = np.sqrt(-2 * np.log(0.05)), next(iter(mus.values())).shape[1], {}
    for (upper, lower), (beta, mu) in zip(axes.T, mus.items(), strict=True):
        height = np.random.default_rng(0).standard_normal(len(mu))
        plane = mu[:, list(two_latents(mu))] if d > 1 else np.column_stack([mu[:, 0], height])
        inside[beta] = np.mean(np.linalg.norm(plane, axis=1) < radius)
        limit = max(4.5, 1.05 * np.abs(plane).max())
        upper.plot(*plane.T, ".", ms=4, color="#332288", alpha=0.5, mew=0)
        upper.add_patch(plt.Circle((0, 0), radius, fill=False, ls="--", lw=2.2, color="#CC6677", zorder=3))
        upper.set(title=f"beta = {beta:g}", xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        upper.locator_params(nbins=5)
        draw_rows(lower, samples[beta][:25].reshape(5, 5, 28, 28, 1), [])
    white = {"color": "white", "pad": 0.5, "alpha": 0.7}
    axes[0, -1].text(0, -1.1 * radius, "95 % of the prior", color="#882255", ha="center", va="top", bbox=white)
    axes[0, 0].set_ylabel("mu of each image")
    axes[1, 0].set_ylabel("draws from the prior,\ndecoded")
    if d != 2:
        which = f"the two of {d} latents with the largest variance of mu" if d > 1 else "one latent, at a random height"
        fig.suptitle(f"Planes: {which}")
    shares = ", ".join(f"{share:.0%} with beta = {beta:g}" for beta, share in inside.items())
    fig.alt_text = (
        f"Above, the centres mu of {len(mu):,} images, with a circle that holds 95 % of the prior; of the centres it "
        f"holds {shares}. Below, for each weight, 25 draws from the prior, decoded."
    )
    return fig


def named_grid(images: np.ndarray, z: np.ndarray, places: dict[str, np.ndarray], size: float = 5.2) -> Figure:
    """Draw images (rows, columns, 28, 28, 1) of codes z (rows, columns, d) as a map, with names at their codes.

    On a plane a dashed square runs from -1 to 1 along both axes.
    """
    fig = plot_latent_grid(images, z, size=size)
    (ax,), (rows, columns, d), at = fig.axes, z.shape, on_sheet(places, z)
    if d > 1:
        corners = on_sheet({"low": np.full(d, -1.0), "high": np.full(d, 1.0)}, z) * 28 - 0.5
        (x, y), (width, height) = corners[0], corners[1] - corners[0]
        for color, style, lw in (("black", "-", 3.5), ("white", "--", 1.8)):  # seen on white and on black
            ax.add_patch(plt.Rectangle((x, y), width, height, fill=False, ec=color, ls=style, lw=lw))
    height = 1.15 * 9.5 / 72 / size * columns  # of the bold letters, in images
    written = names_apart(list(places), at, height, np.zeros(2), np.array([columns, rows]))
    edge = [patheffects.withStroke(linewidth=3, foreground="black")]
    for name, start, end in zip(places, 28 * at, 28 * written, strict=True):
        ax.plot(*np.stack([start, end]).T, color="white", lw=1.2, path_effects=edge)
        ax.text(*end, name, ha="center", va="center", color="white", size=9.5, weight="bold", path_effects=edge)
    named = [f"{name} in row {y + 0.5:.0f}, column {x + 0.5:.0f}" for name, (x, y) in zip(places, at, strict=True)]
    fig.alt_text += f" Names stand at the medians of the classes: {'; '.join(named)}."
    return fig


def loss_around_mu(t: np.ndarray, rise: np.ndarray) -> Figure:
    """Draw how the loss rises from that of mu as one latent moves by `t` sigmas, (n,): rise (LATENT_DIM, n, images)."""
    fig, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
    bell = np.exp(-0.5 * np.linspace(t[0], t[-1], 200) ** 2)
    ax.fill_between(np.linspace(t[0], t[-1], 200), -1.9, -1.9 + 0.7 * bell, color="#88CCEE", alpha=0.6, lw=0)
    white = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.5}
    ax.text(0, -1.6, "where z falls", ha="center", fontsize=10, bbox=white)
    ax.plot(t, rise[0][:, :25], color="#BBBBBB", lw=0.8, zorder=1)
    means, looks = rise.mean(axis=2), (("#332288", "-"), ("#CC6677", "--"), ("#117733", "-."))
    for i, mean in enumerate(means[:3]):
        color, style = looks[i]
        label = f"$z_{{{i + 1}}}$, mean of {rise.shape[2]} images"
        ax.plot(t, mean, style, marker="o", ms=5, lw=2.5, color=color, label=label)
    ax.plot([], [], color="#BBBBBB", label="$z_1$, single images")
    ax.axhline(0, color="#555555", lw=1)
    ax.set(xlabel="distance from mu, in sigmas", ylabel="loss minus that of mu, nats", xlim=(t[0], t[-1]))
    ax.set(ylim=(-1.9, 4), title="The loss around mu")
    ax.legend(loc="upper center", framealpha=1)
    right, left = (means[0, np.abs(t - side).argmin()] for side in (1, -1))
    fig.alt_text = (
        f"Loss minus that of mu against the distance from mu. The mean of {rise.shape[2]} images is a bowl: one sigma "
        f"to the left along the first latent it is {left:.2f} nats higher, to the right {right:.2f}."
    )
    return fig


def floor_and_excess(names: Sequence[str], floor: np.ndarray, excess: np.ndarray) -> Figure:
    """Draw for each class its floor and, stacked on it, its excess, (n,) each, in nats; the largest excess on top."""
    order, y = np.argsort(-excess), np.arange(len(names))
    fig, ax = plt.subplots(figsize=(8.4, 4.2), layout="constrained")
    ax.barh(y, floor[order], color="#DDDDDD", hatch="//", edgecolor="#AAAAAA", lw=0, label="floor of the images")
    ax.barh(y, excess[order], left=floor[order], color="#332288", label="excess of the model")
    for place, c in enumerate(order):
        ax.text(floor[c] + excess[c] / 2, place, f"{excess[c]:.0f}", ha="center", va="center", color="white")
    ax.set(xlabel="reconstruction loss, nats per image", ylim=(len(names) - 0.4, -0.6))
    ax.set_yticks(y, [names[c] for c in order])
    ax.grid(False, axis="y")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.15), ncols=2, frameon=False)
    best, worst = order[-1], order[0]
    fig.alt_text = (
        f"Bars of ten classes, floor and excess stacked, sorted by excess: {names[worst]} has the largest, "
        f"{excess[worst]:.0f} nats on a floor of {floor[worst]:.0f}; {names[best]} the least, {excess[best]:.0f} on "
        f"{floor[best]:.0f}."
    )
    return fig


def details(rows: dict[str, np.ndarray], signed: dict[str, np.ndarray], titles: Sequence[str]) -> Figure:
    """Draw rows of images (n, 28, 28, 1), and below them rows of signed differences on one scale."""
    heights = {"height_ratios": [len(rows), len(signed)], "layout": "constrained"}
    fig, (upper, lower) = plt.subplots(2, 1, figsize=(10.8, 4.2), **heights)
    limit = max(float(np.quantile(np.abs(list(signed.values())), 0.99)), 1e-9)
    draw_rows(upper, list(rows.values()), list(rows), titles)
    upper.tick_params(axis="x", labelsize=10)
    look = {"vmin": -limit, "vmax": limit, "cmap": "cividis"}
    picture = draw_rows(lower, list(signed.values()), list(signed), **look)
    fig.colorbar(picture, ax=lower, label="pixel value", aspect=12, extend="both")
    spread = ", ".join(f"{name} {images.std():.2f}" for name, images in signed.items())
    fig.alt_text = (
        f"{len(titles)} columns ({', '.join(titles)}), in rows: {', '.join(rows | signed)}. The signed rows share one "
        f"scale; their standard deviations over pixels: {spread}."
    )
    return fig


def draws_and_differences(x: np.ndarray, x_hat: np.ndarray, mean: np.ndarray) -> Figure:
    """Draw an input x, the mean of its decodes and some decodes, x_hat, above their differences from the mean."""
    fig, (upper, lower) = plt.subplots(2, 1, figsize=(10.8, 3.2), layout="constrained")
    change, nothing = x_hat - mean, np.full_like(x, np.nan)
    limit = float(np.quantile(np.abs(change), 0.995)) or 1e-9
    titles = ["input", "mean", *(f"draw {k + 1}" for k in range(len(x_hat)))]
    grey = draw_rows(upper, [[x, mean, *x_hat]], [], titles)
    look = {"cmap": "cividis", "vmin": -limit, "vmax": limit}
    signed = draw_rows(lower, [[nothing, nothing, *change]], [], **look)
    lower.text(56, 13.5, "minus mean", ha="right", va="center")
    fig.colorbar(grey, ax=upper, label="pixel value", ticks=[0, 0.5, 1], pad=0.01)
    fig.colorbar(signed, ax=lower, label="difference", extend="both", pad=0.01)
    fig.alt_text = (
        "An input, the mean of its decodes, and six decodes that look almost alike. Below each its difference from "
        f"the mean, in patches that lighten or darken together; the largest is {np.abs(change).max():.2f} of the scale."
    )
    return fig


def variance_split(parts: dict[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draw maps of variance, name -> (n, 28, 28, 1), a row for each part, all on one scale, under `names`."""
    top = max(float(maps.max()) for maps in parts.values())
    fig, ax = plt.subplots(figsize=(9.6, 4.7), layout="constrained")
    heat = draw_rows(ax, list(parts.values()), list(parts), names, cmap="magma", vmax=top)
    fig.colorbar(heat, ax=ax, label="variance of a pixel", shrink=0.9)
    largest = "; ".join(f"{' '.join(name.split())} up to {maps.max():.3f}" for name, maps in parts.items())
    fig.alt_text = (
        f"Heat maps of {len(parts)} variances in rows for {', '.join(names)}, all on one scale from 0 to {top:.2f}: "
        f"{largest}."
    )
    return fig


def error_of_the_mean(
    draws: Sequence[int], measured: Sequence[float], expected: np.ndarray, maps: Sequence[np.ndarray]
) -> Figure:
    """Draw the error of a mean of `draws` decodes beside the expected line, and the errors of one mean each, `maps`."""
    shapes = {"width_ratios": [2, len(maps)], "layout": "constrained"}
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.8, 3), **shapes)
    left.loglog(draws, expected, color="#CC6677", lw=2.5, label=r"$\sqrt{\mathrm{Var} / K}$")
    left.loglog(draws, measured, "o", color="#332288", ms=8, label="measured")
    left.set_xticks(draws, [str(k) for k in draws])
    left.set_yticks(expected, [f"{value:.4f}" for value in expected])
    left.minorticks_off()
    left.set(xlabel="draws K", ylabel="error of the mean", title="Four times the draws, half the error")
    left.legend(loc="lower left")
    limit = max(float(np.abs(maps[0]).max()), 1e-9)
    look = {"cmap": "cividis", "vmin": -limit, "vmax": limit}
    picture = draw_rows(right, [maps], [""], [f"K = {k}" for k in draws], **look)
    fig.colorbar(picture, ax=right, label="error, pixel value", shrink=0.8)
    fig.alt_text = (
        f"Left: the error of the mean falls along a line from {measured[0]:.4f} at {draws[0]} draws to "
        f"{measured[-1]:.4f} at {draws[-1]}. Right: the error of one mean each as maps, fainter and fainter."
    )
    return fig


def best_variance(
    sigma2_x: np.ndarray, nats: np.ndarray, marked: dict[str, tuple[float, float]], residuals: np.ndarray
) -> Figure:
    """Draw nats per image against the variance, (n,) each, points `marked` name -> (variance, nats), and residuals."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.9), layout="constrained")
    left.plot(sigma2_x, nats, color="#332288", lw=2.2)
    for (name, (v, cost)), marker in zip(marked.items(), "osD", strict=False):
        left.plot(v, cost, marker, ms=9, color="#CC6677", mec="white", zorder=3)
        text = f"{name}: {cost:,.0f} nats".replace("-", "−")
        costs = [cost for _, cost in marked.values()]
        place = {"xytext": (10, -12), "ha": "left"}
        if cost == min(costs):
            place = {"xytext": (0, -20), "ha": "center"}
        elif cost == max(costs):
            place = {"xytext": (-10, 2), "ha": "right"}
        left.annotate(text, (v, cost), textcoords="offset points", fontsize=10, **place)
    least, most = min(nats.min(), 0), max(cost for _, cost in marked.values())
    left.set(xscale="log", ylim=(least - 0.2 * (most - least), most + 0.3 * (most - least)))
    left.set_xlim(sigma2_x[0], sigma2_x[-1])
    left.set(title="The same x_hat under a Gaussian", xlabel="sigma2_x", ylabel="nats per image")
    right.hist(residuals.ravel(), np.linspace(-1, 1, 82), density=True, color="0.75", lw=0, label="residuals")
    line = np.linspace(-1, 1, 401)
    for (name, (v, _)), style in zip(list(marked.items())[:2], ("-", "--"), strict=False):
        density = np.exp(-(line**2) / (2 * v)) / np.sqrt(2 * np.pi * v)
        right.plot(line, density, style, lw=2.2, color="#CC6677", label=f"Gaussian: {name}")
    right.set(
        yscale="log", ylim=(3e-3, 300), xlabel="residual x − x_hat", ylabel="density", xticks=(-1, -0.5, 0, 0.5, 1)
    )
    right.set_title("What the pixels really miss by")
    right.legend(loc="upper left", fontsize=10)
    points = "; ".join(f"{name}: {cost:,.0f} nats at {v:.3g}" for name, (v, cost) in marked.items())
    far = np.mean(np.abs(residuals) > 0.5)
    fig.alt_text = (
        f"Left: nats per image against sigma2_x, a valley with its lowest point at {sigma2_x[nats.argmin()]:.3g}; "
        f"{points}. Right: a histogram of residuals, with a spike at 0 and long tails, {far:.1%} "
        "of them beyond one half, under two Gaussians."
    )
    return fig


def continuous_bernoulli(
    lam: np.ndarray, area: np.ndarray, mean: np.ndarray, x: np.ndarray, densities: dict[float, np.ndarray]
) -> Figure:
    """Draw the area under exp(-BCE) and the mean against the parameter, (n,) each, and densities of pixel values x."""
    fig, (left, centre, right) = plt.subplots(1, 3, figsize=(10.5, 3.6), layout="constrained")
    left.plot(lam, area, color="#332288", lw=2.2)
    left.axhline(1, color="0.4", ls=":", lw=1.8)
    left.text(0.5, 0.96, "a density", ha="center", va="top", fontsize=11)
    left.text(0.5, area.max() + 0.03, "exp(−BCE)", ha="center", color="#332288", fontsize=11)
    left.set(title="Area over all greys", xlabel="x_hat", xlim=(0, 1), ylim=(0, 1.08))
    looks = zip(("#332288", "#117733", "#CC6677"), ("-", "--", "-."), strict=True)
    for (p, density), (color, style) in zip(densities.items(), looks, strict=False):
        centre.plot(x, density, style, color=color, lw=2.2, label=f"{p:g}")
    centre.set(title="Continuous Bernoulli", xlabel="pixel x", ylabel="density", xlim=(0, 1), ylim=(0, None))
    centre.legend(title="parameter", loc="upper center", fontsize=10, title_fontsize=10)
    right.plot(lam, mean, color="#332288", lw=2.2, label="continuous Bernoulli")
    right.plot([0, 1], [0, 1], ":", color="0.4", lw=1.8, label="coin")
    right.set(title="Its mean", xlabel="parameter", ylabel="mean pixel", xlim=(0, 1), ylim=(0, 1))
    right.legend(loc="upper left", fontsize=10)
    fig.alt_text = (
        f"Left: the area under exp(−BCE) against x_hat, an arch from {area[0]:.2f} to {area.max():.2f} and back, far "
        f"below 1. Centre: densities for the parameters {', '.join(f'{p:g}' for p in densities)}. Right: the mean "
        f"against the parameter, an S from {mean[0]:.2f} to {mean[-1]:.2f} that is flatter than a coin's diagonal."
    )
    return fig


_NOTE = {"textcoords": "offset points", "fontsize": 11}


def rate_distortion(
    betas: np.ndarray, rate: np.ndarray, distortion: np.ndarray, images: dict[str, np.ndarray], own: tuple | None
) -> Figure:
    """Draw D against R of models (betas, seeds), lines of slope -beta, pictures of the first seed, and `own` as a star.

    `images`, in bytes, has test_images (n, 28, 28, 1) and, for each weight, reconstructions (betas, n, 28, 28, 1).
    """
    fig, (above, ax) = plt.subplots(2, 1, figsize=(10.5, 7.4), height_ratios=[1, 1.25], layout="constrained")
    middle = np.median(rate, axis=1), np.median(distortion, axis=1)  # (betas,) each
    ax.plot(*middle, color="#332288", lw=2, zorder=2)
    ax.plot(rate, distortion, "o", ms=6, color="#88CCEE", mec="#332288", zorder=3)
    ax.plot(rate[:, 0], distortion[:, 0], "o", ms=8, color="#332288", mec="white", zorder=4)
    for i, reach, end in ((2, 1.4, 0), (3, 0.9, 0), (4, 0.6, 1)):
        r = middle[0][i] + reach * np.array([-1, 1])
        d = middle[1][i] - betas[i] * (r - middle[0][i])
        ax.plot(r, d, "--", color="#CC6677", lw=1.8, zorder=3)
        ax.annotate(
            f"slope −{betas[i]:g}", (r[end], d[end]), (-6, -3), **_NOTE, color="#882255", ha="right", va="center"
        )
    if own:
        ax.plot(*own, "*", ms=17, color="#DDCC77", mec="black", zorder=5)
        ax.annotate("your model", own, (8, 10), **_NOTE)
    ax.set(xlabel="rate R = kl_loss, nats per image", ylabel="distortion D = recon_loss, nats per image")
    dark = "dark: the seed that is pictured\npale: other seeds; line: medians"
    ax.text(0.9, 0.42, dark, transform=ax.transAxes, ha="right", va="top", fontsize=11)
    above.axis("off")
    columns = {"test image": images["test_images"]}
    columns |= {f"beta {betas[i]:g}": images["reconstructions"][i] for i in reversed(range(len(betas)))}
    for k, (title, column) in enumerate(columns.items()):
        strip = above.inset_axes((k / 7 + 0.035, 0, 1 / 7 - 0.07, 0.92), title=title, xticks=[], yticks=[])
        strip.imshow(np.vstack(column[..., 0]), cmap="gray", vmin=0, vmax=255)
        strip.grid(False)
        if k:
            leader = {"xyA": (0.5, 0), "coordsA": strip.transAxes, "coordsB": ax.transData, "shrinkB": 6}
            fig.add_artist(ConnectionPatch(xyB=(rate[-k, 0], distortion[-k, 0]), ls=":", color="0.45", **leader))
    ends = [f"beta {b:g}: rate {rate[i, 0]:.2f}, distortion {distortion[i, 0]:.0f}" for i, b in enumerate(betas)]
    fig.alt_text = f"Distortion falls with rate, steeply at first. {'; '.join(ends)}. Above, reconstructions for each."
    return fig


def linear_curve(curve: np.ndarray, touching: dict[float, np.ndarray], betas: np.ndarray, rates: np.ndarray) -> Figure:
    """Draw the exact curve, (n, 2) pairs of R and D, with the points of some weights, and each latent's rate (n, d)."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.2), layout="constrained")
    left.plot(*curve.T, color="#332288", lw=2.4)
    width, height = np.ptp(curve, axis=0)
    for beta, (r, d) in touching.items():
        half = 0.2 / np.hypot(1 / width, beta / height)  # so that all lines are about as long
        line = np.array([-half, half])
        left.plot(r + line, d - beta * line, "--", color="#CC6677", lw=2)
        left.plot(r, d, "o", ms=8, color="#332288", mec="white", zorder=4)
        left.annotate(f"beta {beta:g}, slope −{beta:g}", (r, d), (10, 8), **_NOTE)
    left.set(xlabel="rate R, nats per image", ylabel="distortion D, squared error", title="The exact curve, linear VAE")
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.6, rates.shape[1]))
    for j, (rate, shade) in enumerate(zip(rates.T, shades, strict=True)):
        right.plot(betas, rate, color=shade, lw=2.2, ls="-" if j % 2 == 0 else "-.")
    for j, aligned, sign in ((0, "left", 1), (rates.shape[1] - 1, "right", -1))[: rates.shape[1]]:
        near = len(betas) // 4
        place = {"ha": aligned, "va": "bottom" if sign > 0 else "top", "color": shades[j]}
        right.annotate(f"latent {j + 1}", (betas[near], rates[near, j]), (6 * sign, 2 * sign), **_NOTE, **place)
    right.set(xscale="log", xlabel="beta", ylabel="rate of the latent, nats", title="The latents fall silent in turn")
    right.xaxis.set_major_formatter("{x:g}")
    silent = " and ".join(f"{betas[rate == 0].min():.0f}" for rate in rates.T[:2])
    fig.alt_text = (
        f"Left: distortion falls with rate along a convex curve, touched by lines of slope minus beta for beta = "
        f"{', '.join(f'{beta:g}' for beta in touching)}. Right: the rate of each of {rates.shape[1]} latents falls "
        f"with beta and is zero from about beta = {silent} on."
    )
    return fig


def codes_along_beta(betas: np.ndarray, variances: np.ndarray, samples: np.ndarray) -> Figure:
    """Draw the variances of mu, (betas, seeds, 2), and a row of samples for each weight, (betas, n, 28, 28, 1)."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.8, 4.6), width_ratios=[1, 1.15], layout="constrained")
    larger, smaller = variances.max(axis=2), variances.min(axis=2)  # (betas, seeds)
    for v, shift, color, marker, name in (
        (larger, 0.9, "#332288", "o", "larger of the two"),
        (smaller, 1.11, "#CC6677", "^", "smaller"),
    ):
        left.plot(betas * shift, v, marker, color=color, ms=7, mec="white", mew=0.8)
        left.plot([], [], marker, color=color, ms=7, label=name)
    left.axhline(0.01, color="0.2", ls=":", lw=1.8)
    left.annotate("active above 0.01", (betas[0], 0.01), (0, 4), **_NOTE)
    left.set(xscale="log", yscale="log", xlabel="beta", ylabel="variance of mu over the test images")
    left.set_title(f"Both latents, {variances.shape[1]} seeds")
    left.set_xticks(betas, [f"{beta:g}" for beta in betas])
    left.minorticks_off()
    left.legend(loc="upper right")
    draw_rows(right, samples, [f"beta {beta:g}" for beta in betas], vmax=255)
    right.set_title(f"The same {samples.shape[1]} draws from the prior, decoded")
    spans = [f"beta {b:g} {v.min():.4f} to {v.max():.2f}" for b, v in zip(betas, variances, strict=True)]
    fig.alt_text = f"Left: variances of mu: {'; '.join(spans)}. Right: a row of decoded prior draws for each beta."
    return fig


def codes_and_sheets(columns: dict[str, tuple], rows: dict[str, list[np.ndarray]]) -> Figure:
    """Draw where codes lie and are drawn, and what is decoded.

    `columns`: title -> (centres of images (N, 2), mean (2,) and covariance (2, 2) of the normal distribution that codes
    are drawn from); `rows`: name -> a list of samples (24, 28, 28, 1), one array for each column.
    """
    fig, axes = plt.subplots(1 + len(rows), len(columns), figsize=(11, 6.9), height_ratios=[2.5, 1, 1])
    fig.set_layout_engine("constrained", hspace=0, h_pad=0.06)
    angle, words = np.linspace(0, 2 * np.pi, 200), []
    for ax, (title, (mu, mean, covariance)) in zip(axes[0], columns.items(), strict=True):
        root = np.linalg.cholesky(covariance)
        ax.plot(*mu.T, ".", ms=3, mew=0, color="#888888")
        ring = mean[:, None] + 2 * root @ np.stack([np.cos(angle), np.sin(angle)])
        ax.plot(*ring, color="#CC6677", lw=2.4)
        ax.set(title=title, aspect="equal", xlabel="$z_1$")
        ax.locator_params(nbins=5)
        inside = np.linalg.norm(np.linalg.solve(root, (mu - mean).T), axis=0) < 2
        words.append(f"{title}: {inside.mean():.0%}")
    low = np.min([ax.dataLim.min for ax in axes[0]], axis=0)
    high = np.max([ax.dataLim.max for ax in axes[0]], axis=0)
    (x, y), half = (low + high) / 2, 0.54 * (high - low).max()
    for ax in axes[0]:
        ax.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
    axes[0, 0].set_ylabel("d = 2: $z_2$")
    for line, (name, sheets) in zip(axes[1:], rows.items(), strict=True):
        for ax, images in zip(line, sheets, strict=True):
            draw_rows(ax, images.reshape(-1, 8, 28, 28, 1), [])
        line[0].set_ylabel(f"{name}: samples")
    fig.alt_text = (
        "Above, the centres of images with two latents, and an ellipse that holds 86.5 % of the draws; the share of "
        f"centres that it holds: {', '.join(words)}. Below, 24 decoded draws each for {' and '.join(rows)}."
    )
    return fig


def cost_and_floor(images: dict[str, np.ndarray], cost: dict[str, np.ndarray], floor: dict[str, np.ndarray]) -> Figure:
    """Draw what images of several kinds cost, split at their floors, and cost against floor: name -> (n,) in nats."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=[1.25, 1], layout="constrained")
    kinds = sorted(cost, key=lambda name: cost[name].mean())
    for i, name in enumerate(kinds):
        low, high = floor[name].mean(), cost[name].mean()
        left.barh(i, low, color="#BBBBBB", height=0.7, label="floor" if i == 0 else None)
        left.barh(i, high - low, left=low, color="#332288", height=0.7, label="above the floor" if i == 0 else None)
        left.text(high + 12, i, f"{high:.0f}", va="center", fontsize=11)
        box = left.inset_axes([-0.12, (i + 0.1) / len(kinds), 0.1, 0.8 / len(kinds)])
        box.imshow(images[name], vmin=0, vmax=1)
        box.set(xticks=[], yticks=[])
    top = 1.12 * max(values.mean() for values in cost.values())
    left.set(yticks=range(len(kinds)), yticklabels=kinds, ylim=(-0.5, len(kinds) - 0.5), xlim=(0, top))
    left.set(xlabel="nats per image", title="−log p, mean of each kind")
    left.tick_params(axis="y", length=0, pad=42)
    left.grid(axis="y", visible=False)
    left.legend(loc="lower right")
    right.plot(floor["clothes"], cost["clothes"], ".", ms=6, mew=0, color="#117733", label="one garment")
    ends = (0, 1.05 * max(values.max() for values in floor.values()))
    right.plot(ends, ends, "--", color="#444444", lw=1.2, label="−log p = floor")
    for name in kinds:
        if name != "clothes":
            at, leftward = (floor[name].mean(), cost[name].mean()), floor[name].mean() > 0.7 * ends[1]
            right.plot(*at, "s", ms=7, color="#332288")
            look = {"textcoords": "offset points", "fontsize": 10.5, "va": "center"}
            right.annotate(
                name, at, (-9 if leftward else 9, -16 if at[1] < 60 else 1), ha="right" if leftward else "left", **look
            )
    right.set(
        xlabel="floor, nats per image",
        ylabel="−log p, nats per image",
        ylim=(-0.07 * top, top),
        xlim=(-0.04 * top, ends[1]),
    )
    right.set_title("−log p against the floor")
    right.legend(loc="lower right")
    means = ", ".join(f"{name} {cost[name].mean():.0f} ({floor[name].mean():.0f})" for name in kinds)
    fig.alt_text = (
        f"Left, bars of −log p for each kind, and in brackets the floor, in nats: {means}. Right, −log p of single "
        "garments rises with their floors, above the dashed line where the two are equal; squares are other kinds."
    )
    return fig


def gains(losses: dict[str, np.ndarray], baseline: str) -> Figure:
    """Draw a dot for each seed's test loss, name -> (seeds,) in nats, a row for each name; a line marks `baseline`."""
    fig, ax = plt.subplots(figsize=(8.5, 0.45 * len(losses) + 1.1), layout="constrained")
    ax.axvline(losses[baseline].mean(), color="#444444", lw=1.2, ls="--")
    for i, values in enumerate(losses.values()):
        ax.plot(values, np.full(len(values), i), "o", ms=8, mfc="none", mew=1.6, color="#332288")
        ax.text(values.max() + 0.5, i, f"{values.mean():.1f}", va="center", fontsize=11)
    ax.set_yticks(range(len(losses)), losses)
    ax.set(ylim=(len(losses) - 0.5, -0.5), xlabel="test loss, nats per image")
    ax.set_xlim(right=max(values.max() for values in losses.values()) + 3)
    ax.set_title("A circle for each seed, and the mean; dashed: the course's model")
    means = ", ".join(f"{name} {values.mean():.1f}" for name, values in losses.items())
    fig.alt_text = f"Test losses of five seeds for each of {len(losses)} settings; means in nats: {means}."
    return fig


def bounds_and_reach(bounds: dict[int, float], log_p: float, missed: np.ndarray, gap: np.ndarray) -> Figure:
    """Draw mean importance bounds by number of draws below `log_p`, and for each image `gap` against `missed`, nats."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    draws, means = list(bounds), list(bounds.values())
    left.axhline(log_p, color="#117733", lw=2.5)
    left.plot(draws, means, "o-", color="#332288", lw=2, ms=6)
    room = log_p - means[0]
    left.text(draws[0], log_p + 0.03 * room, "log p(x) by the grid", color="#117733", va="bottom")
    left.text(draws[0], means[0] - 0.05 * room, "ELBO", color="#332288", va="top")
    left.text(draws[-1], means[-1] - 0.22 * room, "bound of K draws", color="#332288", ha="right", va="top")
    left.set(xscale="log", xlabel="K, draws in each bound", ylabel="nats per image", title="Mean over the images")
    left.set_xticks(draws, [str(k) for k in draws])
    left.minorticks_off()
    left.set_ylim(means[0] - 0.15 * room, log_p + 0.15 * room)
    low, high = 0.01, 2 * max(missed.max(), gap.max(), 0.1)
    right.plot([low, high], [low, high], "--", color="#666666", lw=1.5)
    shown = [np.clip(values, 1.3 * low, None) for values in (missed, gap)]
    right.plot(*shown, "o", color="#332288", mec="white", mew=0.6, ms=5)
    right.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    right.set(xlabel="−log s, nats", ylabel="missing with 100 draws, nats", title="One point for each image")
    words = "dashed: equal\nat the edge: below 0.01"
    right.text(0.04, 0.96, words, transform=right.transAxes, va="top", size=10, color="#444444")
    over = ", ".join(f"{mean:.1f} for {k}" for k, mean in bounds.items())
    near = (np.abs(np.log(missed[gap > 1] / gap[gap > 1])) < np.log(2)).sum()
    fig.alt_text = (
        f"Left: the mean bound by its number of draws, {over}; the line of log p is at {log_p:.1f} nats. Right: for "
        f"{len(gap)} images, what 100 draws miss against minus log s, up to {gap.max():.0f} nats. Of the "
        f"{(gap > 1).sum()} that miss more than one nat, {near} lie within a factor of two of equal values, dashed."
    )
    return fig


def posteriors(
    windows: list[tuple[np.ndarray, np.ndarray]],
    images: np.ndarray,
    q: tuple[np.ndarray, np.ndarray],
    q_star: tuple[np.ndarray, np.ndarray],
    titles: list[str],
) -> Figure:
    """Draw for each image its posterior, filled, in a window (axes, log joint); ellipses of q and q*, (mu, logvar)."""
    fig, axes = plt.subplots(1, len(windows), figsize=(11, 4.7), layout="constrained")
    for n, (ax, ((z_1, z_2), log_joint)) in enumerate(zip(axes, windows, strict=True)):
        p = np.exp(log_joint - log_joint.max())
        ordered = np.sort(p, axis=None)[::-1]
        held = np.cumsum(ordered) / ordered.sum()
        levels = [ordered[np.searchsorted(held, 1 - np.exp(-0.5 * r**2))] for r in (3, 2, 1)]
        ax.contourf(z_1, z_2, p, levels=np.unique([*levels, 1.001]), colors=["#CFE0EE", "#8FBBDB", "#3F7FB2"])
        for (mu, logvar), color, style in ((q, "#AA3355", "--"), (q_star, "#000000", "-")):
            for radius in (1, 2, 3):
                look = {"fill": False, "ec": color, "ls": style, "lw": 1.7}
                ring = patches.Ellipse(mu[n], *(2 * radius * np.exp(0.5 * logvar[n])), **look)
                ring.set_path_effects([patheffects.withStroke(linewidth=3.2, foreground="white")])
                ax.add_patch(ring)
        top = z_2[-1] + 0.36 * (z_2[-1] - z_2[0])  # room for the image
        ax.set(xlim=z_1[[0, -1]], ylim=(z_2[0], top), aspect="equal", xlabel="$z_1$", title=titles[n])
        ax.locator_params(nbins=5)
        ax.grid(False)
        inset = ax.inset_axes([0.02, 0.75, 0.23, 0.23])
        inset.imshow(images[n].squeeze(), cmap="gray", vmin=0, vmax=1)
        inset.axis("off")
    axes[0].set_ylabel("$z_2$")
    handles = [
        patches.Patch(color="#3F7FB2", label="posterior: 39, 86, 99 %"),
        plt.Line2D([], [], color="#AA3355", ls="--", lw=1.7, label="the encoder's q: 1, 2, 3 sigma"),
        plt.Line2D([], [], color="#000000", lw=1.7, label="q*, the best of its kind"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    off = np.linalg.norm((q[0] - q_star[0]) / np.exp(0.5 * q_star[1]), axis=1)
    said = "; ".join(f"{title}, q lies {far:.1f} sigma from q*" for title, far in zip(titles, off, strict=True))
    fig.alt_text = f"Panels of the plane with filled posteriors, dashed ellipses of q and solid ones of q*: {said}."
    return fig
