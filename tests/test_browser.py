"""Headless Chromium sees the page as a reader should: make test-browser."""

import os
import time
from importlib.resources import files
from pathlib import Path

import pytest

if os.environ.get("VAE_BROWSER") != "required":
    pytest.skip("needs Chromium, its driver and requirements-dev.txt: make test-browser", allow_module_level=True)

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("4.3.*.ipynb"))
WIDTHS = (1280, 390)  # a laptop's window and a phone's, in pixels


def resize(browser, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    time.sleep(0.3)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The page of the stored notebooks, open, with the code that it folds away unfolded."""
    from page import write_documents

    folder = tmp_path_factory.mktemp("page")
    write_documents(NOTEBOOKS, folder, "Ada Lovelace", "Machine learning 1")
    browser.get((folder / "vae.html").as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    resize(browser, WIDTHS[0])
    return browser


def found(page, script):
    """What a script returns, which collects faults in `bad` with `tell` to show an element in a line."""
    tell = """
        const all = (selector, root = document) => [...root.querySelectorAll(selector)], bad = [];
        const tell = e => `section ${e.closest('.level3')?.id}: ` + e.outerHTML.replace(/\\s+/g, ' ').slice(0, 120);
    """
    return "\n".join(page.execute_script(tell + script + "; return bad"))


def test_the_page_has_its_title_name_and_every_section_in_its_part(page):
    assert page.title == "Problem 4.3: Variational Autoencoder"
    assert {"Ada Lovelace", "MACHINE LEARNING 1"} <= set(
        page.execute_script("return document.querySelector('header').innerText").split("\n")
    )
    parts = page.execute_script(
        "return [...document.querySelectorAll('main > section')]"
        ".map(part => [...part.querySelectorAll(':scope > section')].map(e => e.id))"
    )
    names = [path.name[:6] for path in NOTEBOOKS]
    assert parts == [names[:6], names[6:10], names[10:]], "required, promised, beyond the exercise"
    selectors = ("math", "img", "nav a", ".back a", ".vae-plane canvas")
    count = [page.execute_script("return document.querySelectorAll(arguments[0]).length", s) for s in selectors]
    assert count[0] > 100
    assert count[1] >= len(NOTEBOOKS)
    assert count[2:] == [len(NOTEBOOKS) + 3, len(NOTEBOOKS), 1]


def test_the_page_is_light_and_quick_and_the_browser_complains_of_nothing(page):
    size, ready = page.execute_script(
        "const {encodedBodySize, domInteractive} = performance.getEntriesByType('navigation')[0];"
        "return [encodedBodySize || document.documentElement.outerHTML.length, domInteractive]"
    )
    assert size < 6e6
    assert ready < 2000, "milliseconds until it can be read"
    assert not [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]


FAULTS = {
    "something that it asks for": """
        bad.push(...performance.getEntriesByType('resource').map(e => e.name),
                 ...all('[src], link[href]').filter(e => !/^data:/.test(e.src || e.href)).map(tell))
    """,
    "mathematics that is not drawn": """
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const {data, parentElement} = texts.currentNode;
            const raw = /\\$|\\\\[a-zA-Z]/.test(data) && !parentElement.closest('pre, code, script, annotation');
            if (raw) bad.push(tell(parentElement));
        }
    """,
    "a formula without a size": """
        const empty = e => { const box = e.getBoundingClientRect(); return !box.height || !box.width };
        bad.push(...all('math').filter(empty).map(tell))
    """,
    # Browsers know no mathvariant but "normal": the letter itself must be bold.
    "a formula that browsers draw otherwise": """
        const unseen = 'math merror, math [mathvariant]:not([mathvariant=normal]), math :is(mi, mn, mtext):empty';
        const latin = e => !e.hasAttribute('mathvariant') || /^[A-Za-z0-9]/.test(e.textContent);
        bad.push(...all(unseen).filter(latin).map(tell))
    """,
    "a picture that is broken or not described": """
        bad.push(...all('img').filter(e => !e.complete || !e.naturalWidth || !e.alt.trim()).map(tell))
    """,
    "a link that leads nowhere": """
        const target = e => document.getElementById(decodeURIComponent(e.getAttribute('href').slice(1)));
        bad.push(...all('a[href^="#"]').filter(e => !target(e)).map(tell))
    """,
    "an id that occurs twice": """
        const ids = all('[id]').map(e => e.id); bad.push(...ids.filter((id, i) => ids.indexOf(id) < i))
    """,
    "a heading that skips a level": """
        let last = 0;
        for (const e of all('h1, h2, h3, h4, h5, h6')) {
            if (+e.tagName[1] > last + 1) bad.push(`after h${last}: ` + tell(e));
            last = +e.tagName[1];
        }
        if (all('h1').length != 1) bad.push(`${all('h1').length} headings h1`);
    """,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_page_has_no(page, fault):
    seen = found(page, FAULTS[fault])
    assert not seen, f"{fault}:\n{seen}"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_does_not_scroll_sideways(page, width):
    resize(page, width)
    wide = found(
        page,
        """
        const root = document.documentElement, width = root.clientWidth;
        const outside = e => e.getBoundingClientRect().right > width + 1
            && !e.parentElement.closest('pre, .scroll, .output');
        if (root.scrollWidth > width) bad.push(`${root.scrollWidth} pixels in a window of ${width}`,
                                               ...all('body *').filter(outside).slice(0, 10).map(tell));
        """,
    )
    assert not wide, wide


@pytest.mark.parametrize("section", [path.name[:6] for path in NOTEBOOKS])
def test_axe_finds_nothing_serious(page, section):
    resize(page, WIDTHS[1])  # where most boxes scroll; what else axe looks at does not depend on the width
    if not page.execute_script("return !!window.axe"):
        page.execute_script((files("selenium_axe_python") / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    # One section at a time, in the frame of the whole page, and of the spans that colour code one of each class:
    # axe's time grows faster than the number of elements.
    violations = page.execute_async_script(
        """
        const [id, done] = arguments, main = document.querySelector('main'), sections = [...main.children];
        const section = document.getElementById(id).cloneNode(true), seen = new Set();
        const part = document.querySelector('main h2').cloneNode(true);  // the heading above it
        for (const span of section.querySelectorAll('pre span'))
            if (seen.has(span.className)) span.replaceWith(...span.childNodes); else seen.add(span.className);
        main.replaceChildren(part, section);
        dispatchEvent(new Event('resize'));
        axe.run({resultTypes: ['violations']}).then(result => result.violations, error => String(error))
            .then(answer => { main.replaceChildren(...sections); done(answer) });
        """,
        section,
    )
    assert isinstance(violations, list), f"axe failed: {violations}"
    serious = [v for v in violations if v["impact"] in ("serious", "critical")]
    lines = [
        f"{v['id']}, {v['impact']}: {v['help']}; {len(v['nodes'])} times, first {n['target']} {n['html'][:120]}"
        for v in serious
        for n in v["nodes"][:3]
    ]
    assert not serious, "\n".join(lines)
