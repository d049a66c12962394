"""Headless Chromium sees the page and an open notebook as a reader should: make test-browser."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest

if os.environ.get("VAE_BROWSER") != "required":
    pytest.skip("needs Chromium, its driver and requirements-dev.txt: make test-browser", allow_module_level=True)

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("4.3.*.ipynb"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
if not CHROMIUM or not DRIVER:
    missing = " and ".join(name for name, path in (("Chromium", CHROMIUM), ("chromedriver", DRIVER)) if not path)
    pytest.fail(f"{missing} not found. On Debian: apt install chromium chromium-driver", pytrace=False)

WIDTHS = (1280, 390)  # a laptop's window and a phone's, in pixels
LAB_SECONDS = 60  # to start the server, and for it to show the notebook
RUN_SECONDS = 300  # for all cells; without a trained model, one of them trains it
PICTURE_SECONDS = 30


def wait(seconds, what, condition):
    """Return the first true answer of `condition`, or fail and say what did not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.5)
    pytest.fail(f"waited {seconds} s in vain for {what() if callable(what) else what}", pytrace=False)


def resize(browser, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    time.sleep(0.3)


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    # Only our own pages are opened: no sandbox, which root and many containers lack, and no calls home.
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "no-first-run"):
        options.add_argument(f"--{flag}")
    for flag in ("disable-background-networking", "disable-component-update", "disable-sync"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(120)
    yield driver
    driver.quit()


# --------------------------------------------------------------------------------------------------- the page


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


def test_the_page_is_light_and_quick_and_the_browser_complains_of_nothing(page):
    size, ready = page.execute_script(
        "const {encodedBodySize, domInteractive} = performance.getEntriesByType('navigation')[0];"
        "return [encodedBodySize || document.documentElement.outerHTML.length, domInteractive]"
    )
    assert size < 6e6
    assert ready < 2000, "milliseconds until it can be read"
    assert not [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_page_asks_for_nothing_else(page):
    asked = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert not asked, f"the page is not self-contained: it asked for {asked}"
    outside = found(
        page, "bad.push(...all('[src], link[href]').filter(e => !/^data:/.test(e.src || e.href)).map(tell))"
    )
    assert not outside, f"the page is not self-contained:\n{outside}"


def test_no_dollar_sign_and_no_tex_is_left_in_the_text(page):
    raw = found(
        page,
        """
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const {data, parentElement} = texts.currentNode;
            const raw = /\\$|\\\\[a-zA-Z]/.test(data) && !parentElement.closest('pre, code, script, annotation');
            if (raw) bad.push(tell(parentElement));
        }
        """,
    )
    assert not raw, f"not drawn as mathematics:\n{raw}"


def test_every_formula_is_drawn_as_meant(page):
    script = "const empty = e => { const box = e.getBoundingClientRect(); return !box.height || !box.width };"
    assert page.execute_script("return document.querySelectorAll('math').length") > 100
    nothing = found(page, script + "bad.push(...all('math').filter(empty).map(tell))")
    assert not nothing, f"formulas without a size:\n{nothing}"
    ignored = "math merror, math [mathvariant]:not([mathvariant=normal]), math :is(mi, mn, mtext):empty"
    # Browsers know no mathvariant but "normal": the letter itself must be bold.
    latin = "e => !e.hasAttribute('mathvariant') || /^[A-Za-z0-9]/.test(e.textContent)"
    unseen = found(page, f"bad.push(...all('{ignored}').filter({latin}).map(tell))")
    assert not unseen, f"browsers draw this otherwise:\n{unseen}"


def test_every_picture_is_shown_and_described(page):
    broken = found(page, "bad.push(...all('img').filter(e => !e.complete || !e.naturalWidth).map(tell))")
    assert not broken, f"broken pictures:\n{broken}"
    silent = found(page, "bad.push(...all('img').filter(e => !e.alt.trim()).map(tell))")
    assert not silent, f"pictures without alternative text:\n{silent}"
    assert page.execute_script("return document.images.length") >= len(NOTEBOOKS)


def test_every_link_within_the_page_has_its_target_and_ids_are_unique(page):
    assert page.execute_script("return document.querySelectorAll('nav a').length") == len(NOTEBOOKS) + 3
    assert page.execute_script("return document.querySelectorAll('.back a').length") == len(NOTEBOOKS)
    target = "document.getElementById(decodeURIComponent(e.getAttribute('href').slice(1)))"
    lost = found(page, f"bad.push(...all('a[href^=\"#\"]').filter(e => !{target}).map(tell))")
    assert not lost, f"links that lead nowhere:\n{lost}"
    script = "const ids = all('[id]').map(e => e.id); bad.push(...ids.filter((id, i) => ids.indexOf(id) < i))"
    twice = found(page, script)
    assert not twice, f"ids that occur twice:\n{twice}"


def test_no_heading_skips_a_level(page):
    skips = found(
        page,
        """
        let last = 0;
        for (const e of all('h1, h2, h3, h4, h5, h6')) {
            if (+e.tagName[1] > last + 1) bad.push(`after h${last}: ` + tell(e));
            last = +e.tagName[1];
        }
        if (all('h1').length != 1) bad.push(`${all('h1').length} headings h1`);
        """,
    )
    assert not skips, skips


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


@pytest.mark.parametrize("how", ["pointer", "keyboard"])
def test_the_explorer_follows_without_a_kernel(page, how):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    explorers = page.find_elements(By.CSS_SELECTOR, ".vae-plane")
    if not explorers:
        pytest.skip("4.3.09 still has an explorer that needs a kernel")
    resize(page, WIDTHS[0])
    explorer = explorers[0]
    plane = explorer.find_element(By.CSS_SELECTOR, "[tabindex='0']")
    page.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", explorer)
    seen = [explorer.screenshot_as_base64]
    width, height = plane.size["width"], plane.size["height"]
    for step in (1, 2):
        if how == "pointer":
            offset = (int(width * (step / 5 - 0.4)), int(height * (step / 5 - 0.4)))
            ActionChains(page).move_to_element_with_offset(plane, *offset).click().perform()
        else:
            page.execute_script("arguments[0].focus()", plane)
            ActionChains(page).send_keys(*[Keys.ARROW_RIGHT] * 5).perform()
        time.sleep(0.5)
        seen.append(explorer.screenshot_as_base64)
    assert len(set(seen)) == 3, f"the explorer does not follow the {how}"
    assert not [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]


# ------------------------------------------------------------------------------------------------- JupyterLab

EXPLORER = "4.3.09_generation.ipynb"
# Lab keeps only the cells near the window in the page; its own model has them all.
STATE = """
    const panel = window.jupyterapp?.shell.currentWidget, content = panel?.content;
    if (!content?.widgets?.length || !panel.sessionContext?.isReady) return null;
    const cells = content.widgets.map(w => w.model.toJSON()).filter(c => c.cell_type == 'code');
    return {kernel: panel.sessionContext.session?.kernel?.status,
            cells: cells.map(c => ({source: [c.source].flat().join(''), count: c.execution_count, outputs: c.outputs}))}
"""


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A browser on the notebook with the explorer, opened as `make lab` does, in a copy of the course."""
    folder = tmp_path_factory.mktemp("lab")
    course = shutil.copytree(ROOT, folder / "course", ignore=shutil.ignore_patterns(".*", "build", "__pycache__"))
    # Nothing that is stored may pass for the result of this run.
    notebook = json.loads((course / "notebooks" / EXPLORER).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell |= {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
    (course / "notebooks" / EXPLORER).write_text(json.dumps(notebook), encoding="utf-8")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    command = [sys.executable, "-m", "jupyterlab", "notebooks", "--no-browser", "--expose-app-in-browser"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    log = folder / "lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=course, env=os.environ | own, stdout=output, stderr=subprocess.STDOUT)

    def tail():
        return "\n".join(log.read_text().replace(token, "…").splitlines()[-15:])

    def answers():
        if server.poll() is not None:
            pytest.fail(f"JupyterLab ended with status {server.returncode}:\n{tail()}", pytrace=False)
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait(LAB_SECONDS, lambda: f"JupyterLab to answer:\n{tail()}", answers)
        resize(browser, WIDTHS[0])
        browser.get(f"http://127.0.0.1:{port}/lab/tree/{EXPLORER}?token={token}")
        shown = f"JupyterLab to show {EXPLORER} and its kernel"
        wait(LAB_SECONDS, lambda: f"{shown}:\n{tail()}", lambda: browser.execute_script(STATE))
        yield browser
    finally:
        browser.get("about:blank")
        server.send_signal(signal.SIGTERM)  # ends the kernel, too
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def executed(lab):
    """The same after Run > Run All Cells: the final state of all code cells."""
    from selenium.webdriver.common.by import By

    def click(selector, text):
        for element in lab.find_elements(By.CSS_SELECTOR, selector):
            if element.text == text:
                element.click()
                return True
        return False

    wait(PICTURE_SECONDS, "the menu Run", lambda: click(".lm-MenuBar-itemLabel", "Run"))
    wait(PICTURE_SECONDS, "its entry Run All Cells", lambda: click(".lm-Menu-itemLabel", "Run All Cells"))
    latest = {}

    def finished():
        latest.update(lab.execute_script(STATE))
        failed = any(output["output_type"] == "error" for cell in latest["cells"] for output in cell["outputs"])
        return failed or (latest["kernel"] == "idle" and all(cell["count"] for cell in latest["cells"]))

    def what():
        pending = [cell["source"][:300] for cell in latest["cells"] if not cell["count"]]
        kernel = f"the kernel is {latest['kernel']}, {len(pending)} cells have not run"
        return "\n".join([f"all cells of {EXPLORER} to run; {kernel}, first", *pending[:1]])

    wait(RUN_SECONDS, what, finished)
    time.sleep(1)  # a cell's last output may come after its number
    return lab.execute_script(STATE)["cells"]


def test_all_cells_run_in_jupyterlab_without_an_error(executed):
    errors = [
        f"{output.get('ename', 'stderr')}: {output.get('evalue', output.get('text'))}, in\n{cell['source'][:500]}"
        for cell in executed
        for output in cell["outputs"]
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    assert not errors, "\n\n".join(errors)
    assert [cell["count"] for cell in executed] == list(range(1, len(executed) + 1))


def test_each_slider_of_the_explorer_changes_its_picture(lab, executed):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    view = "application/vnd.jupyter.widget-view+json"
    if not any("widgets" in cell["source"] for cell in executed):
        pytest.skip(f"{EXPLORER} needs no kernel for its explorer")
    places = [i for i, cell in enumerate(executed) if any(view in output.get("data", {}) for output in cell["outputs"])]
    assert places, f"no cell of {EXPLORER} shows a widget"
    lab.execute_script(
        """
        const {content} = window.jupyterapp.shell.currentWidget;
        const cell = content.widgets.filter(w => w.model.type == 'code')[arguments[0]];
        content.activeCellIndex = content.widgets.indexOf(cell);
        content.scrollToItem(content.activeCellIndex, 'start');
        """,
        places[-1],
    )

    def handles():
        return lab.find_elements(By.CSS_SELECTOR, ".jp-OutputArea .widget-slider .noUi-handle")

    def picture():
        """The bytes of the picture that is shown, as text; nothing while there is none."""
        return lab.execute_async_script(
            """
            const done = arguments[0], image = document.querySelector('.jp-OutputArea img.widget-image');
            if (!image?.complete || !image.naturalWidth) return done(null);
            const reader = new FileReader();
            reader.onload = () => done(reader.result);
            fetch(image.src).then(answer => answer.blob()).then(blob => reader.readAsDataURL(blob), () => done(null));
            """
        )

    sliders = wait(PICTURE_SECONDS, "the sliders of the explorer to appear", handles)
    assert len(sliders) == 2
    for name, slider in zip(("z1", "z2"), sliders, strict=True):
        before = wait(PICTURE_SECONDS, "the picture of the explorer to appear", picture)
        value = slider.get_attribute("aria-valuenow")
        slider.send_keys(Keys.ARROW_RIGHT * 3)
        assert slider.get_attribute("aria-valuenow") != value, f"the arrow keys do not move the slider {name}"

        def changed(before=before):
            return picture() not in (None, before)

        wait(PICTURE_SECONDS, f"the picture to change after the slider {name} was moved", changed)
    shown = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr'], .jp-mod-error"
    errors = [element.text for element in lab.find_elements(By.CSS_SELECTOR, shown)]
    assert not errors, f"shown as an error: {errors}"
