"""Every notebook file is what a reader may expect before running anything."""

import base64
import itertools
import re
import struct

import count_code
import nbformat
import pytest

NOTEBOOKS = sorted((count_code.ROOT / "notebooks").glob("*.ipynb"))
SECTIONS = [path for path in NOTEBOOKS if path.stem != "solutions"]
MATHEMATICS = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", flags=re.S)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
every_section = pytest.mark.parametrize("path", SECTIONS, ids=lambda p: p.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def outputs(path):
    return [output for cell in code_cells(path) for output in cell.outputs]


def prose(path):
    """The text without code."""
    text = "\n".join(source for source, _ in count_code.cells(path, "markdown"))
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)


@every_notebook
def test_it_was_executed_top_to_bottom_in_a_fresh_kernel(path):
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1)), "run `make execute`"


@every_notebook
def test_it_stores_no_error_no_stderr_no_widget_that_would_need_a_kernel_and_no_name_of_a_machine(path):
    assert not [o for o in outputs(path) if o.output_type == "error" or o.get("name") == "stderr"]
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"application/vnd\.jupyter\.widget|/(root|home|Users|work|tmp)/", text)
    assert len(text) < 1_000_000


@every_notebook
def test_no_cell_may_fail_in_silence(path):
    for source, tags in count_code.cells(path, "code"):
        assert not {"raises-exception", "nbval-skip", "nbval-ignore-output"} & tags
        assert not re.search(r"plt\.show\(\)|warnings\.filter", source)


@every_notebook
def test_its_title_carries_its_number_and_headings_are_unique_and_in_order(path):
    headings = re.findall(r"^(#+) (.+)$", prose(path), flags=re.M)
    levels = [len(marks) for marks, _ in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), "a heading skips a level"
    assert len(dict(map(reversed, headings))) == len(headings)
    number = re.match(r"4\.3\.(\d\d)_", path.name)
    assert headings[0][1].startswith(f"4.3.{int(number[1])} " if number else "Solutions")


@every_notebook
def test_every_picture_has_alt_text_and_fits_the_page(path):
    for output in outputs(path):
        if "image/png" in output.get("data", {}):
            alt = output.metadata.get("image/png", {}).get("alt", "")
            assert len(alt) > 40, f"alt text says too little: {alt!r}"
            width = struct.unpack(">I", base64.b64decode(output.data["image/png"])[16:20])[0]
            assert width <= 1200, f"a picture is {width} pixels wide"


@every_notebook
def test_its_mathematics_survives_jupyter_github_and_html(path):
    for formula in MATHEMATICS.findall(prose(path)):
        assert not re.search(r"\\[^a-zA-Z\\\n]|\n\n", formula), f"backslash-punctuation or a gap in {formula}"
        assert "operatorname" not in formula, f"GitHub refuses this macro: {formula}"
        display = re.fullmatch(r"\$\$(.*)\$\$", formula, flags=re.S)
        assert not display or re.fullmatch(r"\n.*\n", display[1], flags=re.S), f"needs lines of its own: {formula}"
    assert "$" not in MATHEMATICS.sub("", prose(path)), "a dollar sign without its partner"


@every_section
def test_some_cells_are_compared_by_nbval(path):
    tagged = [cell for cell in code_cells(path) if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert tagged
    assert len(tagged) + count_code.figures(path)["compares"][0] >= 3, "too little of it is held to anything"
    assert all(cell.outputs for cell in tagged), "a compared cell without output compares nothing"


@every_section
def test_it_stays_within_the_readers_budget(path):
    over = {name: figure for name, figure in count_code.figures(path).items() if figure[0] > figure[1]}
    assert not over, f"over the budget (is, at most): {over}"
    assert count_code.teaches(path) >= 0.6, f"of its code {count_code.teaches(path):.0%} teach: tools/count_code.py"
