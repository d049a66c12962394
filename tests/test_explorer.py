"""The explorer of the plane holds and draws the decoded images, under the pointer, the keyboard and a finger."""

import base64
import html
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

import vae_helpers as vh
from plane_explorer import MOST_BYTES, explore_plane, names_apart, on_sheet, sheet_axes, sheet_in_words

TOLERANCE = 2 / 255 + 1e-9
PLANE, LINE = vh.latent_grid(31, limit=3), vh.latent_grid(9, latent_dim=1, limit=3)
LABELS = {"middle": (0, 0), "upper left": (-2, 2.5), "far": (9, -9), "beside the middle": (0.1, -0.1), '<"&>': (1, 1)}


def pictures(z):
    """Draw for each code z (..., d) a ring around a place that it sets, with some texture: (..., 28, 28)."""
    y, x = np.mgrid[0:28, 0:28]
    a, b = np.asarray(z, float)[..., 0, None, None], np.asarray(z, float)[..., -1, None, None]
    radius = np.hypot(x - 14 - 3 * a, y - 14 + 2 * b)
    return np.exp(-(((radius - 6 - b) / 2.5) ** 2)) * (0.6 + 0.4 * np.sin(0.7 * x * (1 + 0.1 * a) + 0.4 * y))


def grey(url):
    """Return the picture in an address, which must be grey and opaque, as grey levels from 0 to 1."""
    image = Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2]))).convert("RGBA")
    red, green, blue, alpha = np.moveaxis(np.asarray(image), -1, 0)
    assert (alpha == 255).all() and (red == green).all() and (red == blue).all()
    return red / 255


def assert_held(content, images, tolerance=TOLERANCE):
    """The sheet in the HTML has every image at its place."""
    (url,) = re.findall(r'src="([^"]+)"', content)
    rows, columns = images.shape[:2]
    tiles = grey(url).reshape(rows, 28, columns, 28).swapaxes(1, 2)
    np.testing.assert_allclose(tiles, images, rtol=0, atol=tolerance)


EXPLORER = explore_plane(pictures(PLANE)[..., None], PLANE, LABELS)


def test_it_is_one_piece_that_holds_every_image_to_within_two_grey_levels_and_asks_for_nothing_else():
    assert_held(EXPLORER.html, pictures(PLANE))
    assert len(EXPLORER.html.encode()) <= MOST_BYTES == 350_000
    text = re.sub('base64,[^"]+', "", EXPLORER.html)
    assert not re.search(r"https?:|\b(src|href)=\"(?!data:)|@import|url\(", text)
    assert not re.search(r"\bid\s*=|getElementById|\$", text), "any number of them may stand on one page"


def test_what_compresses_badly_gets_fewer_grey_levels_instead_of_more_bytes(monkeypatch):
    monkeypatch.setattr("plane_explorer.MOST_BYTES", 60_000)
    noise = np.random.default_rng(0).random((9, 9, 28, 28))
    content = explore_plane(noise, LINE, {"start": [-3]}).html
    assert len(content.encode()) <= 60_000
    assert_held(content, noise, tolerance=0.1)


def test_the_text_says_what_is_where():
    alt = html.unescape(re.search('<img alt="([^"]*)"', EXPLORER.html)[1])
    assert "31 by 31 decoded images, z_1 from -3.0 to 3.0 to the right and z_2 from -3.0 to 3.0 upwards." in alt
    assert "middle near row 16, column 16" in alt
    assert "far near row 31, column 31" in alt
    assert '<"&>' in alt
    assert "explorer" in repr(EXPLORER), "where only text is shown"


def test_of_more_than_two_latents_those_of_the_grid_are_named():
    z = vh.latent_grid(5, latent_dim=4, dims=(1, 3), limit=2)
    words = "z_2 from -2.0 to 2.0 to the right and z_4 from -2.0 to 2.0 upwards, the other latents 0"
    assert words in sheet_in_words(z)
    assert re.findall(r'"name": "(.+?)"', html.unescape(explore_plane(pictures(z), z).html)) == ["z\\u2082", "z\\u2084"]


def test_labels_stand_at_their_codes_or_at_the_edge_and_none_covers_another():
    places = on_sheet(LABELS, PLANE)
    wanted = [(15.5, 15.5), (5.5, 3.0), (30.5, 30.5), (16.0, 16.0), (20.5, 10.5)]
    np.testing.assert_allclose(places, wanted, atol=1e-5)
    np.testing.assert_allclose(on_sheet({"start": [-3], "later": [0.75]}, LINE), [(0.5, 0.5), (5.5, 5.5)], atol=1e-5)
    written = names_apart(list(LABELS), places, 0.8, np.zeros(2), np.array([31, 31]))
    half = 0.8 * np.array([[0.32 * len(name), 0.62] for name in LABELS])
    assert (written >= half - 1e-9).all()
    assert (written <= 31 - half + 1e-9).all()
    for i, j in itertools.combinations(range(len(LABELS)), 2):
        assert (np.abs(written[i] - written[j]) >= half[i] + half[j] - 1e-9).any()


@pytest.mark.parametrize(
    "z", [PLANE[::-1], PLANE[:, ::-1], PLANE.swapaxes(0, 1), 0 * PLANE, LINE[::-1], PLANE + np.inf, LINE + np.nan]
)
def test_codes_that_are_no_such_grid_or_infinite_are_refused(z):
    with pytest.raises(ValueError, match="must be a grid" if np.isfinite(z).all() else "infinite codes"):
        sheet_axes(z)


LEFT, UP, RIGHT, DOWN = "\ue012\ue013\ue014\ue015"  # the arrow keys, as WebDriver writes them


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
    """Three explorers on a page in headless Chromium: of the plane, of a line, and one whose script was taken away."""
    page = tmp_path_factory.mktemp("explorer") / "page.html"
    line = explore_plane(pictures(LINE), LINE).html
    as_sanitized = re.sub(r"<(script|style)>.*?</\1>", "", EXPLORER.html, flags=re.S).replace("vae-plane", "other")
    page.write_text(f'<!DOCTYPE html><meta charset="utf-8">{EXPLORER.html}{line}{as_sanitized}', encoding="utf-8")
    size = {"width": 1200, "height": 1800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    started = "document.querySelectorAll('canvas').length == 2 ? arguments[0]() : setTimeout(ready, 50)"
    browser.execute_async_script(f"const ready = () => {started}; ready()")
    return browser.find_elements("css selector", "[data-plane]")


@pytest.fixture
def plane(shown):
    """The explorer of the plane, with the pointer in the middle of its map."""
    found(shown[0], ".vae-plane-map").click()
    return shown[0]


def found(root, selector):
    return root.find_element("css selector", selector)


def on_screen(plane, code):
    """Return where on the screen a code lies: in the middle of its image."""
    box, ((column, row),) = found(plane, ".vae-plane-map").rect, on_sheet({"": code}, PLANE)
    return {"x": box["x"] + column / 31 * box["width"], "y": box["y"] + row / 31 * box["height"]}


def assert_drawn(root, image, tolerance=TOLERANCE):
    url = root.parent.execute_script("return arguments[0].toDataURL()", found(root, "canvas"))
    np.testing.assert_allclose(grey(url), image, rtol=0, atol=tolerance)


@pytest.mark.parametrize("code", [(3, 3), (-3, 3), (3, -3), (-3, -3), (0, 0), (1.2, -0.4)])
@pytest.mark.parametrize("device", ["mouse", "finger"])
def test_the_image_and_its_coordinates_follow_the_pointer_and_the_page_stays(plane, device, code):
    send, at = plane.parent.execute_cdp_cmd, on_screen(plane, code)
    if device == "mouse":
        send("Input.dispatchMouseEvent", {"type": "mouseMoved"} | at)
    else:
        for kind, points in (("Start", [on_screen(plane, (-1, 1))]), ("Move", [at]), ("End", [])):
            send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    assert_drawn(plane, pictures(code))
    said = found(plane, "output").text.replace("−", "-")
    assert [float(value) for value in re.findall(r"= (-?\d+\.\d\d)", said)] == pytest.approx(code)
    assert plane.parent.execute_script("return window.scrollY") == 0


def test_the_arrow_keys_move_by_one_code_and_stop_at_the_edge_and_focus_is_seen(plane):
    area = found(plane, ".vae-plane-map")
    area.send_keys(UP + UP + RIGHT + DOWN)
    assert_drawn(plane, pictures((0.2, 0.2)))
    area.send_keys(LEFT * 40 + DOWN * 40)
    assert_drawn(plane, pictures((-3, -3)))
    assert "arrow keys" in area.accessible_name
    assert area.value_of_css_property("outline-style") + area.value_of_css_property("outline-width") == "solid3px"
    assert len(plane.find_elements("css selector", "[data-lm-suppress-shortcuts=true]")) == 3, "JupyterLab takes keys"


def test_a_slider_moves_along_its_latent_and_neighbours_are_blended(plane):
    for slider, name in zip(plane.find_elements("css selector", "input"), ("z₁", "z₂"), strict=True):
        assert slider.accessible_name == name
        slider.send_keys(RIGHT * 2)  # half the way to the next code
        assert slider.get_attribute("aria-valuetext") == "0.10"
    assert_drawn(plane, pictures(PLANE[14:16, 15:17]).mean(axis=(0, 1)), tolerance=5 / 255)


def test_a_line_is_read_row_by_row_and_the_other_explorer_stays(plane, shown):
    area = found(shown[1], ".vae-plane-map")
    area.click()
    for moves, index in (("", 40), (UP, 31), (RIGHT * 5, 36), (DOWN * 9, 80)):
        area.send_keys(moves)
        assert_drawn(shown[1], pictures(LINE.reshape(-1, 1)[index]))
    assert_drawn(plane, pictures((0, 0)))


def test_names_are_written_on_the_map_and_without_its_script_the_sheet_is_seen_with_its_text(shown):
    assert [name.text for name in shown[0].find_elements("css selector", ".vae-plane-name")] == [*LABELS]
    image = found(shown[2], "img")
    assert image.get_property("naturalWidth") == 868
    assert image.size == {"width": 560, "height": 560}
    assert not shown[2].find_elements("css selector", "canvas, input")
    assert "trusted" in shown[2].text
