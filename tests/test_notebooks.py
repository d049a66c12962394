"""Every notebook file is what a reader may expect before running anything."""

import base64
import itertools
import json
import re
import struct
from pathlib import Path

import count_code
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def cells(path, kind):
    found = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == kind]
    return [(c, "".join(c["source"])) for c in found]


def outputs(path):
    return [output for cell, _ in cells(path, "code") for output in cell["outputs"]]


def test_it_was_executed_top_to_bottom_in_a_fresh_kernel(path):
    counts = [cell["execution_count"] for cell, _ in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1)), "run `make execute`"


def test_it_stores_no_error_no_stderr_and_no_widget_that_would_need_a_kernel(path):
    assert not [o for o in outputs(path) if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert "application/vnd.jupyter.widget" not in path.read_text()


def test_its_cells_have_unique_ids_and_no_cell_is_empty(path):
    everything = json.loads(path.read_text())["cells"]
    assert len({c["id"] for c in everything}) == len(everything)
    assert all("".join(c["source"]).strip() for c in everything)


def test_its_title_carries_its_number_and_headings_are_unique_and_in_order(path):
    text = "\n".join(source for _, source in cells(path, "markdown"))
    headings = re.findall(r"^(#+) (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)
    levels = [len(marks) for marks, _ in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), "a heading skips a level"
    assert len({title for _, title in headings}) == len(headings)
    number = re.match(r"4\.3\.(\d\d)_", path.name)
    assert headings[0][1].startswith(f"4.3.{int(number[1])} " if number else "Solutions")


def test_its_links_lead_somewhere(path):
    text = "\n".join(source for _, source in cells(path, "markdown"))
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            headings = [h.replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, flags=re.M)]
            assert target[1:] in headings, f"there is no heading {target}"
        elif not target.startswith(("http://", "https://")):
            assert (path.parent / target.split("#")[0]).exists(), f"{target} does not exist"


def test_it_weighs_less_than_a_megabyte(path):
    assert path.stat().st_size < 1_000_000


def test_every_picture_has_alt_text_and_fits_the_page(path):
    for output in outputs(path):
        if "image/png" in output.get("data", {}):
            alt = output["metadata"].get("image/png", {}).get("alt", "")
            assert len(alt) > 40, f"alt text says too little: {alt!r}"
            width = struct.unpack(">I", base64.b64decode(output["data"]["image/png"])[16:20])[0]
            assert width <= 1200, f"a picture is {width} pixels wide"


def test_some_cells_are_compared_by_nbval(path):
    if path.stem == "solutions":
        pytest.skip("its numbers are trained ones")
    tagged = [c for c, _ in cells(path, "code") if "nbval-check-output" in c["metadata"].get("tags", [])]
    assert tagged
    assert len(tagged) + count_code.figures(path)["compares"][0] >= 3, "too little of it is held to anything"
    assert all(c["outputs"] for c in tagged), "a compared cell without output compares nothing"


def test_no_cell_may_fail_in_silence(path):
    for cell, source in cells(path, "code"):
        assert not {"raises-exception", "nbval-skip", "nbval-ignore-output"} & set(cell["metadata"].get("tags", []))
        assert "plt.show()" not in source
        assert "warnings.filter" not in source


def test_its_mathematics_survives_jupyter_github_and_html(path):
    for _, source in cells(path, "markdown"):
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", source, flags=re.S)
        assert prose.count("$$") % 2 == 0
        for block in re.findall(r"\$\$(.*?)\$\$", prose, flags=re.S):
            assert block.startswith("\n"), "a display equation needs lines of its own"
            assert block.endswith("\n"), "a display equation needs lines of its own"
            assert "\n\n" not in block
        mathematics = re.findall(r"\$\$.*?\$\$|\$[^$]+\$", prose, flags=re.S)
        for formula in mathematics:
            assert not re.search(r"\\[^a-zA-Z\\\n]", formula), f"backslash-punctuation in {formula}"
            assert "operatorname" not in formula, f"GitHub refuses this macro: {formula}"
        rest = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", "", prose, flags=re.S)
        assert "$" not in rest, "a dollar sign without its partner"


def test_it_stays_within_the_readers_budget(path):
    if path.stem == "solutions":
        pytest.skip("answers and no section")
    over = {name: figure for name, figure in count_code.figures(path).items() if figure[0] > figure[1]}
    assert not over, f"over the budget (is, at most): {over}"
    assert count_code.teaches(path) >= 0.6, f"of its code {count_code.teaches(path):.0%} teach: tools/count_code.py"


def test_it_names_no_machine_and_no_person(path):
    text = path.read_text()
    for word in ("/root/", "/home/", "/Users/", "/work/", "/tmp/"):
        assert word not in text, word
