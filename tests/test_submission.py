"""What is handed in: names, the page and the PDF, the archive, and what happens when something fails."""

import json
import re
import zipfile
from html import unescape
from pathlib import Path

import nbformat
import page
import pytest
import submission
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("4.3.*.ipynb"))


def test_a_name_becomes_a_file_name_without_losing_letters():
    names = {
        "Ada Lovelace": "ada-lovelace",
        "Zoë O'Brien": "zoe-obrien",
        "Łukasz Groß-Sørensen": "lukasz-gross-sorensen",
        '"Q" \\ / * ..': "q",
        "李明": "李明",
        "!?/ …": "",
    }
    assert {name: submission.file_name(name) for name in names} == names


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Name and course are needed"),
        (["NAME=Ada"], "Name and course are needed"),
        (["NAME=!?", "COURSE=ML"], "needs a letter or a digit"),
        (["NAME=Ada", "COURSE=ML", "PART=half"], "PART=exercise"),
    ],
)
def test_what_cannot_be_packed_is_refused_in_a_sentence(arguments, words, capsys):
    assert submission.main(arguments) == 2
    assert words in capsys.readouterr().out


PRINTED = """
bernoulli  mean image  384.6   model  264.6   floor  189.9   nats per image
           258.4 reconstruction + 1 · 6.2 KL
gaussian   mean image   66.9   model   31.0   floor    0.0   nats per image
test loss: 264.6 nats per image   (7 other seeds: 263.8 to 265)
"""
SCORE = "Test loss 264.6 nats per image: the mean image for everything costs 384.6, a perfect copy 189.9."


@pytest.mark.parametrize(("text", "line"), [(PRINTED, SCORE), ("test loss: 264.6 nats per image", ""), ("", "")])
def test_the_end_of_make_run_says_how_good_the_model_became(text, line, tmp_path):
    cell = new_code_cell("1", outputs=[new_output("stream", name="stdout", text=text)])
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    assert page.score(tmp_path / "a.ipynb") == line


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A build folder of its own, and small notebooks that count as executed; what they print is their name."""
    monkeypatch.setattr(page, "BUILD", tmp_path / "build")
    monkeypatch.setattr(submission, "BUILD", tmp_path / "build")
    monkeypatch.setattr(submission, "EXECUTED", tmp_path / "executed")
    (tmp_path / "executed").mkdir()

    def execute_all(folder, prefixes, given):
        for name in filter(lambda name: name.startswith(prefixes), NAMES):
            number = int(re.match(r"4\.3\.(\d+)", name)[1])
            after = NAMES[number % len(NAMES)]
            text = f"# 4.3.{number} A title\n\nSee [the next]({after}), [a heading](#The-loss,-summed!), "
            text += f"[another]({after}#The-loss,-summed!) and [a file](../README.md).\n\n## The loss, summed!\n\n"
            text += "$x$\n\n<details><summary>Answer</summary>\n\nIt is $y$.\n\n</details>"
            code = new_code_cell("1 + 1", execution_count=1, outputs=[new_output("stream", name="stdout", text=name)])
            metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
            nbformat.write(new_notebook(cells=[new_markdown_cell(text), code], metadata=metadata), folder / name)
        return 0

    monkeypatch.setattr(submission, "execute_all", execute_all)
    return tmp_path


ADA = ["NAME=Ada *L.* O'Müller", "COURSE=ML & <more>"]


def test_the_archive_holds_all_that_its_readme_and_makefile_name_and_the_page_leads_everywhere(project, capsys):
    assert submission.main(ADA) == 0, capsys.readouterr().out
    target = project / "build" / "vae-ada-l-omuller.zip"
    assert str(target.name) in capsys.readouterr().out
    with zipfile.ZipFile(target) as archive:
        inside = {name.removeprefix("vae-ada-l-omuller/") for name in archive.namelist()}
        first = json.loads(archive.read(f"vae-ada-l-omuller/notebooks/{NAMES[0]}"))
    assert {"vae.html", "vae.pdf", "Makefile", "requirements.txt", "README.md"} <= inside
    assert {f"notebooks/{name}" for name in NAMES} <= inside
    for document in ("README.md", "CONTRIBUTING.md", "FAQ.md"):
        for link in re.findall(r"\]\(([^)#]+)", (ROOT / document).read_text(encoding="utf-8")):
            if link != "notebooks/solutions.ipynb":  # executed and packed like the sections, which alone are faked here
                assert link.startswith("https://") or link in inside, f"{document} links to {link}"
    for script in re.findall(r"tools/\S+\.(?:py|sh)", (ROOT / "Makefile").read_text(encoding="utf-8")):
        assert script in inside
    assert "*Ada \\*L.\\* O'Müller · ML & \\<more\\>*" in "".join(first["cells"][0]["source"])
    assert {path.name for path in (project / "build").iterdir()} == {target.name, "vae.html", "vae.pdf"}
    html = (project / "build" / "vae.html").read_text(encoding="utf-8")
    assert "Ada *L.* O'Müller" in unescape(html).replace("’", "'")
    assert "ML &amp; &lt;more&gt;" in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(set(ids)) == len(ids)
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert targets <= set(ids), targets - set(ids)
    assert html.count('href="#TOC"') == len(NAMES), "a way back to the contents from every section"
    assert [i for i in ids if i.startswith("part-")] == ["part-1", "part-2", "part-3"]
    assert "README.md" not in html
    assert (project / "build" / "vae.pdf").read_bytes().startswith(b"%PDF")


def test_the_exercise_alone_has_its_ten_sections(project):
    assert submission.main([*ADA, "PART=exercise"]) == 0
    with zipfile.ZipFile(project / "build" / "vae-ada-l-omuller.zip") as archive:
        packed = sorted(Path(name).name for name in archive.namelist() if name.endswith(".ipynb"))
    assert packed == NAMES[:10]
    html = (project / "build" / "vae.html").read_text(encoding="utf-8")
    assert 'id="4.3.10"' in html
    assert "4.3.11" not in html.replace("4.3.11_", ""), "no link and no heading of what is left out"
    assert 'id="part-3"' not in html


def fails_with(error):
    def fails(*_):
        raise error

    return fails


@pytest.mark.parametrize(
    ("broken", "instead", "words"),
    [
        ((submission, "execute_all"), lambda *_: 1, "Nothing was packed."),
        ((page, "write_documents"), fails_with(OSError(28, "No space left on device")), "No space left on device"),
        ((page, "write_documents"), fails_with(ImportError("typst")), "pip install -r requirements.txt"),
        ((page, "write_documents"), fails_with(RuntimeError("a\nthe reason")), "the reason"),
    ],
)
def test_a_failure_leaves_nothing_that_passes_for_this_one_and_says_why(
    broken, instead, words, project, monkeypatch, capsys
):
    older = project / "build" / "vae-ada-l-omuller.zip"
    older.parent.mkdir()
    older.touch()
    monkeypatch.setattr(*broken, instead)
    assert submission.main(ADA) == 1
    assert words in capsys.readouterr().out
    assert list((project / "build").iterdir()) == []


def test_pictures_shrink_without_a_visible_difference_and_animations_stay():
    import base64
    import io

    import numpy as np
    from PIL import Image

    def png(*frames):
        file = io.BytesIO()
        frames[0].save(file, "PNG", save_all=len(frames) > 1, append_images=frames[1:])
        return base64.b64encode(file.getvalue()).decode()

    ramp = np.tile(np.uint8(np.linspace(0, 255, 200))[:, None], (200, 1, 3)).reshape(200, 200, 3)
    frames = [Image.fromarray(ramp), Image.fromarray(255 - ramp)]
    cells = [
        new_code_cell("", outputs=[new_output("display_data", {"image/png": p})])
        for p in (png(frames[0]), png(*frames))
    ]
    before = [cell.outputs[0].data["image/png"] for cell in cells]
    page.shrink(new_notebook(cells=cells))
    small, animated = (cell.outputs[0].data["image/png"] for cell in cells)
    assert len(small) <= len(before[0])
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(small))).convert("RGB")).astype(int)
    assert np.abs(shown - ramp).max() <= 4
    assert animated == before[1]
