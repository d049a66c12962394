"""Headless Chromium sees the page as a reader should: make test-browser."""

import os
from pathlib import Path

import pytest
from page import write_documents

from fashion_mnist import CLASS_NAMES

if os.environ.get("VAE_BROWSER") != "required":
    pytest.skip("needs Chromium, its driver and requirements-dev.txt: make test-browser", allow_module_level=True)

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("4.3.*.ipynb"))
NAMES = [path.name[:6] for path in NOTEBOOKS]


@pytest.fixture(scope="module", params=[1280, 390], ids=["laptop", "phone"])
def page(request, browser, tmp_path_factory):
    """The page of the stored notebooks in a window of such a width, with the code that it folds away unfolded."""
    folder = tmp_path_factory.mktemp("page")
    write_documents(NOTEBOOKS, folder, "Ada Lovelace", "Machine learning 1")
    size = {"width": request.param, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((folder / "vae.html").as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    return browser


def test_the_page_has_its_title_name_every_section_in_its_part_and_the_explorer(page):
    assert page.title == "Problem 4.3: Variational Autoencoder"
    assert {"Ada Lovelace", "MACHINE LEARNING 1"} <= set(page.find_element("tag name", "header").text.split("\n"))
    order = page.find_elements("css selector", "main > section, main > section > section")
    parts = ["part-1", *NAMES[:6], "part-2", *NAMES[6:10], "part-3", *NAMES[10:]]
    assert [section.get_attribute("id") for section in order] == parts, "required, promised, beyond the exercise"
    count = [len(page.find_elements("css selector", s)) for s in ("nav a", ".back a", ".vae-plane canvas")]
    assert count == [len(NAMES) + 3, len(NAMES), 1]
    assert len(page.find_elements("tag name", "img")) >= len(NAMES)
    assert len(page.find_elements("tag name", "math")) > 100
    map_of_classes = page.find_element("css selector", ".vae-plane img").get_attribute("alt")
    assert all(name in map_of_classes for name in CLASS_NAMES)


def test_the_page_is_light_asks_for_nothing_and_the_browser_complains_of_nothing(page):
    assert len(page.page_source) < 6e6
    assert page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []
    assert not [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]


# A selector, and what is wrong with an element `e` that it finds.
FAULTS = {
    "something that it asks for": ("[src], link[href]", "!/^data:/.test(e.src || e.href)"),
    "mathematics that is not drawn": (
        "body :not(pre, code, pre *, code *, script, annotation)",
        r"[...e.childNodes].some(n => n.nodeType == Node.TEXT_NODE && /\$|\\[a-zA-Z]/.test(n.data))",
    ),
    "a formula without a size": ("math", "!e.getBoundingClientRect().height || !e.getBoundingClientRect().width"),
    # Browsers know no mathvariant but "normal": the letter itself must be bold.
    "a formula that browsers draw otherwise": (
        "math merror, math [mathvariant]:not([mathvariant=normal]), math :is(mi, mn, mtext):empty",
        "!e.hasAttribute('mathvariant') || /^[A-Za-z0-9]/.test(e.textContent)",
    ),
    "a picture that is broken or not described": ("img", "!e.complete || !e.naturalWidth || !e.alt.trim()"),
    "a link that leads nowhere or to two places": (
        "a[href^='#']",
        "document.querySelectorAll('#' + CSS.escape(decodeURIComponent(e.hash.slice(1)))).length != 1",
    ),
    "anything beside the window, so that it scrolls sideways": (
        "html, body :not(pre *, .scroll *, .output *)",
        "root.scrollWidth > root.clientWidth && (e == root || e.getBoundingClientRect().right > root.clientWidth + 1)",
    ),
}


@pytest.mark.parametrize(("selector", "wrong"), FAULTS.values(), ids=FAULTS)
def test_the_page_has_no(page, selector, wrong):
    script = f"""const root = document.documentElement, all = [...document.querySelectorAll(arguments[0])];
        return all.filter(e => {wrong}).map(e => [e.closest('.level3')?.id, e.outerHTML.slice(0, 120)]);"""
    assert page.execute_script(script, selector) == []


@pytest.mark.parametrize("page", [390], indirect=True)  # where most boxes scroll; nothing else depends on the width
def test_axe_finds_nothing(page):
    from selenium_axe_python import Axe  # it is no part of the Mac's set

    axe = Axe(page)
    axe.inject()
    assert axe.run(options="{resultTypes: ['violations']}")["violations"] == []
