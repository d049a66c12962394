"""What the plots promise: every statement reads a figure back, as its reader sees it, from arrays made up here."""

import re
from functools import cache

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import colors, patches

import vae_plots as vp
from fashion_mnist import CLASS_NAMES

matplotlib.use("Agg")

RNG = np.random.default_rng(0)
CENTRES = RNG.uniform(-2.5, 2.5, size=(10, 8))
N = 120
WIDE = {1: (0,), 2: (0, 1), 8: (2, 5)}  # the columns of largest variance, per number of latents


def made_up_codes(d, seed=1):
    """Return mu, logvar and y, class after class; of eight latents, columns 2 and 5 vary most, column 5 more."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(10), N // 10)
    mu = CENTRES[y, :d] + rng.normal(size=(N, d)) * 0.3
    if d == 8:
        mu *= np.array([0.1, 0.3, 1, 0.2, 0.1, 1.3, 0.3, 0.2])
    return mu, rng.uniform(-4, -1, size=(N, d)), y


@cache
def drawn_once(plot, d):
    """Return a plot of the made-up codes: drawn for the first test that reads it, and kept for the others."""
    mu, logvar, y = made_up_codes(d)
    return vp.plot_clouds(mu, logvar, y, n_per_class=3) if plot == "plot_clouds" else getattr(vp, plot)(mu, y)


def made_up_images(*leading, seed=2):
    """Return images of a grey between 0.2 and 0.7, no two alike and none like its mirror image."""
    return np.random.default_rng(seed).uniform(0.2, 0.7, size=(*leading, 28, 28, 1)).astype("float32")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def seen(ax):
    """Return the grey that a reader sees, from black, 0, to white, 1, row 0 at the top; NaN where nothing is drawn."""
    (image,) = ax.images
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    rgb = image.to_rgba(shown)[..., :3]
    np.testing.assert_array_equal(rgb.min(axis=-1), rgb.max(axis=-1), "the image is not grey")
    upright, mirrored = ax.yaxis_inverted(), ax.xaxis_inverted()
    return np.where(np.isnan(shown), np.nan, rgb[..., 0])[:: 1 if upright else -1, :: -1 if mirrored else 1]


def ticks(axis):
    return dict(zip(axis.get_ticklocs(), [label.get_text() for label in axis.get_ticklabels()], strict=True))


def around(sheet, x, y):
    """Return the 28×28 pixels of a sheet whose centre is at (x, y)."""
    return sheet[round(y - 13.5) : round(y + 14.5), round(x - 13.5) : round(x + 14.5)]


def assert_rows(ax, images, names, titles):
    """What is seen beside each name and under each title is its image, and nothing else is drawn."""
    sheet, places = seen(ax), (ticks(ax.yaxis), ticks(ax.xaxis))
    assert [list(place.values()) for place in places] == [list(names), list(titles)]
    for y, row in zip(places[0], images, strict=True):
        for x, image in zip(places[1], row, strict=True):
            np.testing.assert_allclose(around(sheet, x, y), np.squeeze(image), atol=0.005)
    assert np.isfinite(sheet).sum() == 28 * 28 * len(names) * len(titles)


def points(ax):
    """Return places and colours of the scattered points in the order in which they are drawn."""
    (cloud,) = ax.collections
    return np.asarray(cloud.get_offsets()), cloud.get_facecolors()


def class_of_color(rgba):
    return [colors.to_hex(color) for color in vp.CLASS_COLORS].index(colors.to_hex(rgba).lower())


def row_of(place, mu):
    """Return the row of mu that a place shows; the heights of a single latent say nothing."""
    columns = WIDE[mu.shape[1]]
    (row,) = np.flatnonzero(np.isclose(mu[:, columns], place[: len(columns)], rtol=0, atol=1e-9).all(axis=1))
    return int(row)


def radii(ax):
    """Return the radii of the circles around the origin."""
    circles = [p for p in ax.patches if isinstance(p, patches.Circle)]
    assert all(tuple(c.center) == (0, 0) and not c.get_fill() for c in circles)
    return sorted(c.radius for c in circles)


def ellipses(ax):
    return [p for p in ax.patches if type(p) is patches.Ellipse]


# ------------------------------------------------------------------------------------------------- class colours


def test_ten_classes_have_ten_colours_that_can_be_told_apart():
    rgb = np.array([colors.to_rgb(color) for color in vp.CLASS_COLORS])
    assert len(rgb) == 10
    apart = np.linalg.norm(rgb[:, None] - rgb, axis=2)[~np.eye(10, dtype=bool)]
    assert apart.min() > 0.2


# --------------------------------------------------------------------------------------------------------- show


@pytest.fixture
def displayed(monkeypatch):
    """Return the list of what IPython.display.display receives from now on."""
    received = []
    monkeypatch.setattr(vp, "display", lambda *objects, **options: received.append((objects, options)))
    return received


@pytest.mark.parametrize("alt", [None, "Two clouds of noise."])
def test_show_displays_the_figure_with_its_own_or_the_given_alternative_text_and_closes_it(displayed, alt):
    fig = vp.plot_images(made_up_images(2))
    vp.show(fig, alt)
    assert displayed == [((fig,), {"metadata": {"image/png": {"alt": alt or fig.alt_text}}})]
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize("alt", [None, ""])
def test_show_refuses_a_figure_without_alternative_text(displayed, alt):
    with pytest.raises(ValueError, match="alternative text"):
        vp.show(plt.figure(), alt)
    assert not displayed


# ------------------------------------------------------------------------------------------------------- images


def titled(fig):
    """Return what is seen under each title of `plot_images`, in the order of reading."""
    (ax,) = fig.axes
    sheet = seen(ax)
    return [(t.get_text(), around(sheet, t.get_position()[0], t.get_position()[1] + 15)) for t in ax.texts]


def test_plot_images_fills_rows_from_the_left_each_image_under_its_title():
    images, names = made_up_images(5), [f"image {i}" for i in range(5)]
    fig = vp.plot_images(images, names, columns=3)
    for (title, image), name, wanted in zip(titled(fig), names, images, strict=True):
        assert title == name
        np.testing.assert_allclose(image, wanted[..., 0], atol=0.005)
    places = np.array([text.get_position() for text in fig.axes[0].texts])
    assert (np.diff(places[:3, 0]) > 28).all() and len(set(places[:3, 1])) == 1
    np.testing.assert_array_equal(places[3:, 0], places[:2, 0])
    assert places[3, 1] > places[0, 1] + 28
    assert np.isfinite(seen(fig.axes[0])).sum() == 5 * 28 * 28


@pytest.mark.parametrize("seed", [42, 1, 2])
def test_every_class_that_is_there_shows_the_image_that_the_exercise_draws_by_lot_under_its_name(seed):
    x, y = made_up_images(50), np.tile([9, 3, 0, 3, 7], 10)
    rng = np.random.default_rng(seed)
    picked = [rng.choice(np.where(y == c)[0]) for c in (0, 3, 7, 9)]
    for (title, image), i in zip(titled(vp.plot_one_per_class(x, y, seed)), picked, strict=True):
        assert title == CLASS_NAMES[y[i]]
        np.testing.assert_allclose(image, x[i, ..., 0], atol=0.005)


def test_reconstructions_stand_under_their_originals_each_row_by_its_name():
    rows = [made_up_images(3, seed=seed) for seed in (2, 3, 4)]
    titles = ["first", "second", "third"]
    fig = vp.plot_reconstructions(rows[0], {"original": rows[1], "a draw": rows[2]}, titles)
    assert_rows(*fig.axes, rows, ["original", "original", "a draw"], titles)


def test_an_interpolation_runs_to_the_right_one_path_a_row():
    images, steps = made_up_images(2, 4), ["0", "1/3", "2/3", "1"]
    fig = vp.plot_interpolation(images, steps, ["bag to boot", "bag to boot"])
    assert_rows(*fig.axes, images, ["bag to boot"] * 2, steps)


# ----------------------------------------------------------------------------------------------------- training

HISTORY = {
    "loss": [300.0, 260.0, 250.0],
    "recon_loss": [290.0, 252.0, 243.0],
    "kl_loss": [5.0, 6.0, 7.5],
    "val_loss": [270.0, 262.0, 255.0],
    "val_recon_loss": [261.0, 254.0, 247.0],
    "val_kl_loss": [5.5, 6.5, 7.0],
}


def test_each_panel_of_a_history_shows_training_solid_and_held_out_dashed_and_the_legend_says_so():
    fig = vp.plot_history(HISTORY)
    looks = {"training images": ("-", vp.TRAINING), "held-out images": ("--", vp.HELD_OUT)}
    assert [ax.get_title() for ax in fig.axes] == ["loss", "recon_loss", "kl_loss"]
    for ax in fig.axes:
        wanted = {"training images": HISTORY[ax.get_title()], "held-out images": HISTORY["val_" + ax.get_title()]}
        lines = {line.get_label(): line for line in ax.lines}
        assert {name: list(line.get_ydata()) for name, line in lines.items()} == wanted
        assert list(lines["held-out images"].get_xdata()) == [1, 2, 3]
        assert all((line.get_linestyle(), line.get_color()) == looks[name] for name, line in lines.items())
    assert fig.axes[0].get_ylabel() == "nats per image"
    (legend,) = fig.legends
    shown = [(handle.get_linestyle(), handle.get_color()) for handle in legend.legend_handles]
    assert dict(zip([text.get_text() for text in legend.get_texts()], shown, strict=True)) == looks


# As in the course's own training: 369 and 348, then 294 down to 261.
STEEP = {name: [369, 294, 276, 270, 268, 261] for name in ("loss", "recon_loss", "kl_loss")}
STEEP |= {f"val_{name}": [348, 284, 276, 273, 268, 265] for name in STEEP}


@pytest.mark.parametrize(
    ("history", "shown", "hidden", "texts"),
    [
        (HISTORY, 270, 300, ["training, epoch 1: 300"]),
        (STEEP, 294, 348, ["training, epoch 1: 369", "held-out, epoch 1: 348"]),
    ],
)
def test_only_first_epochs_far_above_all_others_are_cut_off_and_their_values_written(history, shown, hidden, texts):
    ax = vp.plot_history(history).axes[0]
    low, high = ax.get_ylim()
    assert low < min(history["loss"]) < shown < high < hidden
    assert [text.get_text() for text in ax.texts] == texts


@pytest.mark.parametrize("epochs", [1, 2])
@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.filterwarnings("error")
def test_a_short_history_shows_every_epoch_or_writes_its_value(epochs, held_out):
    history = {name: row[:epochs] for name, row in HISTORY.items() if held_out or not name.startswith("val_")}
    fig = vp.plot_history(history)
    for ax in fig.axes:
        low, high = ax.get_ylim()
        hidden = [v for line in ax.lines for v in line.get_ydata() if not low <= v <= high]
        assert len(hidden) == len(ax.texts)
        assert len(ax.lines) == 1 + held_out
        assert not hidden or epochs + held_out > 2, "one value is no scale: nothing is far above it"


# -------------------------------------------------------------------------------------------------------- codes


def test_the_two_latents_of_a_plane_are_those_that_vary_most_in_their_order():
    mu = RNG.normal(size=(500, 5)) * np.array([0.1, 2.0, 0.5, 0.2, 1.0]) + np.array([9, 0, 0, 5, 0])
    assert vp.two_latents(mu) == (1, 4)
    assert vp.two_latents(mu[:, ::-1]) == (0, 3)
    assert vp.two_latents(mu[:, :2]) == (0, 1)
    assert vp.two_latents(mu[:, :1]) == (0, 0)


@pytest.mark.parametrize("d", [1, 2, 8])
def test_every_point_of_the_scatter_is_a_code_in_the_colour_of_its_class(d):
    mu, _, y = made_up_codes(d)
    places, faces = points(drawn_once("plot_latent_scatter", d).axes[0])
    rows = [row_of(place, mu) for place in places]
    assert sorted(rows) == list(range(N))
    assert [class_of_color(face) for face in faces] == list(y[rows])


def test_the_points_of_a_single_latent_lie_in_the_row_of_their_class():
    mu, _, y = made_up_codes(1)
    ax = drawn_once("plot_latent_scatter", 1).axes[0]
    for place in points(ax)[0]:
        assert ticks(ax.yaxis)[np.round(place[1])] == CLASS_NAMES[y[row_of(place, mu)]]


@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_clouds"])
def test_no_class_is_drawn_after_another(plot):
    ax = drawn_once(plot, 2).axes[0]
    drawn = points(ax)[1] if plot == "plot_latent_scatter" else [cloud.get_edgecolor() for cloud in ellipses(ax)]
    classes = [class_of_color(color) for color in drawn]
    assert np.count_nonzero(np.diff(classes)) > 0.7 * len(classes)
    assert np.abs(np.corrcoef(classes, np.arange(len(classes)))[0, 1]) < 0.5


@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_clouds"])
def test_every_class_is_named_with_a_line_to_the_median_of_its_codes(plot):
    mu, _, y = made_up_codes(2)
    ax = drawn_once(plot, 2).axes[0]
    medians = {CLASS_NAMES[c]: np.median(mu[y == c], axis=0) for c in range(10)}
    assert sorted(text.get_text().strip() for text in ax.texts) == sorted(CLASS_NAMES)
    for text in ax.texts:
        name = text.get_text().strip()
        (line,) = [
            ln for ln in ax.lines if np.allclose(ln.get_xydata()[0], text.get_position()) and len(ln.get_xydata()) == 2
        ]
        np.testing.assert_allclose(line.get_xydata()[1], medians[name])
        (dot,) = [ln for ln in ax.lines if len(ln.get_xydata()) == 1 and np.allclose(ln.get_xydata()[0], medians[name])]
        assert CLASS_NAMES[class_of_color(dot.get_color())] == name


@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_class_maps", "plot_clouds"])
def test_circles_hold_as_much_of_the_prior_as_the_titles_say(plot):
    for ax in drawn_once(plot, 2).axes:
        share = 100 * (1 - np.exp(-np.square(radii(ax)) / 2))
        np.testing.assert_allclose(share, [39.3, 86.5, 98.9], atol=0.05)
        assert ax.get_aspect() == 1
        assert "z_" not in ax.get_title()
        assert plot == "plot_class_maps" or (ax.get_xlabel(), ax.get_ylabel()) == ("$z_{1}$", "$z_{2}$")
        assert min(-np.array([ax.get_xlim()[0], ax.get_ylim()[0]])) > 3


@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_class_maps"])
def test_a_single_latent_has_lines_at_1_2_and_3_sigma_of_the_prior(plot):
    for ax in drawn_once(plot, 1).axes:
        upright = [ln.get_xdata() for ln in ax.lines if list(ln.get_ydata()) == [0, 1]]
        assert sorted(x[0] for x in upright if x[0] == x[1]) == [-3, -2, -1, 1, 2, 3]


@pytest.mark.parametrize("d", [1, 2, 8])
def test_each_class_map_shows_its_class_dark_all_codes_pale_and_its_median_coloured(d):
    mu, _, y = made_up_codes(d)
    axes = drawn_once("plot_class_maps", d).axes
    assert sorted(ax.get_title() for ax in axes) == sorted(CLASS_NAMES)
    for ax in axes:
        c = CLASS_NAMES.index(ax.get_title())
        clouds = [line for line in ax.lines if line.get_marker() == "."]
        pale, dark = sorted(clouds, key=lambda line: -sum(colors.to_rgb(line.get_color())))
        assert dark.zorder > pale.zorder or ax.lines.index(dark) > ax.lines.index(pale)
        assert sorted(row_of(place, mu) for place in pale.get_xydata()) == list(range(N))
        assert sorted(row_of(place, mu) for place in dark.get_xydata()) == list(np.flatnonzero(y == c))
        (dot,) = [line for line in ax.lines if line.get_marker() == "o"]
        assert class_of_color(dot.get_color()) == c
        columns = WIDE[d]
        np.testing.assert_allclose(dot.get_xydata()[0, : len(columns)], np.median(mu[y == c][:, columns], axis=0))


@pytest.mark.parametrize("d", [1, 2, 8])
def test_a_cloud_is_one_sigma_wide_around_its_mu_in_the_colour_of_its_class(d):
    mu, logvar, y = made_up_codes(d)
    clouds = ellipses(drawn_once("plot_clouds", d).axes[0])
    rows = [row_of(cloud.center, mu) for cloud in clouds]
    assert list(np.bincount(y[rows])) == [3] * 10
    assert len(set(rows)) == 30
    sigma = np.exp(logvar / 2)[rows][:, WIDE[d]]
    drawn = np.array([(cloud.width, cloud.height) for cloud in clouds])[:, : len(WIDE[d])]
    np.testing.assert_allclose(drawn, 2 * sigma)
    assert not any(cloud.angle for cloud in clouds)
    for edge in (True, False):
        shown = [class_of_color(cloud.get_edgecolor() if edge else cloud.get_facecolor()) for cloud in clouds]
        assert shown == list(y[rows])


@pytest.mark.parametrize("d", [1, 2])
def test_every_cloud_lies_inside_its_plot(d):
    mu, y = np.linspace(-5, 5, 10)[:, None] * np.ones(d), np.arange(10)
    ax = vp.plot_clouds(mu, np.zeros((10, d)), y).axes[0]
    assert ax.get_xlim()[0] < -6 and ax.get_xlim()[1] > 6
    assert d == 1 or ax.get_ylim()[1] > 6


@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_class_maps", "plot_clouds"])
def test_of_more_than_two_latents_title_and_axes_name_the_two(plot):
    fig = drawn_once(plot, 8)
    title = fig.get_suptitle() or fig.axes[0].get_title()
    assert re.findall(r"z_\{(\d+)\}", title) == ["3", "6"]
    assert "of 8 latents" in title
    lower_left = fig.axes[-5] if plot == "plot_class_maps" else fig.axes[0]
    assert (lower_left.get_xlabel(), lower_left.get_ylabel()) == ("$z_{3}$", "$z_{6}$")


@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_clouds"])
def test_axes_that_are_given_are_drawn_in(plot):
    mu, logvar, y = made_up_codes(2)
    fig, axes = plt.subplots(1, 2)
    args = (mu, logvar, y, 1) if plot == "plot_clouds" else (mu, y)
    assert getattr(vp, plot)(*args, ax=axes[1]) is fig
    assert axes[1].get_title()
    assert not axes[0].has_data()


@pytest.mark.parametrize("d", [1, 2])
def test_texts_name_the_nearest_classes_the_smallest_and_the_largest(d):
    """Of a single latent the heights are the rows of the classes, and say nothing about distance or size."""
    y = np.repeat(np.arange(10), 40)
    spread = np.array([4, 5, 6, 1, 5, 4, 5, 40, 5, 6])[y, None] / 100
    mu = RNG.normal(size=(400, d)) * spread
    mu[:, 0] += np.array([0, 3, 6, 9, 12, 15, 18, 21, 24, 0.5])[y]
    scatter, maps = vp.plot_latent_scatter(mu, y).alt_text, vp.plot_class_maps(mu, y).alt_text
    for text in (scatter, maps):
        assert f"those of {CLASS_NAMES[0]} and {CLASS_NAMES[9]}." in text
    assert f"{CLASS_NAMES[3]} takes the smallest area, {CLASS_NAMES[7]} the largest" in maps


# -------------------------------------------------------------------------------------------------------- sheet


def sheet_codes(rows, columns, d, dims):
    """Return codes (rows, columns, d): dims[0] grows to the right, dims[1] upwards, all others are 0."""
    z = np.zeros((rows, columns, d))
    z[..., dims[0]], z[..., dims[1]] = np.linspace(-1.5, 2, columns), np.linspace(2.5, -1, rows)[:, None]
    return z


@pytest.mark.parametrize(("d", "dims"), [(2, (0, 1)), (2, (1, 0)), (8, (2, 5)), (8, (5, 2))])
def test_a_cell_of_the_sheet_lies_at_the_ticks_of_its_code(d, dims):
    """Each image has its own pattern: whatever lies at a pair of ticks must be the image decoded from that pair."""
    z, images = sheet_codes(3, 4, d, dims), made_up_images(3, 4)
    fig = vp.plot_latent_grid(images, z)
    (ax,) = fig.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == tuple(f"$z_{{{i + 1}}}$" for i in dims)
    (sheet,) = ax.images
    assert sheet.origin == "upper"
    assert sheet.get_extent() == [-0.5, 4 * 28 - 0.5, 3 * 28 - 0.5, -0.5]
    visible = seen(ax)
    read = [[(at, float(text.replace("−", "-"))) for at, text in ticks(a).items()] for a in (ax.xaxis, ax.yaxis)]
    assert [len(labels) for labels in read] == [4, 3]
    for x, right in read[0]:
        for y, up in read[1]:
            off = np.abs(z[..., dims[0]] - right) + np.abs(z[..., dims[1]] - up)
            row, column = np.unravel_index(off.argmin(), off.shape)
            assert off[row, column] < 0.11, "the labels are rounded to one digit"
            np.testing.assert_allclose(around(visible, x, y), images[row, column, ..., 0], atol=0.005)


def test_the_sheet_of_a_single_latent_is_read_row_by_row():
    images = made_up_images(3, 3)
    (ax,) = vp.plot_latent_grid(images, np.linspace(-2, 2, 9).reshape(3, 3, 1)).axes
    visible = seen(ax)
    for row, column in np.ndindex(3, 3):
        cell = around(visible, 28 * column + 13.5, 28 * row + 13.5)
        np.testing.assert_allclose(cell, images[row, column, ..., 0], atol=0.005)
    assert ticks(ax.yaxis) == {13.5: "-2.0", 41.5: "-0.5", 69.5: "1.0"}


def test_the_sheet_of_more_than_two_latents_says_what_the_others_are():
    z = sheet_codes(2, 2, 8, (2, 5))
    title = vp.plot_latent_grid(made_up_images(2, 2), z).axes[0].get_title()
    assert "Two of 8 latents; the others are 0" in title
    z[..., 0] = 1.5
    assert "are 0" not in vp.plot_latent_grid(made_up_images(2, 2), z).axes[0].get_title()


# ---------------------------------------------------------------------------------------------------- confusion


def confusion(fig):
    """Return the colour value and the number written for each (true, predicted) pair of names."""
    ax = fig.axes[0]
    (mesh,) = ax.collections
    share = np.asarray(mesh.get_array()).reshape(len(ax.get_yticks()), -1)
    names = [{int(at): text for at, text in ticks(axis).items()} for axis in (ax.xaxis, ax.yaxis)]
    pairs = {(row, column): (names[1][row], names[0][column]) for row, column in np.ndindex(share.shape)}
    written = {pairs[int(t.get_position()[1]), int(t.get_position()[0])]: t.get_text() for t in ax.texts}
    return {pair: share[place] for place, pair in pairs.items()}, written


def test_rows_of_a_confusion_are_true_classes_and_add_up_to_100_per_cent():
    y_true, y_pred = [6] * 4 + [2] * 10 + [8] * 5, [6, 6, 6, 2] + [2] * 5 + [6] * 2 + [8] * 3 + [8] * 5
    fig = vp.plot_confusion(y_true, y_pred)
    assert (fig.axes[0].get_xlabel(), fig.axes[0].get_ylabel()) == ("predicted class", "true class")
    shirt, pullover, bag = (CLASS_NAMES[c] for c in (6, 2, 8))
    share, written = confusion(fig)
    wanted = {
        (shirt, shirt): 75,
        (shirt, pullover): 25,
        (pullover, pullover): 50,
        (pullover, shirt): 20,
        (pullover, bag): 30,
        (bag, bag): 100,
    }
    assert {pair: value for pair, value in share.items() if value} == pytest.approx(wanted)
    assert written == {pair: str(value) for pair, value in wanted.items()}
    assert fig.axes[0].collections[0].get_clim() == (0, 100)
    assert fig.axes[1].get_ylabel() == "per cent of the true class"


# -------------------------------------------------------------------------------------------------- uncertainty


@pytest.mark.parametrize("scale", [0.3, 0.0])
def test_a_column_of_uncertainty_is_input_mean_and_variance_of_one_image_on_a_scale_of_its_own(scale):
    x, mean = made_up_images(3), made_up_images(3, seed=3)
    variance = made_up_images(3, seed=4) * np.array([0.01, 0.1, scale]).reshape(3, 1, 1, 1)
    fig = vp.plot_uncertainty_maps(x, mean, variance, ["a", "b", "c"])
    upper, lower = np.array([ax for ax in fig.axes if ax.images and ax.get_subplotspec()]).reshape(2, 3)
    for i, name in enumerate("abc"):
        assert_rows(upper[i], [x[i : i + 1], mean[i : i + 1]], ["", ""] if i else ["input", "mean"], [name])
        assert list(ticks(lower[i].yaxis).values()) == ["" if i else "variance"]
        (heat,) = lower[i].images
        assert lower[i].yaxis_inverted()
        np.testing.assert_array_equal(heat.get_array(), variance[i, ..., 0])
        assert (heat.colorbar.vmin, heat.colorbar.vmax) == heat.get_clim()
        assert heat.get_clim() == pytest.approx((0, variance[i].max())) or scale == 0


# -------------------------------------------------------------------------------------------- alternative texts


HALF, FOUR = np.full((2, 28, 28, 1), 0.5), np.array([[1.9, 0.0], [0.0, -1.9], [1.9, 1.9], [0.0, 0.0]])
BRIGHT = 0.1 * made_up_images(3, 4)
BRIGHT[2, 1] = 0.9
TEXTS = {
    "greys": (lambda: vp.plot_images(HALF, ["a", "b"]), "titled a, b; the mean grey of an image is 0.50 to 0.50"),
    "distances": (
        lambda: vp.plot_reconstructions(HALF, {"near": HALF + 0.1, "far": HALF - 0.5}),
        "near 7.8, far 196.0",
    ),
    "steps": (lambda: vp.plot_interpolation(np.stack([HALF[0] * 0, HALF[0] / 2, HALF[0] * 2])[None]), "7.0 to 21.0"),
    "title": (lambda: vp.plot_history(HISTORY, title="MSE"), "MSE: three panels over 3 epochs"),
    "ends": (lambda: vp.plot_history(HISTORY), "loss from 300.0 to 250.0, held-out from 270.0 to 255.0"),
    "share": (lambda: vp.plot_latent_scatter(FOUR, [0, 1, 2, 2]), "from 3 classes; 75 per cent"),
    "widths": (
        lambda: vp.plot_clouds(FOUR, np.log(np.full((4, 2), [0.25, 0.01])), [0, 1, 2, 2]),
        "0.500 to the right and 0.100 upwards",
    ),
    "brightest": (lambda: vp.plot_latent_grid(BRIGHT, sheet_codes(3, 4, 2, (0, 1))), "row 3 from the top, column 2"),
    "range": (lambda: vp.plot_latent_grid(BRIGHT, sheet_codes(3, 4, 2, (0, 1))), "z_2 from -1.0 to 2.5 upwards"),
    "best": (lambda: vp.plot_confusion([0] * 4 + [8] * 2, [0, 0, 0, 8, 8, 8]), "Most often right: Bag, 100 per cent"),
    "worst of those that are there": (
        lambda: vp.plot_confusion([0, 0, 8, 8], [0, 5, 8, 8]),
        "least often: T-shirt/top, 50 per cent",
    ),
    "variances": (lambda: vp.plot_uncertainty_maps(HALF, HALF, HALF / 10), "largest variance in each: 0.050, 0.050"),
}


@pytest.mark.parametrize(("plot", "words"), TEXTS.values(), ids=TEXTS)
def test_a_text_says_what_these_data_show(plot, words):
    assert words in plot().alt_text


# --------------------------------------------------------------------------------------------------- bad shapes

IMAGES, PATHS = made_up_images(4), made_up_images(2, 2)
MU, LOGVAR, Y = made_up_codes(2)


BAD_SHAPES = {
    "one image": (lambda: vp.plot_images(IMAGES[0]), "images must have shape (N, 28, 28, 1)"),
    "labels of fewer images": (lambda: vp.plot_one_per_class(IMAGES, [0, 1]), "There are 4 images"),
    "a longer row": (lambda: vp.plot_reconstructions(IMAGES[:3], {"mu": IMAGES}), "'mu' has 4 images for 3"),
    "a single path": (lambda: vp.plot_interpolation(IMAGES), "must have shape (N, M, 28, 28, 1)"),
    "names of other paths": (lambda: vp.plot_interpolation(PATHS, names=["one"]), "2 paths"),
    "codes without rows": (lambda: vp.plot_latent_scatter(MU[:, 0], Y), "mu must have shape (N, d)"),
    "one code": (lambda: vp.two_latents(MU[0]), "mu must have shape (N, d)"),
    "a column of labels": (lambda: vp.plot_clouds(MU, LOGVAR, Y[:, None]), "one label for each"),
    "another logvar": (lambda: vp.plot_clouds(MU, LOGVAR[:, :1], Y), "they belong together"),
    "codes in a row": (lambda: vp.plot_latent_grid(PATHS, MU[:4]), "one code for each image"),
    "a map upside down": (lambda: vp.plot_latent_grid(PATHS, sheet_codes(2, 2, 2, (0, 1))[::-1]), "must be a grid"),
    "fewer predictions": (lambda: vp.plot_confusion(Y, Y[1:]), "one label for each image"),
    "fewer variances": (lambda: vp.plot_uncertainty_maps(IMAGES, IMAGES, IMAGES[1:]), "4 means and 3 variances"),
    "an eleventh class": (lambda: vp.plot_latent_scatter(MU, Y + 1), "from 0 to 9"),
    "no clouds": (lambda: vp.plot_clouds(MU, LOGVAR, Y, 0), "at least 1"),
    "half a history": (lambda: vp.plot_history({"loss": [1.0]}), "no epoch of recon_loss, kl_loss"),
}


@pytest.mark.parametrize(("call", "words"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_bad_shapes_are_refused_in_plain_words(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()
    assert not plt.get_fignums(), "a refused plot leaves no empty figure behind"
