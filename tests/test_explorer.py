"""The explorer of the plane holds and draws the decoded images, under the pointer, the keyboard and a finger."""

import base64
import html
import io
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vae_helpers as vh
from plane_explorer import MOST_BYTES, explore_plane, names_apart, on_sheet, sheet_axes

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "4.3.09_generation.ipynb"
TOLERANCE = 2 / 255 + 1e-9


def pictures(z):
    """Draw for each code z (..., d) a ring around a place that it sets, with some texture: (..., 28, 28, 1)."""
    y, x = np.mgrid[0:28, 0:28]
    a, b = z[..., 0, None, None], z[..., -1, None, None]
    radius = np.hypot(x - 14 - 3 * a, y - 14 + 2 * b)
    image = np.exp(-(((radius - 6 - b) / 2.5) ** 2)) * (0.6 + 0.4 * np.sin(0.7 * x * (1 + 0.1 * a) + 0.4 * y))
    return np.clip(image, 0, 1)[..., None].astype("float32")


PLANE = vh.latent_grid(31, limit=3)
LINE = vh.latent_grid(9, latent_dim=1, limit=3)
LABELS = {"middle": (0, 0), "upper left": (-2, 2.5), "far": (9, -9), "beside the middle": (0.1, -0.1)}


def sheet_of(content):
    """Return the picture that the HTML holds, as grey levels from 0 to 1."""
    (payload,) = re.findall(r'src="data:image/png;base64,([^"]+)"', content)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(payload)))) / 255


def data_of(content):
    """Return what the HTML hands to its script."""
    return json.loads(html.unescape(re.search('data-plane="([^"]*)"', content)[1]))


# ------------------------------------------------------------------------------------------------------ the HTML


def test_the_sheet_holds_every_image_at_its_place_to_within_two_grey_levels():
    images = pictures(PLANE)
    sheet = sheet_of(explore_plane(images, PLANE).html)
    assert sheet.shape == (868, 868)
    for row, column in itertools.product(range(31), repeat=2):
        tile = sheet[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        assert np.abs(tile - images[row, column, ..., 0]).max() <= TOLERANCE


@pytest.mark.parametrize("noise", [0, 1])
def test_it_keeps_to_its_size_and_asks_for_nothing_else(noise):
    images = np.clip(pictures(PLANE) + noise * np.random.default_rng(0).random((31, 31, 28, 28, 1)), 0, 1)
    content = explore_plane(images, PLANE, LABELS).html
    assert len(content.encode()) <= MOST_BYTES == 350_000
    assert not re.search(r"https?:|\b(src|href)=\"(?!data:)|@import|url\(", content)


def test_no_element_has_an_id_and_the_text_has_no_dollar_sign():
    content = explore_plane(pictures(PLANE), PLANE, LABELS).html
    assert not re.search(r"\bid\s*=|getElementById|\$", content.replace(re.search('base64,([^"]+)', content)[1], ""))


def test_the_alternative_text_says_what_is_where():
    content = explore_plane(pictures(PLANE), PLANE, LABELS | {'<"&>': (1, 1)}).html
    (alt,) = re.findall(r'<img alt="([^"]*)"', content)
    assert "31 by 31" in alt
    assert "z_1 from -3.0 to 3.0 to the right and z_2 from -3.0 to 3.0 upwards" in alt
    assert "middle near row 16, column 16" in alt
    assert "far near row 31, column 31" in alt
    assert '<"&>' in html.unescape(alt)
    assert data_of(content)["names"][-1][0] == '<"&>'


def test_where_only_text_is_shown_it_is_a_sentence():
    assert "explorer" in repr(explore_plane(pictures(PLANE), PLANE))


def test_of_more_than_two_latents_those_of_the_grid_are_named():
    z = vh.latent_grid(5, latent_dim=4, dims=(1, 3), limit=2)
    content = explore_plane(pictures(z), z).html
    assert "z_2 from -2.0 to 2.0 to the right and z_4 from -2.0 to 2.0 upwards, the other latents 0" in content
    assert [axis["name"] for axis in data_of(content)["axes"]] == ["z₂", "z₄"]


def test_labels_stand_at_their_codes_or_at_the_edge_and_none_covers_another():
    places = on_sheet(LABELS, PLANE)
    np.testing.assert_allclose(places, [(15.5, 15.5), (5.5, 3.0), (30.5, 30.5), (16.0, 16.0)], atol=1e-5)
    np.testing.assert_allclose(on_sheet({"start": [-3], "later": [0.75]}, LINE), [(0.5, 0.5), (5.5, 5.5)], atol=1e-5)
    written = names_apart(list(LABELS), places, 0.8, np.zeros(2), np.array([31, 31]))
    half = 0.8 * np.array([[0.32 * len(name), 0.62] for name in LABELS])
    assert (written >= half - 1e-9).all()
    assert (written <= 31 - half + 1e-9).all()
    for i, j in itertools.combinations(range(len(LABELS)), 2):
        assert (np.abs(written[i] - written[j]) >= half[i] + half[j] - 1e-9).any()


@pytest.mark.parametrize(
    "z",
    [PLANE[::-1], PLANE[:, ::-1], PLANE.swapaxes(0, 1), 0 * PLANE, LINE[::-1], PLANE + np.inf, LINE + np.nan],
    ids=["upside down", "mirrored", "transposed", "constant", "line backwards", "infinite", "no numbers"],
)
def test_codes_that_are_no_such_grid_are_refused(z):
    with pytest.raises(ValueError, match="must be a grid" if np.isfinite(z).all() else "infinite codes"):
        sheet_axes(z)


def test_fewer_codes_than_images_and_a_label_with_a_code_of_another_length_are_refused():
    with pytest.raises(ValueError, match="but not"):
        explore_plane(pictures(PLANE), PLANE[:30])
    with pytest.raises(ValueError, match="has 3 numbers"):
        explore_plane(pictures(PLANE), PLANE, {"middle": (0, 0, 0)})


def test_the_stored_section_holds_an_explorer_with_the_class_names():
    outputs = [o for c in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] for o in c.get("outputs", [])]
    (content,) = ["".join(o["data"]["text/html"]) for o in outputs if "text/html" in o.get("data", {})]
    assert len(content.encode()) <= MOST_BYTES
    assert sheet_of(content).shape == (868, 868)
    assert all(name in re.search(r'<img alt="([^"]*)"', content)[1] for name in vh.CLASS_NAMES)


# --------------------------------------------------------------------------------------------------- the browser


@pytest.fixture(scope="module")
def browser(browser, tmp_path_factory):
    """Headless Chromium on a page with two explorers, of the plane and of a line, whose script was run."""
    page = tmp_path_factory.mktemp("explorer") / "page.html"
    plane, line = explore_plane(pictures(PLANE), PLANE, LABELS).html, explore_plane(pictures(LINE), LINE).html
    as_sanitized = re.sub(r"<(script|style)>.*?</\1>", "", plane, flags=re.S).replace("vae-plane", "without-script")
    body = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>x</title><body>{plane}{line}{as_sanitized}'
    page.write_text(body, encoding="utf-8")
    size = {"width": 1200, "height": 1800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    browser.execute_async_script(
        "const ready = () => document.querySelectorAll('canvas').length == 2 ? arguments[0]() : setTimeout(ready, 50);"
        "ready()"
    )
    return browser


def element(browser, selector, which=0):
    return browser.find_elements("css selector", f".vae-plane {selector}")[which]


def point_at(browser, column, row, which=0):
    """Move the mouse to a place on the map, counted in images from its top left corner."""
    from selenium.webdriver import ActionChains

    plane, n = element(browser, ".vae-plane-map", which), (31, 9)[which]
    x, y = (round((at / n - 0.5) * plane.size["width"]) for at in (column, row))
    ActionChains(browser, duration=0).move_to_element_with_offset(plane, x, y).perform()


def drawn(browser, which=0):
    """Return the image that is drawn, as grey levels from 0 to 1; it must be grey and opaque."""
    script = "const c = arguments[0]; return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    pixels = np.array(browser.execute_script(script, element(browser, "canvas", which))).reshape(28, 28, 4)
    assert (pixels[..., 3] == 255).all()
    assert (np.ptp(pixels[..., :3], axis=2) == 0).all()
    return pixels[..., 0] / 255


def keys(browser, *names, which=0):
    from selenium.webdriver.common.keys import Keys

    element(browser, ".vae-plane-map", which).send_keys(*(getattr(Keys, f"ARROW_{name}") for name in names))


def off(browser, code, which=0):
    """Return how far the drawn image is from that of a code, at the worst pixel."""
    return np.abs(drawn(browser, which) - pictures(np.array(code, float))[..., 0]).max()


@pytest.mark.parametrize("code", [(3, 3), (-3, 3), (3, -3), (-3, -3), (0, 0), (1.2, -0.4)])
def test_the_image_follows_the_pointer_to_the_sheets_codes(browser, code):
    point_at(browser, (code[0] + 3) / 0.2 + 0.5, (3 - code[1]) / 0.2 + 0.5)
    # The mouse stands on a whole pixel of the screen, the arrow keys on the sheet's codes: there, and nowhere else.
    keys(browser, "RIGHT", "LEFT") if code[0] < 3 else keys(browser, "LEFT", "RIGHT")
    assert off(browser, code) <= TOLERANCE
    said = element(browser, "output").text.replace("−", "-")
    assert [float(value) for value in re.findall(r"= (-?\d+\.\d\d)", said)] == pytest.approx(code)


def test_the_pointer_alone_comes_near_and_changes_the_image(browser):
    seen = []
    for code in ((-2, 1), (1, 2)):
        point_at(browser, (code[0] + 3) / 0.2 + 0.5, (3 - code[1]) / 0.2 + 0.5)
        assert off(browser, code) < 0.1
        seen.append(drawn(browser))
    assert np.abs(seen[0] - seen[1]).max() > 0.3


def test_the_arrow_keys_move_by_one_code_and_stop_at_the_edge(browser):
    point_at(browser, 15.5, 15.5)
    keys(browser, "UP", "UP", "RIGHT", "DOWN")
    assert off(browser, (0.2, 0.2)) <= TOLERANCE
    keys(browser, *["LEFT"] * 40, *["DOWN"] * 40)
    assert off(browser, (-3, -3)) <= TOLERANCE


def test_a_slider_moves_along_its_latent_and_neighbours_are_blended(browser):
    from selenium.webdriver.common.keys import Keys

    point_at(browser, 15.5, 15.5)
    keys(browser, "LEFT", "RIGHT")
    for which in (0, 1):
        slider = element(browser, "input", which)
        assert slider.accessible_name == ("z₁", "z₂")[which]
        slider.send_keys(Keys.ARROW_RIGHT * 2)  # half the way to the next code
        assert slider.get_attribute("aria-valuetext") == "0.10"
    corners = pictures(PLANE[14:16, 15:17])[..., 0]
    assert np.abs(drawn(browser) - corners.mean(axis=(0, 1))).max() <= 5 / 255


def test_a_finger_moves_it_and_the_page_stays(browser):
    box = browser.execute_script("return arguments[0].getBoundingClientRect()", element(browser, ".vae-plane-map"))
    for kind, share in (("touchStart", 0.3), ("touchMove", 0.5), ("touchMove", 0.7)):
        point = {"x": box["x"] + share * box["width"], "y": box["y"] + share * box["height"]}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert off(browser, (1.24, -1.24)) < 0.1
    assert browser.execute_script("return window.scrollY") == 0


def test_a_line_is_read_row_by_row(browser):
    line = LINE.ravel()
    point_at(browser, 4.5, 4.5, which=1)
    for moves, index in ((("LEFT", "RIGHT"), 40), (("UP",), 31), (("RIGHT",) * 5, 36), (("DOWN",) * 9, 80)):
        keys(browser, *moves, which=1)
        assert off(browser, [line[index]], which=1) <= TOLERANCE
    assert off(browser, (0.0, 0.0)) > 0.05, "the other explorer moved, too"


def test_focus_is_seen_and_the_map_is_named(browser):
    plane = element(browser, ".vae-plane-map")
    keys(browser, "UP")
    style = browser.execute_script(
        "const s = getComputedStyle(arguments[0]); return s.outlineStyle + s.outlineWidth", plane
    )
    assert style == "solid3px"
    assert "arrow keys" in plane.accessible_name
    # Without this, JupyterLab takes the arrow keys of whatever has the focus.
    for focused in (plane, element(browser, "input", 0), element(browser, "input", 1)):
        assert focused.get_attribute("data-lm-suppress-shortcuts") == "true"


def test_without_its_script_the_sheet_is_seen_with_its_text(browser):
    root = browser.find_element("css selector", ".without-script")
    image = root.find_element("css selector", "img")
    assert browser.execute_script("return arguments[0].naturalWidth", image) == 868
    assert image.size == {"width": 560, "height": 560}
    assert "decoded images" in image.get_attribute("alt")
    assert not root.find_elements("css selector", "canvas, input")
    assert "trusted" in root.text
