"""What the plots promise: every statement reads a figure back, as its reader sees it, from arrays made up here."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import colors, patches

import vae_plots as vp
from fashion_mnist import CLASS_NAMES
from plane_explorer import explore_plane, latent_grid

plt.switch_backend("Agg")

N = 120
WIDE = {1: [0], 2: [0, 1], 8: [2, 5]}  # the columns of largest variance, per number of latents
NEAREST = " The medians nearest to each other are those of T-shirt/top and Ankle boot."


def made_up_codes(d):
    """Return mu, logvar and y, class after class: 0 and 9 lie next to each other, 3 is small and 7 large."""
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(10), N // 10)
    centres = rng.permuted(np.tile(np.linspace(-2.5, 2.5, 10), (d, 1)), axis=1).T
    centres[9] = centres[0] + 0.1
    mu = centres[y] + rng.normal(size=(N, d)) * np.array([3, 3, 3, 1, 3, 3, 3, 6, 3, 3])[y, None] / 10
    if d == 8:
        mu = mu * [0.1, 0.3, 1.3, 0.2, 0.1, 1, 0.3, 0.2] + [9, 0, 0, 0, 0, 0, 5, 0]
    return mu, rng.uniform(-4, 1, size=(N, d)), y


def drawn(plot, d, **ax):
    mu, logvar, y = made_up_codes(d)
    return vp.plot_clouds(mu, logvar, y, 3, **ax) if plot == "plot_clouds" else getattr(vp, plot)(mu, y, **ax)


def made_up_images(*leading):
    """Return images of a grey between 0.2 and 0.7, no two alike and none like its mirror image."""
    return np.random.default_rng(2).uniform(0.2, 0.7, size=(*leading, 28, 28, 1)).astype("float32")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def assert_seen(ax, places, images):
    """Around each place, (x, y), its image is seen, 0 black and 1 white, row 0 at the top; nothing else is drawn."""
    (picture,) = ax.images
    height, width = picture.get_array().shape
    assert picture.get_extent() == [*ax.get_xlim(), *ax.get_ylim()] == [-0.5, width - 0.5, height - 0.5, -0.5]
    rgba = picture.to_rgba(picture.get_array())
    for (x, y), image in zip(places, images, strict=True):
        pixels = rgba[round(y - 13.5) : round(y + 14.5), round(x - 13.5) : round(x + 14.5), :3]
        np.testing.assert_allclose(pixels, np.broadcast_to(image, (28, 28, 3)), atol=0.005)
    assert np.count_nonzero(rgba[..., 3]) == 28 * 28 * len(images)


def ticks(axis):
    return dict(zip(axis.get_ticklocs(), [label.get_text() for label in axis.get_ticklabels()], strict=True))


def places(ax):
    """Return the (x, y) of each pair of ticks, row by row."""
    return [(x, y) for y in ticks(ax.yaxis) for x in ticks(ax.xaxis)]


def assert_rows(ax, rows, names, titles):
    """Beside each name and under each title its image is seen."""
    assert [*ticks(ax.yaxis).values(), *ticks(ax.xaxis).values()] == [*names, *titles]
    assert_seen(ax, places(ax), np.concatenate(rows))


def classes_of(shown):
    """Return the classes that colours stand for."""
    return [vp.CLASS_COLORS.index(colors.to_hex(color).upper()) for color in shown]


def rows_of(points, mu):
    """Return the rows of mu that points show; the heights of a single latent say nothing."""
    shown = mu[:, WIDE[mu.shape[1]]].tolist()
    return [shown.index(list(point[: len(shown[0])])) for point in points]


def test_ten_classes_have_ten_colours_that_can_be_told_apart():
    rgb = np.array([colors.to_rgb(color) for color in vp.CLASS_COLORS])
    assert len(rgb) == 10
    assert np.linalg.norm(rgb[:, None] - rgb, axis=2)[~np.eye(10, dtype=bool)].min() > 0.2


@pytest.mark.parametrize("alt", [None, "Two clouds of noise."])
def test_show_displays_a_figure_with_its_own_or_the_given_text_closes_it_and_refuses_one_without(monkeypatch, alt):
    received = []
    monkeypatch.setattr(vp, "display", lambda *objects, **options: received.append((objects, options)))
    fig = vp.plot_images(made_up_images(2))
    vp.show(fig, alt)
    assert received == [((fig,), {"metadata": {"image/png": {"alt": alt or fig.alt_text}}})]
    assert not plt.fignum_exists(fig.number)
    with pytest.raises(ValueError, match="alternative text"):
        vp.show(plt.figure(), alt and "")


def test_plot_images_fills_rows_from_the_left_each_image_under_its_title():
    images, names = made_up_images(5), [f"image {i}" for i in range(5)]
    fig = vp.plot_images(images, names, columns=3)
    (ax,) = fig.axes
    assert [text.get_text() for text in ax.texts] == names
    at = np.array([text.get_position() for text in ax.texts])
    assert_seen(ax, at + np.array([0, 15]), images)
    assert at[:, 0].tolist() == [13.5, 43.5, 73.5, 13.5, 43.5]
    assert at[0, 1] == at[2, 1] < at[3, 1] - 28
    grey = images.mean(axis=(1, 2, 3))
    assert f"image 3, image 4; the mean grey of an image is {grey.min():.2f} to {grey.max():.2f}." in fig.alt_text


@pytest.mark.parametrize("seed", [42, 1])
def test_every_class_that_is_there_shows_the_image_that_the_exercise_draws_by_lot_under_its_name(seed):
    x, y = made_up_images(50), np.tile([9, 3, 0, 3, 7], 10)
    rng = np.random.default_rng(seed)
    picked = [rng.choice(np.where(y == c)[0]) for c in (0, 3, 7, 9)]
    (ax,) = vp.plot_one_per_class(x, y, seed).axes
    assert [text.get_text() for text in ax.texts] == [CLASS_NAMES[c] for c in (0, 3, 7, 9)]
    assert_seen(ax, [np.add(text.get_position(), [0, 15]) for text in ax.texts], x[picked])


def test_reconstructions_stand_under_their_originals_each_row_by_its_name():
    rows, titles = made_up_images(3, 3), ["first", "second", "third"]
    fig = vp.plot_reconstructions(rows[0], {"original": rows[1], "a draw": rows[2]}, titles)
    assert_rows(*fig.axes, rows, ["original", "original", "a draw"], titles)
    errors = [((row - rows[0]) ** 2).sum(axis=(1, 2, 3)).mean() for row in rows]
    assert f"original {errors[1]:.1f}, a draw {errors[2]:.1f}." in fig.alt_text


def test_an_interpolation_runs_to_the_right_one_path_a_row():
    paths, steps = made_up_images(2, 4), ["0", "1/3", "2/3", "1"]
    fig = vp.plot_interpolation(paths, steps, ["bag to boot", "bag to boot"])
    assert_rows(*fig.axes, paths, ["bag to boot", "bag to boot"], steps)
    moved = np.linalg.norm((paths[:, 1:] - paths[:, :-1]).reshape(6, -1), axis=1)
    assert f"Neighbours differ by {moved.min():.1f} to {moved.max():.1f}," in fig.alt_text


@pytest.mark.parametrize(
    ("training", "held_out", "cut"),
    [
        ([300, 260, 250], [270, 262, 255], ["training, epoch 1: 300"]),
        # As in the course's own training.
        ([369, 294, 276, 261], [348, 284, 276, 265], ["training, epoch 1: 369", "held-out, epoch 1: 348"]),
        # One value is no scale: nothing is far above it.
        ([300], [270], []),
        ([300, 260], [], []),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_history_shows_training_solid_held_out_dashed_and_writes_what_is_far_above(training, held_out, cut):
    looks = {"training images": ("-", vp.TRAINING), "held-out images": ("--", vp.HELD_OUT)}
    rows = {name: row for name, row in zip(looks, (training, held_out), strict=True) if row}
    panels, history = ["loss", "recon_loss", "kl_loss"], {}
    for key, row in zip(("", "val_"), rows.values(), strict=False):
        history |= {key + name: [value - i for value in row] for i, name in enumerate(panels)}
    fig = vp.plot_history(history)
    (legend,) = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == [*rows]
    shown = [(handle.get_linestyle(), handle.get_color()) for handle in legend.legend_handles]
    assert shown == [looks[name] for name in rows]
    assert [ax.get_title() for ax in fig.axes] == panels
    assert fig.axes[0].get_ylabel() == "nats per image"
    for i, ax in enumerate(fig.axes):
        low, high = ax.get_ylim()
        hidden = []
        for line, (name, row) in zip(ax.lines, rows.items(), strict=True):
            assert (line.get_label(), line.get_linestyle(), line.get_color()) == (name, *looks[name])
            assert line.get_xydata().tolist() == [[epoch + 1, value - i] for epoch, value in enumerate(row)]
            hidden += [value for value in line.get_ydata() if not low <= value <= high]
        assert len(ax.texts) == len(hidden)
    assert [text.get_text() for text in fig.axes[0].texts] == cut
    ends = ", held-out ".join(f"from {row[0]:.1f} to {row[-1]:.1f}" for row in rows.values())
    assert f"{len(training)} epoch" in fig.alt_text and f"nats per image: loss {ends}; recon_loss" in fig.alt_text


@pytest.mark.parametrize("d", WIDE)
def test_every_point_of_the_scatter_is_a_code_in_the_colour_of_its_class_and_none_is_drawn_after_another(d):
    mu, _, y = made_up_codes(d)
    fig = drawn("plot_latent_scatter", d)
    (ax,) = fig.axes
    (cloud,) = ax.collections
    rows, classes = rows_of(cloud.get_offsets(), mu), classes_of(cloud.get_facecolors())
    assert sorted(rows) == list(range(N))
    assert classes == list(y[rows])
    assert np.count_nonzero(np.diff(classes)) > 0.7 * N
    within = np.mean(np.linalg.norm(mu[:, WIDE[d]], axis=1) <= 2)
    assert f"from 10 classes; {100 * within:.0f} per cent" in fig.alt_text
    assert fig.alt_text.endswith(NEAREST)
    if d == 1:
        names = ticks(ax.yaxis)
        assert [names[np.round(height)] for _, height in cloud.get_offsets()] == [CLASS_NAMES[c] for c in classes]


@pytest.mark.parametrize("d", WIDE)
def test_a_cloud_is_one_sigma_wide_around_its_mu_in_the_colour_of_its_class_inside_the_plot(d):
    mu, logvar, y = made_up_codes(d)
    fig = drawn("plot_clouds", d)
    (ax,) = fig.axes
    clouds = [patch for patch in ax.patches if type(patch) is patches.Ellipse]
    rows = rows_of([cloud.center for cloud in clouds], mu)
    assert len(set(rows)) == 30
    assert list(np.bincount(y[rows])) == [3] * 10
    assert np.count_nonzero(np.diff(y[rows])) > 0.7 * 30, "no class is drawn after another"
    assert classes_of(cloud.get_edgecolor() for cloud in clouds) == list(y[rows])
    assert classes_of(cloud.get_facecolor() for cloud in clouds) == list(y[rows])
    assert not any(cloud.angle for cloud in clouds)
    sizes = np.array([(cloud.width, cloud.height) for cloud in clouds])
    for i, column in enumerate(WIDE[d]):
        sigma = np.exp(logvar / 2)[:, column]
        np.testing.assert_allclose(sizes[:, i], 2 * sigma[rows])
        low, high = (ax.get_xlim(), ax.get_ylim())[i]
        assert low < (mu[:, column] - sigma)[rows].min() and (mu[:, column] + sigma)[rows].max() < high
        assert f"{np.median(sigma):.3f} {('to the right', 'upwards')[i]}" in fig.alt_text


@pytest.mark.parametrize("d", WIDE)
def test_each_class_map_shows_its_class_dark_all_codes_pale_and_its_median_coloured(d):
    mu, _, y = made_up_codes(d)
    fig = drawn("plot_class_maps", d)
    assert fig.alt_text.endswith(f"Dress takes the smallest area, Sneaker the largest.{NEAREST}")
    assert sorted(ax.get_title() for ax in fig.axes) == sorted(CLASS_NAMES)
    for ax in fig.axes:
        c = CLASS_NAMES.index(ax.get_title())
        pale, dark = (line for line in ax.lines if line.get_marker() == ".")  # in the order in which they are drawn
        assert sum(colors.to_rgb(pale.get_color())) > sum(colors.to_rgb(dark.get_color())) + 1
        assert sorted(rows_of(pale.get_xydata(), mu)) == list(range(N))
        assert sorted(rows_of(dark.get_xydata(), mu)) == list(np.flatnonzero(y == c))
        (dot,) = (line for line in ax.lines if line.get_marker() == "o")
        assert classes_of([dot.get_color()]) == [c]
        np.testing.assert_allclose(dot.get_xydata()[0, : len(WIDE[d])], np.median(mu[y == c][:, WIDE[d]], axis=0))


@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_clouds"])
def test_in_the_axes_that_are_given_a_line_leads_from_every_class_name_to_the_median_of_its_codes(plot):
    mu, _, y = made_up_codes(2)
    fig, (other, ax) = plt.subplots(1, 2)
    assert drawn(plot, 2, ax=ax) is fig
    assert not other.has_data()
    lines = {tuple(line.get_xydata()[0]): line for line in ax.lines}
    assert sorted(text.get_text().strip() for text in ax.texts) == sorted(CLASS_NAMES)
    for text in ax.texts:
        c = CLASS_NAMES.index(text.get_text().strip())
        _, end = lines[text.get_position()].get_xydata()
        np.testing.assert_allclose(end, np.median(mu[y == c], axis=0))
        assert classes_of([lines[tuple(end)].get_color()]) == [c]


@pytest.mark.parametrize("d", WIDE)
@pytest.mark.parametrize("plot", ["plot_latent_scatter", "plot_clouds", "plot_class_maps"])
def test_title_and_axes_name_the_latents_and_the_prior_is_drawn_to_scale(plot, d):
    fig = drawn(plot, d)
    title, lower_left = fig.get_suptitle() or fig.axes[0].get_title(), fig.axes[-5:][0]
    names = {1: ("$z_1$", ""), 2: ("$z_{1}$", "$z_{2}$"), 8: ("$z_{3}$", "$z_{6}$")}
    assert (lower_left.get_xlabel(), lower_left.get_ylabel()) == names[d]
    assert title.startswith("$z_{3}$ and $z_{6}$, the two of 8 latents") if d == 8 else "$" not in title
    for ax in fig.axes:
        circles = [patch for patch in ax.patches if isinstance(patch, patches.Circle)]
        if d == 1:
            upright = [line.get_xdata()[0] for line in ax.lines if list(line.get_ydata()) == [0, 1]]
            assert sorted(upright) == [-3, -2, -1, 1, 2, 3]
        else:
            assert all(tuple(circle.center) == (0, 0) and not circle.get_fill() for circle in circles)
            share = [100 * (1 - np.exp(-(circle.radius**2) / 2)) for circle in circles]
            np.testing.assert_allclose(share, [39.3, 86.5, 98.9], atol=0.05)  # as the titles say
            assert ax.get_aspect() == 1
            assert max(ax.get_xlim()[0], ax.get_ylim()[0]) < -3


@pytest.mark.parametrize(
    ("d", "dims", "other", "title"),
    [
        (2, (1, 0), 0, ""),
        (8, (2, 5), 0, "Two of 8 latents; the others are 0"),
        (8, (5, 2), 1.5, "Two of 8 latents; the others are not 0"),
    ],
)
def test_each_image_of_the_sheet_lies_at_the_ticks_of_its_code(d, dims, other, title):
    z, images = latent_grid(5, d, dims, limit=1.5)[:3, :4], made_up_images(3, 4)
    z[..., 0] += other
    fig = vp.plot_latent_grid(images, z)
    (ax,) = fig.axes
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == (title, *(f"$z_{{{i + 1}}}$" for i in dims))
    assert_seen(ax, places(ax), images.reshape(12, 28, 28, 1))
    read = [(float(ticks(ax.xaxis)[x]), float(ticks(ax.yaxis)[y])) for x, y in places(ax)]
    np.testing.assert_allclose(read, z[..., dims].reshape(12, 2), atol=0.051)  # rounded to one digit
    row, column = divmod(int(images.reshape(12, -1).mean(axis=1).argmax()), 4)
    assert f"The brightest is in row {row + 1} from the top, column {column + 1}." in fig.alt_text


def test_the_sheet_of_a_single_latent_is_read_row_by_row():
    images = made_up_images(3, 3)
    (ax,) = vp.plot_latent_grid(images, np.linspace(-2, 2, 9).reshape(3, 3, 1)).axes
    assert ticks(ax.yaxis) == {13.5: "-2.0", 41.5: "-0.5", 69.5: "1.0"}
    assert_seen(ax, [(x, y) for y in ticks(ax.yaxis) for x in (13.5, 41.5, 69.5)], images.reshape(9, 28, 28, 1))


def test_rows_of_a_confusion_are_true_classes_and_add_up_to_100_per_cent():
    fig = vp.plot_confusion([6] * 4 + [2] * 10 + [8] * 5, [6, 6, 6, 2] + [2] * 5 + [6] * 2 + [5] * 3 + [8] * 5)
    ax, scale = fig.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert scale.get_ylabel() == "per cent of the true class"
    names = [CLASS_NAMES[c] for c in (6, 2, 8, 5)]  # similar clothes side by side
    assert [*ticks(ax.yaxis).items()] == [*ticks(ax.xaxis).items()] == [(i + 0.5, name) for i, name in enumerate(names)]
    wanted = np.array([[75, 25, 0, 0], [20, 50, 0, 30], [0, 0, 100, 0], [0, 0, 0, 0]])
    (mesh,) = ax.collections
    np.testing.assert_allclose(mesh.get_array(), wanted)
    assert mesh.get_clim() == (0, 100)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(x + 0.5, y + 0.5): str(value) for (y, x), value in np.ndenumerate(wanted) if value}
    assert "Most often right: Bag, 100 per cent; least often: Pullover, 50 per cent." in fig.alt_text


def test_a_column_of_uncertainty_is_input_mean_and_variance_of_one_image_on_a_scale_of_its_own():
    x, mean, variance = made_up_images(3, 3)
    variance = variance * np.array([0.01, 0.1, 0]).reshape(3, 1, 1, 1)
    fig = vp.plot_uncertainty_maps(x, mean, variance, ["a", "b", "c"])
    assert f"in each: {variance[0].max():.3f}, {variance[1].max():.3f}, 0.000." in fig.alt_text
    upper, lower = np.array([ax for ax in fig.axes if ax.images and ax.get_subplotspec()]).reshape(2, 3)
    for i, name in enumerate("abc"):
        assert_rows(upper[i], [x[i : i + 1], mean[i : i + 1]], ["", ""] if i else ["input", "mean"], [name])
        assert list(ticks(lower[i].yaxis).values()) == ["" if i else "variance"]
        (heat,) = lower[i].images
        assert lower[i].yaxis_inverted()
        np.testing.assert_array_equal(heat.get_array(), variance[i, ..., 0])
        assert (heat.colorbar.vmin, heat.colorbar.vmax) == heat.get_clim()
        assert heat.get_clim() == pytest.approx((0, variance[i].max()), abs=1e-8)


IMAGES, PATHS = made_up_images(4), made_up_images(2, 2)
MU, LOGVAR, Y = made_up_codes(2)
REFUSED = {
    "images must have shape (N, 28, 28, 1)": lambda: vp.plot_images(IMAGES[0]),
    "There are 4 images": lambda: vp.plot_one_per_class(IMAGES, [0, 1]),
    "'mu' has 4 images for 3": lambda: vp.plot_reconstructions(IMAGES[:3], {"mu": IMAGES}),
    "must have shape (N, M, 28, 28, 1)": lambda: vp.plot_interpolation(IMAGES),
    "2 paths": lambda: vp.plot_interpolation(PATHS, names=["one"]),
    "mu must have shape (N, d)": lambda: vp.plot_latent_scatter(MU[:, 0], Y),
    "one label for each": lambda: vp.plot_clouds(MU, LOGVAR, Y[:, None]),
    "they belong together": lambda: vp.plot_clouds(MU, LOGVAR[:, :1], Y),
    "one code for each image": lambda: vp.plot_latent_grid(PATHS, MU[:4]),
    "must be a grid": lambda: vp.plot_latent_grid(PATHS, latent_grid(2)[::-1]),
    "but not": lambda: explore_plane(PATHS, latent_grid(3)),
    "has 3 numbers": lambda: explore_plane(PATHS, latent_grid(2), {"middle": (0, 0, 0)}),
    "labels of shape": lambda: vp.plot_confusion(Y, Y[1:]),
    "4 means and 3 variances": lambda: vp.plot_uncertainty_maps(IMAGES, IMAGES, IMAGES[1:]),
    "from 0 to 9": lambda: vp.plot_latent_scatter(MU, Y + 1),
    "at least 1": lambda: vp.plot_clouds(MU, LOGVAR, Y, 0),
    "no epoch of recon_loss, kl_loss": lambda: vp.plot_history({"loss": [1.0]}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_shapes_are_refused_in_plain_words(words):
    with pytest.raises(ValueError, match=re.escape(words)):
        REFUSED[words]()
    assert not plt.get_fignums(), "a refused plot leaves no empty figure behind"
