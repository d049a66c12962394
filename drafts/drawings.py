"""The further diagrams of the drafts; they belong into `notebooks/drawings.py`.

Each function takes arrays, returns a matplotlib Figure that carries its own alternative text (`fig.alt_text`), and
neither trains, loads nor shows anything.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure

from plane_explorer import names_apart, on_sheet
from vae_plots import plot_latent_grid, two_latents


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
    ax.set(xlabel="distance from mu, in sigmas", ylabel="loss less that of mu, nats", xlim=(t[0], t[-1]))
    ax.set(ylim=(-1.9, 4), title="The loss around mu")
    ax.legend(loc="upper center", framealpha=1)
    right, left = (means[0, np.abs(t - side).argmin()] for side in (1, -1))
    fig.alt_text = (
        f"Loss less that of mu against the distance from mu. The mean over {rise.shape[2]} images is a bowl: one sigma "
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
    fig, axes = plt.subplots(len(rows) + len(signed), len(titles), figsize=(10.8, 3.9), layout="constrained")
    limit = max(float(np.quantile(np.abs(np.stack(list(signed.values()))), 0.99)), 1e-9)
    for line, (name, images) in zip(axes, (rows | signed).items(), strict=True):
        low, high, cmap = (-limit, limit, "cividis") if name in signed else (0, 1, "gray")
        for ax, image in zip(line, images, strict=True):
            picture = ax.imshow(image.squeeze(), vmin=low, vmax=high, cmap=cmap)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=10)
    fig.colorbar(picture, ax=axes[len(rows) :], label="pixel value", aspect=12, extend="both")
    spread = ", ".join(f"{name} {images.std():.2f}" for name, images in signed.items())
    fig.alt_text = (
        f"{len(titles)} columns ({', '.join(titles)}), in rows: {', '.join(rows | signed)}. The signed rows share one "
        f"scale; their standard deviations over pixels: {spread}."
    )
    return fig


def draws_and_differences(x: np.ndarray, x_hat: np.ndarray, mean: np.ndarray) -> Figure:
    """Draw an input x above the mean of its decodes, and six decodes, x_hat, above their differences from the mean."""
    fig, axes = plt.subplots(2, 7, figsize=(10.8, 3.5), layout="constrained")
    change = x_hat - mean
    limit = float(np.quantile(np.abs(change), 0.995)) or 1e-9
    for ax, image, title in ((axes[0, 0], x, "input"), (axes[1, 0], mean, "mean")):
        ax.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1)
        ax.set_title(title)
    for k, (upper, lower) in enumerate(axes[:, 1:].T):
        grey = upper.imshow(x_hat[k].squeeze(), cmap="gray", vmin=0, vmax=1)
        signed = lower.imshow(change[k].squeeze(), cmap="cividis", vmin=-limit, vmax=limit)
        upper.set_title(f"draw {k + 1}")
        lower.set_title("less mean")
    for ax in axes.flat:
        ax.axis("off")
    fig.colorbar(grey, ax=axes[0], label="pixel value", ticks=[0, 0.5, 1], pad=0.01)
    fig.colorbar(signed, ax=axes[1], label="difference", extend="both", pad=0.01)
    fig.alt_text = (
        "An input, the mean of its decodes, and six decodes that look almost alike. Below each its difference from "
        f"the mean, in patches that lighten or darken together; the largest is {np.abs(change).max():.2f} of the scale."
    )
    return fig


def variance_split(parts: dict[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draw maps of variance, name -> (n, 28, 28, 1), a row for each part, all on one scale, under `names`."""
    top = max(float(maps.max()) for maps in parts.values())
    fig, axes = plt.subplots(len(parts), len(names), figsize=(9.6, 4.7), layout="constrained", squeeze=False)
    for line, (name, maps) in zip(axes, parts.items(), strict=True):
        for ax, image in zip(line, maps, strict=True):
            heat = ax.imshow(image.squeeze(), cmap="magma", vmin=0, vmax=top)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(name)
    fig.colorbar(heat, ax=axes, label="variance of a pixel", shrink=0.9)
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
    shapes = {"width_ratios": [2] + [1] * len(maps), "layout": "constrained"}
    fig, (left, *axes) = plt.subplots(1, 1 + len(maps), figsize=(10.8, 3), **shapes)
    left.loglog(draws, expected, color="#CC6677", lw=2.5, label=r"$\sqrt{\mathrm{Var} / K}$")
    left.loglog(draws, measured, "o", color="#332288", ms=8, label="measured")
    left.set_xticks(draws, [str(k) for k in draws])
    left.set_yticks(expected, [f"{value:.4f}" for value in expected])
    left.minorticks_off()
    left.set(xlabel="draws K", ylabel="error of the mean", title="Four times the draws, half the error")
    left.legend(loc="lower left")
    limit = max(float(np.abs(maps[0]).max()), 1e-9)
    for ax, k, image in zip(axes, draws, maps, strict=True):
        picture = ax.imshow(image.squeeze(), cmap="cividis", vmin=-limit, vmax=limit)
        ax.set_title(f"K = {k}")
        ax.axis("off")
    fig.colorbar(picture, ax=axes, label="error, pixel value", shrink=0.8)
    fig.alt_text = (
        f"Left: the error of the mean falls along a line from {measured[0]:.4f} at {draws[0]} draws to "
        f"{measured[-1]:.4f} at {draws[-1]}. Right: the error of one mean each as maps, fainter and fainter."
    )
    return fig
