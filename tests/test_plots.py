"""What the plots promise: every statement reads a figure back, as its reader sees it, from arrays made up here."""

import re
from functools import cache
from types import SimpleNamespace

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
    """Return the grey that a reader sees, from black, 0, to white, 1, row 0 at the top."""
    (image,) = ax.images
    rgb = image.to_rgba(np.asarray(image.get_array()))[..., :3]
    np.testing.assert_array_equal(rgb.min(axis=-1), rgb.max(axis=-1), "the image is not grey")
    upright, mirrored = ax.yaxis_inverted(), ax.xaxis_inverted()
    return rgb[:: 1 if upright else -1, :: -1 if mirrored else 1, 0]


def assert_seen(ax, image):
    np.testing.assert_allclose(seen(ax), np.squeeze(image), atol=0.005)


def pictures(fig):
    """Return the axes with an image by row and column of the figure."""
    places = {ax: ax.get_subplotspec() for ax in fig.axes if ax.images}
    return {(place.rowspan.start, place.colspan.start): ax for ax, place in places.items()}


def points(ax):
    """Return places and colours of the scattered points in the order in which they are drawn."""
    places = np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])
    faces = [np.broadcast_to(c.get_facecolors(), (len(c.get_offsets()), 4)) for c in ax.collections]
    return places, np.concatenate(faces)


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


def test_show_displays_the_figure_with_its_alternative_text_and_closes_it(displayed):
    fig = vp.plot_images(made_up_images(2))
    vp.show(fig)
    assert displayed == [((fig,), {"metadata": {"image/png": {"alt": fig.alt_text}}})]
    assert not plt.fignum_exists(fig.number)


def test_a_text_given_to_show_takes_the_place_of_the_figures_own(displayed):
    vp.show(vp.plot_images(made_up_images(2)), alt="Two clouds of noise.")
    assert displayed[0][1] == {"metadata": {"image/png": {"alt": "Two clouds of noise."}}}


@pytest.mark.parametrize("alt", [None, ""])
def test_show_refuses_a_figure_without_alternative_text(displayed, alt):
    with pytest.raises(ValueError, match="alternative text"):
        vp.show(plt.figure(), alt)
    assert not displayed


# ------------------------------------------------------------------------------------------------------- images


def test_plot_images_fills_rows_from_the_left_each_image_under_its_title():
    images = made_up_images(5)
    images[0, 0, 0], images[0, 0, 1] = 0, 1
    drawn = pictures(vp.plot_images(images, [f"image {i}" for i in range(5)], columns=3))
    assert sorted(drawn) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    for i, place in enumerate(sorted(drawn)):
        assert_seen(drawn[place], images[i])
        assert drawn[place].get_title() == f"image {i}"


@pytest.mark.parametrize("seed", [0, 1])
def test_every_class_that_is_there_shows_an_image_of_its_own_under_its_name(seed):
    y = np.array([9, 3, 0, 3, 9, 0, 7, 7])
    x = made_up_images(8)
    drawn = pictures(vp.plot_one_per_class(x, y, seed))
    for ax in drawn.values():
        (of,) = np.flatnonzero([np.allclose(seen(ax), image[..., 0], atol=0.005) for image in x])
        assert CLASS_NAMES[y[of]] == ax.get_title()
    assert [drawn[place].get_title() for place in sorted(drawn)] == [CLASS_NAMES[c] for c in (0, 3, 7, 9)]


def test_the_image_of_a_class_is_drawn_by_lot():
    x, y = made_up_images(50), np.zeros(50, int)
    first = [seen(pictures(vp.plot_one_per_class(x, y, seed))[0, 0]) for seed in (1, 1, 2, 3)]
    np.testing.assert_array_equal(first[0], first[1])
    assert (first[0] != first[2]).any() or (first[0] != first[3]).any()


def test_the_image_of_a_class_is_the_one_that_the_exercise_picks():
    x, y = made_up_images(60), np.arange(60) % 10
    rng = np.random.default_rng(42)
    picked = [rng.choice(np.where(y == c)[0]) for c in range(10)]
    drawn = pictures(vp.plot_one_per_class(x, y))
    for place, i in zip(sorted(drawn), picked, strict=True):
        assert_seen(drawn[place], x[i])


def test_reconstructions_stand_under_their_originals_each_row_by_its_name():
    rows = {"original": made_up_images(3), "mu": made_up_images(3, seed=3), "a draw": made_up_images(3, seed=4)}
    titles = ["first", "second", "third"]
    drawn = pictures(vp.plot_reconstructions(rows["original"], {n: rows[n] for n in ("mu", "a draw")}, titles))
    assert [drawn[row, 0].get_ylabel() for row in range(3)] == list(rows)
    assert [drawn[0, column].get_title() for column in range(3)] == titles
    for (row, column), ax in drawn.items():
        assert_seen(ax, rows[drawn[row, 0].get_ylabel()][column])


def test_reconstructions_say_how_far_each_row_is_from_the_originals():
    x = np.full((2, 28, 28, 1), 0.5)
    text = vp.plot_reconstructions(x, {"near": x + 0.1, "far": x - 0.5}).alt_text
    assert "near 7.8, far 196.0" in text


def test_a_row_named_like_the_originals_is_drawn_too():
    x, other = made_up_images(2), made_up_images(2, seed=3)
    drawn = pictures(vp.plot_reconstructions(x, {"original": other}))
    assert_seen(drawn[0, 0], x[0])
    assert_seen(drawn[1, 0], other[0])


def test_an_interpolation_runs_to_the_right_one_path_a_row():
    images = made_up_images(2, 4)
    steps, names = ["0", "1/3", "2/3", "1"], ["to the bag", "to the boot"]
    drawn = pictures(vp.plot_interpolation(images, steps, names))
    assert len(drawn) == 8
    for (row, column), ax in drawn.items():
        assert_seen(ax, images[row, column])
        assert drawn[0, column].get_title() == steps[column]
        assert drawn[row, 0].get_ylabel() == names[row]


def test_two_paths_of_one_name_are_both_drawn():
    images = made_up_images(2, 3)
    drawn = pictures(vp.plot_interpolation(images, names=["bag to boot", "bag to boot"]))
    assert_seen(drawn[1, 2], images[1, 2])


def test_an_interpolation_says_how_far_neighbours_differ():
    images = np.zeros((1, 3, 28, 28, 1))
    images[0, 1], images[0, 2] = 0.25, 1.0
    assert "7.0 to 21.0" in vp.plot_interpolation(images).alt_text


# ----------------------------------------------------------------------------------------------------- training

HISTORY = {
    "loss": [300.0, 260.0, 250.0],
    "recon_loss": [290.0, 252.0, 243.0],
    "kl_loss": [5.0, 6.0, 7.5],
    "val_loss": [270.0, 262.0, 255.0],
    "val_recon_loss": [261.0, 254.0, 247.0],
    "val_kl_loss": [5.5, 6.5, 7.0],
}


def test_each_panel_of_a_history_shows_training_solid_and_held_out_dashed():
    fig = vp.plot_history(HISTORY)
    assert [ax.get_title() for ax in fig.axes] == ["loss", "recon_loss", "kl_loss"]
    assert colors.to_hex(vp.TRAINING) != colors.to_hex(vp.HELD_OUT)
    for ax in fig.axes:
        lines = {line.get_label(): line for line in ax.lines}
        for label, style, color, prefix in (
            ("training images", "-", vp.TRAINING, ""),
            ("held-out images", "--", vp.HELD_OUT, "val_"),
        ):
            line = lines.pop(label)
            assert (line.get_linestyle(), line.get_color()) == (style, color)
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
            np.testing.assert_array_equal(line.get_ydata(), HISTORY[prefix + ax.get_title()])
        assert not lines
    assert fig.axes[0].get_ylabel() == "nats per image"


def test_the_legend_of_a_history_names_each_line_by_its_own_look():
    (legend,) = vp.plot_history(HISTORY).legends
    looks = [(h.get_linestyle(), h.get_color()) for h in legend.legend_handles]
    names = [text.get_text() for text in legend.get_texts()]
    wanted = {"training images": ("-", vp.TRAINING), "held-out images": ("--", vp.HELD_OUT)}
    assert dict(zip(names, looks, strict=True)) == wanted


def test_a_history_says_where_its_losses_start_and_end():
    text = vp.plot_history(HISTORY, title="Squared error").alt_text
    assert "loss from 300.0 to 250.0, held-out from 270.0 to 255.0" in text
    assert "kl_loss from 5.0 to 7.5, held-out from 5.5 to 7.0" in text
    assert text.startswith("Squared error: three panels over 3 epochs")


def test_only_a_first_epoch_far_above_all_others_is_cut_off_and_its_value_written():
    loss, _, kl = vp.plot_history(HISTORY).axes
    assert loss.get_ylim()[1] < 300
    assert [text.get_text() for text in loss.texts] == ["training, epoch 1: 300"]
    assert all(loss.get_ylim()[0] < v < loss.get_ylim()[1] for v in HISTORY["loss"][1:] + HISTORY["val_loss"])
    assert not kl.texts
    assert kl.get_ylim()[0] < 5 < 7.5 < kl.get_ylim()[1]


def test_a_held_out_first_epoch_far_above_is_cut_off_too():
    """As in the course's own training: 369 and 348, then 294 down to 261."""
    history = {name: [369, 294, 276, 270, 268, 261] for name in ("loss", "recon_loss", "kl_loss")}
    history |= {f"val_{name}": [348, 284, 276, 273, 268, 265] for name in tuple(history)}
    ax = vp.plot_history(history).axes[0]
    assert 294 < ax.get_ylim()[1] < 348
    assert [text.get_text() for text in ax.texts] == ["training, epoch 1: 369", "held-out, epoch 1: 348"]


def test_the_floor_is_a_line_among_the_reconstruction_losses():
    loss, recon, kl = vp.plot_history(HISTORY, floor=240).axes
    (line,) = [ln for ln in recon.lines if ln.get_label() == "floor"]
    assert set(line.get_ydata()) == {240}
    assert len(loss.lines) == len(kl.lines) == 2


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
    names = dict(zip(ax.get_yticks(), [label.get_text() for label in ax.get_yticklabels()], strict=True))
    for place in points(ax)[0]:
        assert names[np.round(place[1])] == CLASS_NAMES[y[row_of(place, mu)]]


def test_no_class_of_the_scatter_is_drawn_after_another():
    classes = [class_of_color(face) for face in points(drawn_once("plot_latent_scatter", 2).axes[0])[1]]
    assert np.count_nonzero(np.diff(classes)) > 0.7 * N
    assert np.abs(np.corrcoef(classes, np.arange(N))[0, 1]) < 0.3


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


def test_a_class_without_images_has_an_empty_map():
    mu, _, y = made_up_codes(2)
    axes = vp.plot_class_maps(mu[y != 4], y[y != 4]).axes
    (empty,) = [ax for ax in axes if ax.get_title() == CLASS_NAMES[4]]
    assert sorted(len(line.get_xydata()) for line in empty.lines) == [0, N - 12]


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


def test_no_class_of_clouds_is_drawn_after_another():
    clouds = ellipses(drawn_once("plot_clouds", 2).axes[0])
    classes = [class_of_color(cloud.get_edgecolor()) for cloud in clouds]
    assert np.count_nonzero(np.diff(classes)) > 0.7 * len(classes)


@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_class_maps", "plot_clouds"])
def test_of_more_than_two_latents_title_and_axes_name_the_two(plot):
    fig = drawn_once(plot, 8)
    title = fig.get_suptitle() or fig.axes[0].get_title()
    assert re.findall(r"z_\{(\d+)\}", title) == ["3", "6"]
    assert "of 8 latents" in title
    lower_left = fig.axes[-5] if plot == "plot_class_maps" else fig.axes[0]
    assert (lower_left.get_xlabel(), lower_left.get_ylabel()) == ("$z_{3}$", "$z_{6}$")


def test_a_plot_of_two_latents_names_its_axes_and_nothing_else():
    for plot in ("plot_latent_scatter", "plot_clouds"):
        (ax,) = drawn_once(plot, 2).axes
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_{1}$", "$z_{2}$")
        assert "z_" not in ax.get_title()


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


def test_the_text_of_the_scatter_says_how_much_lies_within_2():
    mu, y = np.array([[1.9, 0.0], [0.0, -1.9], [1.9, 1.9], [0.0, 0.0]]), np.array([0, 1, 2, 2])
    text = vp.plot_latent_scatter(mu, y).alt_text
    assert "4 coloured points" in text
    assert "from 3 classes; 75 per cent" in text


def test_the_text_of_the_clouds_gives_their_median_half_widths():
    mu, _, y = made_up_codes(2)
    text = vp.plot_clouds(mu, np.log(np.full((N, 2), [0.25, 0.01])), y, n_per_class=1).alt_text
    assert "0.500 to the right and 0.100 upwards" in text


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
    read = [
        [(at, float(label.get_text().replace("−", "-"))) for at, label in zip(ticks, labels, strict=True)]
        for ticks, labels in ((ax.get_xticks(), ax.get_xticklabels()), (ax.get_yticks(), ax.get_yticklabels()))
    ]
    assert [len(ticks) for ticks in read] == [4, 3]
    for x, right in read[0]:
        for y, up in read[1]:
            off = np.abs(z[..., dims[0]] - right) + np.abs(z[..., dims[1]] - up)
            row, column = np.unravel_index(off.argmin(), off.shape)
            assert off[row, column] < 0.11, "the labels are rounded to one digit"
            cell = visible[round(y - 13.5) : round(y + 14.5), round(x - 13.5) : round(x + 14.5)]
            np.testing.assert_allclose(cell, images[row, column, ..., 0], atol=0.005)


def test_the_sheet_of_a_single_latent_is_read_row_by_row():
    images, z = made_up_images(3, 3), np.linspace(-2, 2, 9).reshape(3, 3, 1)
    (ax,) = vp.plot_latent_grid(images, z).axes
    visible = seen(ax)
    for (row, column), _ in np.ndenumerate(z[..., 0]):
        cell = visible[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        np.testing.assert_allclose(cell, images[row, column, ..., 0], atol=0.005)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert dict(zip(ax.get_yticks(), labels, strict=True)) == {13.5: "-2.0", 41.5: "-0.5", 69.5: "1.0"}


def test_the_sheet_of_more_than_two_latents_says_what_the_others_are():
    z = sheet_codes(2, 2, 8, (2, 5))
    title = vp.plot_latent_grid(made_up_images(2, 2), z).axes[0].get_title()
    assert "Two of 8 latents; the others are 0" in title
    z[..., 0] = 1.5
    assert "are 0" not in vp.plot_latent_grid(made_up_images(2, 2), z).axes[0].get_title()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (4, 1)])
@pytest.mark.parametrize("dims", [(0, 1), (1, 0)])
def test_a_sheet_may_be_a_single_row_or_column(rows, columns, dims):
    (ax,) = vp.plot_latent_grid(made_up_images(rows, columns), sheet_codes(rows, columns, 2, dims)).axes
    assert {ax.get_xlabel(), ax.get_ylabel()} == {"$z_{1}$", "$z_{2}$"}
    if columns > 1:
        assert ax.get_xlabel() == f"$z_{{{dims[0] + 1}}}$"
    if rows > 1:
        assert ax.get_ylabel() == f"$z_{{{dims[1] + 1}}}$"


def test_the_text_of_the_sheet_says_where_the_brightest_image_is():
    images = made_up_images(3, 4)
    images[2, 1] = 0.9
    text = vp.plot_latent_grid(images, sheet_codes(3, 4, 2, (0, 1))).alt_text
    assert "row 3 from the top, column 2" in text
    assert "z_1 from -1.5 to 2.0 to the right, z_2 from -1.0 to 2.5 upwards" in text


@pytest.mark.parametrize("d", [1, 2, 8])
@pytest.mark.parametrize("quantile", [-np.inf, np.inf, np.nan])
def test_a_sheet_refuses_the_quantiles_0_and_1(d, quantile):
    z = sheet_codes(3, 3, d, (0, 1)) if d > 1 else np.linspace(-2, 2, 9).reshape(3, 3, 1)
    z[0, 0 if quantile < 0 else -1, 0] = quantile
    with pytest.raises(ValueError, match="infinite codes"):
        vp.plot_latent_grid(made_up_images(3, 3), z)


@pytest.mark.parametrize(
    "turn",
    [lambda z: z[::-1], lambda z: z[:, ::-1], lambda z: z.transpose(1, 0, 2), lambda z: np.zeros_like(z)],
    ids=["upside down", "mirrored", "transposed", "constant"],
)
def test_a_sheet_refuses_codes_that_do_not_run_to_the_right_and_upwards(turn):
    with pytest.raises(ValueError, match="to the right"):
        vp.plot_latent_grid(made_up_images(3, 3), turn(sheet_codes(3, 3, 2, (0, 1))))


def test_a_sheet_of_a_single_latent_refuses_codes_that_fall():
    with pytest.raises(ValueError, match="to the right"):
        vp.plot_latent_grid(made_up_images(3, 3), np.linspace(2, -2, 9).reshape(3, 3, 1))


# ---------------------------------------------------------------------------------------------------- confusion


def confusion(fig):
    """Return the colour value and the number written for each (true, predicted) pair of names."""
    ax = fig.axes[0]
    (mesh,) = ax.collections
    share = np.asarray(mesh.get_array()).reshape(len(ax.get_yticks()), -1)
    names = [
        {int(at): label.get_text() for at, label in zip(ticks, labels, strict=True)}
        for ticks, labels in ((ax.get_xticks(), ax.get_xticklabels()), (ax.get_yticks(), ax.get_yticklabels()))
    ]
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


def test_similar_clothes_stand_side_by_side_in_a_confusion():
    ax = vp.plot_confusion(range(10), range(10)).axes[0]
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        names = [label.get_text() for label in labels]
        for kind in ((1, 3), (0, 6, 2, 4), (5, 7, 9)):
            at = [names.index(CLASS_NAMES[c]) for c in kind]
            assert max(at) - min(at) == len(kind) - 1


def test_the_text_of_a_confusion_names_the_best_and_the_worst_class():
    text = vp.plot_confusion([0] * 4 + [8] * 2, [0, 0, 0, 8, 8, 8]).alt_text
    assert f"Most often right: {CLASS_NAMES[8]}, 100 per cent; least often: {CLASS_NAMES[0]}, 75 per cent" in text


def test_a_class_that_is_only_predicted_is_not_called_the_worst():
    text = vp.plot_confusion([0, 0, 8, 8], [0, 5, 8, 8]).alt_text
    assert f"least often: {CLASS_NAMES[0]}, 50 per cent" in text


# -------------------------------------------------------------------------------------------------- uncertainty


def test_a_column_of_uncertainty_is_input_mean_and_variance_of_one_image():
    x, mean = made_up_images(3), made_up_images(3, seed=3)
    variance = made_up_images(3, seed=4) * np.array([0.01, 0.1, 0.3]).reshape(3, 1, 1, 1)
    drawn = pictures(vp.plot_uncertainty_maps(x, mean, variance, ["a", "b", "c"]))
    assert [drawn[row, 0].get_ylabel() for row in range(3)] == ["input", "mean", "variance"]
    for column, name in enumerate("abc"):
        assert drawn[0, column].get_title() == name
        assert_seen(drawn[0, column], x[column])
        assert_seen(drawn[1, column], mean[column])
        (heat,) = drawn[2, column].images
        assert drawn[2, column].yaxis_inverted()
        np.testing.assert_array_equal(heat.get_array(), variance[column, ..., 0])


def test_every_heat_map_of_variance_has_a_scale_of_its_own_and_shows_it():
    variance = made_up_images(3, seed=4) * np.array([0.01, 0.1, 0.3]).reshape(3, 1, 1, 1)
    fig = vp.plot_uncertainty_maps(made_up_images(3), made_up_images(3), variance)
    for column in range(3):
        (heat,) = pictures(fig)[2, column].images
        assert heat.get_clim() == pytest.approx((0, variance[column].max()))
        assert (heat.colorbar.vmin, heat.colorbar.vmax) == heat.get_clim()
    largest = ", ".join(f"{v.max():.3f}" for v in variance)
    assert f"The largest variance in each: {largest}." in fig.alt_text


def test_images_that_never_vary_have_a_map_too():
    fig = vp.plot_uncertainty_maps(made_up_images(2), made_up_images(2), np.zeros((2, 28, 28, 1)))
    assert not pictures(fig)[2, 0].images[0].get_array().any()


# -------------------------------------------------------------------------------------------- alternative texts


def two_data_sets(a, b):
    """Return arguments for each plot, twice: equal shapes, other data."""
    codes = [made_up_codes(2, seed) for seed in (1, 7)]
    codes[1][0][:] *= 1.7
    codes[1][1][:] += 1
    z = sheet_codes(2, 2, 2, (0, 1))
    history = {name: [value + 1 for value in row] for name, row in HISTORY.items()}
    return {
        "plot_images": ((a, ["a", "b", "c", "d"]), (b, ["a", "b", "c", "e"])),
        "plot_one_per_class": ((a, [0, 1, 2, 3]), (b, [0, 1, 2, 4])),
        "plot_reconstructions": ((a, {"mu": b}), (a, {"mu": b / 2})),
        "plot_interpolation": ((a[None],), (a[None] / 2,)),
        "plot_history": ((HISTORY,), (history,)),
        "plot_latent_scatter": tuple((mu, y) for mu, _, y in codes),
        "plot_class_maps": tuple((mu[::6], y[::6]) for mu, _, y in codes),
        "plot_clouds": tuple((mu, logvar, y, 1) for mu, logvar, y in codes),
        "plot_latent_grid": tuple((i.reshape(2, 2, 28, 28, 1), z) for i in (a, np.roll(a, 1, axis=0))),
        "plot_confusion": (([0, 0, 1], [0, 1, 1]), ([0, 1, 1], [0, 0, 1])),
        "plot_uncertainty_maps": ((a[:1], a[:1], b[:1] / 10), (a[:1], a[:1], b[:1] / 20)),
    }


@pytest.mark.parametrize("plot", two_data_sets(*made_up_images(2, 4)))
def test_other_data_have_another_alternative_text(plot):
    first, second = two_data_sets(made_up_images(4), made_up_images(4, seed=9))[plot]
    texts = [getattr(vp, plot)(*args).alt_text for args in (first, second)]
    assert len(texts[0]) > 40
    assert texts[0] != texts[1]


def test_every_plot_is_among_those_whose_text_is_tested():
    assert set(two_data_sets(*made_up_images(2, 4))) == {name for name in vars(vp) if name.startswith("plot_")}


# --------------------------------------------------------------------------------------------------- bad shapes

IMAGES, PATHS = made_up_images(4), made_up_images(2, 2)
MU, LOGVAR, Y = made_up_codes(2)


BAD_SHAPES = {
    "one image": (lambda: vp.plot_images(IMAGES[0]), "images must have shape (N, 28, 28, 1)"),
    "no images": (lambda: vp.plot_images(IMAGES[:0]), "images must have shape (N, 28, 28, 1)"),
    "labels of fewer images": (lambda: vp.plot_one_per_class(IMAGES, [0, 1]), "There are 4 images"),
    "a longer row": (lambda: vp.plot_reconstructions(IMAGES[:3], {"mu": IMAGES}), "'mu' has 4 images for 3"),
    "a row of one image": (lambda: vp.plot_reconstructions(IMAGES, {"mu": IMAGES[0]}), "mu must have shape"),
    "a single path": (lambda: vp.plot_interpolation(IMAGES), "must have shape (N, M, 28, 28, 1)"),
    "names of other paths": (lambda: vp.plot_interpolation(PATHS, names=["one"]), "2 paths"),
    "codes without rows": (lambda: vp.plot_latent_scatter(MU[:, 0], Y), "mu must have shape (N, d)"),
    "codes without columns": (lambda: vp.plot_latent_scatter(MU[:, :0], Y), "mu must have shape (N, d)"),
    "no codes": (lambda: vp.plot_class_maps(MU[:0], Y[:0]), "mu must have shape (N, d)"),
    "one code": (lambda: vp.two_latents(MU[0]), "mu must have shape (N, d)"),
    "fewer labels": (lambda: vp.plot_latent_scatter(MU, Y[1:]), "one label for each"),
    "more labels": (lambda: vp.plot_class_maps(MU[1:], Y), "one label for each"),
    "a column of labels": (lambda: vp.plot_clouds(MU, LOGVAR, Y[:, None]), "one label for each"),
    "another logvar": (lambda: vp.plot_clouds(MU, LOGVAR[:, :1], Y), "they belong together"),
    "fewer logvar": (lambda: vp.plot_clouds(MU, LOGVAR[1:], Y), "they belong together"),
    "codes in a row": (lambda: vp.plot_latent_grid(PATHS, MU[:4]), "one code for each image"),
    "codes of another sheet": (lambda: vp.plot_latent_grid(PATHS, np.zeros((2, 3, 2))), "one code for each image"),
    "a sheet in a row": (lambda: vp.plot_latent_grid(IMAGES, np.zeros((2, 2, 2))), "(N, M, 28, 28, 1)"),
    "fewer predictions": (lambda: vp.plot_confusion(Y, Y[1:]), "one predicted class for each true one"),
    "probabilities": (lambda: vp.plot_confusion(Y, np.eye(10)[Y]), "one predicted class for each true one"),
    "fewer variances": (lambda: vp.plot_uncertainty_maps(IMAGES, IMAGES, IMAGES[1:]), "4 means and 3 variances"),
    "an eleventh class": (lambda: vp.plot_latent_scatter(MU, Y + 1), "from 0 to 9"),
    "a class below 0": (lambda: vp.plot_clouds(MU, LOGVAR, Y - 1), "from 0 to 9"),
    "a class that is no class": (lambda: vp.plot_confusion([0, 10], [0, 0]), "from 0 to 9"),
    "no clouds": (lambda: vp.plot_clouds(MU, LOGVAR, Y, 0), "at least 1"),
    "half a history": (lambda: vp.plot_history({"loss": [1.0]}), "no epoch of recon_loss, kl_loss"),
    "no batch": (lambda: vp.plot_uncertainty_maps(IMAGES, IMAGES, IMAGES[0]), "variance must have shape"),
}


@pytest.mark.parametrize(("call", "words"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_bad_shapes_are_refused_in_plain_words(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()
    assert not plt.get_fignums(), "a refused plot leaves no empty figure behind"


# ------------------------------------------------------------------------------------- models of other projects


def test_a_plain_keras_autoencoder_can_be_plotted():
    import keras

    import vae_helpers as vh

    keras.utils.set_random_seed(0)
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(2)])
    pixels = [layers.Dense(784, activation="sigmoid", kernel_initializer="RandomNormal"), layers.Reshape((28, 28, 1))]
    model = SimpleNamespace(encoder=encoder, decoder=keras.Sequential([keras.Input((2,)), *pixels]))
    x, y = made_up_images(20), np.arange(20) % 10

    mu, logvar = vh.encode(model, x)
    np.testing.assert_array_equal(vh.sample(mu, logvar), mu)
    places, faces = points(vp.plot_latent_scatter(mu, y).axes[0])
    codes = np.asarray(encoder(x))
    rows = [np.abs(codes - place).sum(axis=1).argmin() for place in places]
    np.testing.assert_allclose(places, codes[rows], atol=1e-5)
    assert [class_of_color(face) for face in faces] == list(y[rows])

    x_hat = vh.reconstruct(model, x[:3])
    drawn = pictures(vp.plot_reconstructions(x[:3], {"autoencoder": x_hat}))
    for column, image in enumerate(np.asarray(model.decoder(codes[:3]))):
        assert_seen(drawn[1, column], image)

    z = vh.latent_grid(3)
    sheet = seen(vp.plot_latent_grid(vh.decode(model, z), z).axes[0])
    np.testing.assert_allclose(sheet[:28, 56:], np.asarray(model.decoder(z[0, 2:]))[0, ..., 0], atol=0.005)

    path = np.linspace(mu[0], mu[1], 4)[None]
    drawn = pictures(vp.plot_interpolation(vh.decode(model, path)))
    assert_seen(drawn[0, 0], x_hat[0])
    assert_seen(drawn[0, 3], x_hat[1])

    mean, variance = vh.uncertainty_maps(model, x[:2], draws=3)
    drawn = pictures(vp.plot_uncertainty_maps(x[:2], mean, variance))
    assert_seen(drawn[1, 1], x_hat[1])
    assert drawn[2, 1].images[0].get_array().max() < 1e-9, "the same code is decoded every time"
