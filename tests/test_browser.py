"""Headless Chromium sees the page as a reader should: make test-browser."""

import os
from importlib.resources import files
from pathlib import Path

import pytest

from fashion_mnist import CLASS_NAMES

if os.environ.get("VAE_BROWSER") != "required":
    pytest.skip("needs Chromium, its driver and requirements-dev.txt: make test-browser", allow_module_level=True)

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("4.3.*.ipynb"))
NAMES = [path.name[:6] for path in NOTEBOOKS]
WIDTHS = (1280, 390)  # a laptop's window and a phone's, in pixels


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The page of the stored notebooks, open, with the code that it folds away unfolded."""
    from page import write_documents

    folder = tmp_path_factory.mktemp("page")
    write_documents(NOTEBOOKS, folder, "Ada Lovelace", "Machine learning 1")
    browser.get((folder / "vae.html").as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    return browser


def resize(page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


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


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("selector", "wrong"), FAULTS.values(), ids=FAULTS)
def test_the_page_has_no(page, selector, wrong, width):
    resize(page, width)
    found = page.execute_script(
        f"""
        const root = document.documentElement, all = [...document.querySelectorAll(arguments[0])];
        return all.filter(e => {wrong}).map(e => [e.closest('.level3')?.id, e.outerHTML.slice(0, 120)]);
    """,
        selector,
    )
    assert found == []


@pytest.mark.parametrize("section", NAMES)
def test_axe_finds_nothing(page, section):
    resize(page, WIDTHS[1])  # where most boxes scroll; what else axe looks at does not depend on the width
    if not page.execute_script("return !!window.axe"):
        page.execute_script((files("selenium_axe_python") / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    # One section at a time, in the frame of the whole page, and of the spans that colour code one of each class:
    # axe's time grows faster than the number of elements.
    found = page.execute_async_script(
        """
        const [id, done] = arguments, main = document.querySelector('main'), sections = [...main.children];
        const section = document.getElementById(id).cloneNode(true), seen = new Set();
        const part = document.querySelector('main h2').cloneNode(true);  // the heading above it
        for (const span of section.querySelectorAll('pre span'))
            if (seen.has(span.className)) span.replaceWith(...span.childNodes); else seen.add(span.className);
        main.replaceChildren(part, section);
        dispatchEvent(new Event('resize'));
        const tell = ({impact, help, nodes}) => [impact, help, nodes.length, nodes[0].html];
        axe.run({resultTypes: ['violations']}).then(result => result.violations.map(tell), error => String(error))
            .then(answer => { main.replaceChildren(...sections); done(answer) });
        """,
        section,
    )
    assert found == []
