"""What is handed in: names, the page and the PDF, the archive, and what happens when something fails."""

import base64
import io
import re
import zipfile
from html import unescape
from pathlib import Path
from unittest.mock import Mock

import nbformat
import page
import pytest
import submission
from execute import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageChops

NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("4.3.*.ipynb"))
ADA = ["NAME=Ada *L.* O'Müller", "COURSE=ML & <more>"]
ARCHIVE = Path("vae-ada-l-omuller.zip")
TEXT = """# 4.3.{number} A title

See [the next]({after}), [a heading](#The-loss,-summed!), [another]({after}#The-loss,-summed!)
and [a file](../README.md).

## The loss, summed!

<details><summary>Answer</summary>

It is $y$.

</details>"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A build folder of its own, and small notebooks in place of the executed ones, each with a link to the next."""
    monkeypatch.setattr(page, "BUILD", tmp_path / "build")
    monkeypatch.setattr(submission, "BUILD", tmp_path / "build")
    monkeypatch.setattr(submission, "EXECUTED", tmp_path)

    def execute_all(folder, prefixes, given):
        for number, name in enumerate(NAMES, 1):
            if name.startswith(prefixes):
                text = new_markdown_cell(TEXT.format(number=number, after=NAMES[number % len(NAMES)]))
                code = new_code_cell("1", outputs=[new_output("stream", text=name)])
                nbformat.write(new_notebook(cells=[text, code]), folder / name)
        return 0

    monkeypatch.setattr(submission, "execute_all", execute_all)
    return tmp_path / "build"


def hand_in(build, *arguments):
    """Make the archive and return what is in it."""
    assert submission.main([*ADA, *arguments]) == 0
    with zipfile.ZipFile(build / ARCHIVE) as archive:
        return {name.removeprefix(f"{ARCHIVE.stem}/"): archive.read(name) for name in archive.namelist()}


def test_a_name_becomes_a_file_name_without_losing_letters():
    names = {
        "Ada Lovelace": "ada-lovelace",
        "Zoë O'Brien": "zoe-obrien",
        "Łukasz Groß-Sørensen": "lukasz-gross-sorensen",
        '"Q" \\ / * ..': "q",
        "李明": "李明",
    }
    assert {name: submission.file_name(name) for name in names} == names


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("NAME=Ada", "Name and course are needed"),
        ("NAME=!? COURSE=ML", "needs a letter or a digit"),
        ("NAME='Ada Lovelace' COURSE=ML", "Type, for example"),  # a shell that knows no such quotes
        ("NAME=Ada COURSE=ML PART=half", "PART=exercise"),
    ],
)
def test_what_cannot_be_packed_is_refused_in_a_sentence(arguments, words, capsys):
    assert submission.main(arguments.split()) == 2
    assert words in capsys.readouterr().out


def test_the_end_of_make_run_says_how_good_the_model_became():
    (training,) = (ROOT / "notebooks").glob("4.3.06*")
    number = r"\d+\.\d"
    line = f"Test loss 26{number} nats per image: the mean image for everything costs 38{number}, a perfect copy 189.9."
    assert re.fullmatch(line, page.score(training))
    assert page.score(ROOT / "notebooks" / NAMES[0]) == ""


def test_the_archive_holds_all_that_its_texts_and_makefile_name_and_the_page_leads_everywhere(build, capsys):
    files = hand_in(build)
    assert ARCHIVE.name in capsys.readouterr().out
    assert {path.name for path in build.iterdir()} == {ARCHIVE.name, "vae.html", "vae.pdf"}
    needed = {"vae.html", "vae.pdf", "Makefile", "requirements.txt", *(f"notebooks/{name}" for name in NAMES)}
    for document in ("README.md", "CONTRIBUTING.md", "FAQ.md", "Makefile"):
        found = re.findall(r"\]\((?!https://)([^)#]+)|(tools/\w+\.(?:py|sh))", (ROOT / document).read_text("utf-8"))
        needed |= {document} | {link or script for link, script in found}
    # The solutions are executed and packed like the sections, which alone are faked here.
    assert needed - files.keys() == {"notebooks/solutions.ipynb"}
    first = nbformat.reads(files[f"notebooks/{NAMES[0]}"], as_version=4)
    assert "*Ada \\*L.\\* O'Müller · ML & \\<more\\>*" in first.cells[0].source
    assert files["vae.pdf"].startswith(b"%PDF")
    html = files["vae.html"].decode()
    assert "Ada *L.* O'Müller" in unescape(html).replace("’", "'")
    assert "ML &amp; &lt;more&gt;" in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)
    assert html.count('href="#TOC"') == len(NAMES), "a way back to the contents from every section"
    assert [i for i in ids if i.startswith("part-")] == ["part-1", "part-2", "part-3"]
    assert "README.md" not in html


def test_the_exercise_alone_has_its_ten_sections(build):
    files = hand_in(build, "PART=exercise")
    assert sorted(Path(name).name for name in files if name.endswith(".ipynb")) == NAMES[:10]
    html = files["vae.html"].decode()
    assert 'id="4.3.10"' in html
    assert not re.search('id="part-3"|4[.]3[.]11(?!_)', html), "no link and no heading of what is left out"


@pytest.mark.parametrize(
    ("module", "name", "outcome", "words"),
    [
        (submission, "execute_all", 1, "Nothing was packed."),
        (page, "write_documents", OSError(28, "No space left on device"), "No space left on device"),
        (page, "write_documents", ImportError("typst"), "pip install -r requirements.txt"),
        (page, "write_documents", RuntimeError("a\nthe reason"), "the reason"),
    ],
)
def test_a_failure_leaves_no_archive_and_says_why(module, name, outcome, words, build, monkeypatch, capsys):
    build.mkdir()
    (build / ARCHIVE).touch()  # an older one
    monkeypatch.setattr(module, name, Mock(side_effect=[outcome]))
    assert submission.main(ADA) == 1
    assert words in capsys.readouterr().out
    assert not list(build.iterdir())


def test_pictures_shrink_without_a_visible_difference_and_animations_stay():
    noise = Image.effect_noise((200, 200), 50).convert("RGB")
    outputs, before = [], []
    for more in ([], [ImageChops.invert(noise)]):
        file = io.BytesIO()
        noise.save(file, "PNG", save_all=bool(more), append_images=more)
        before.append(base64.b64encode(file.getvalue()).decode())
        outputs.append(new_output("display_data", {"image/png": before[-1]}))
    page.shrink(new_notebook(cells=[new_code_cell(outputs=outputs)]))
    still, animation = (output.data["image/png"] for output in outputs)
    assert len(still) < len(before[0])
    assert animation == before[1]
    shown = Image.open(io.BytesIO(base64.b64decode(still))).convert("RGB")
    assert max(high for _, high in ImageChops.difference(shown, noise).getextrema()) <= 4
