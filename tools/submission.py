"""Execute every notebook and pack what is handed in: one archive with notebooks, modules, data, a page and a PDF.

    python tools/submission.py NAME="Ada Lovelace" COURSE="Machine learning 1"

PART=exercise leaves out what goes beyond the exercise; parameters such as LIKELIHOOD=gaussian reach every notebook.
"""

import re
import sys
import unicodedata
import zipfile
from pathlib import Path

import nbformat

from execute import EXECUTED, ROOT, execute_all
from page import BUILD, write_all

PARTS = {"": ("",), "exercise": ("4.3.0", "4.3.10")}  # what the names of a part's notebooks start with
# Beside the notebooks: what it takes to run them again, and what README.md, CONTRIBUTING.md and FAQ.md link to.
PACKED = "*.py *.md *.toml LICENSE Makefile environment.yml requirements*.txt docs/* data/* notebooks/*.py"
PACKED += " notebooks/*.json tools/* tests/*.py benchmarks/*.* benchmarks/results/*"
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})


def file_name(name: str) -> str:
    """Return a name as part of a file's name: accents go, letters of every script stay, all else becomes a hyphen."""
    letters = unicodedata.normalize("NFKD", name.casefold().translate(LETTERS))
    letters = re.sub(r"['’\u0300-\u036f]", "", letters)
    return unicodedata.normalize("NFC", re.sub(r"[\W_]+", "-", letters).strip("-"))


def pack(folder: Path, name: str, course: str) -> Path:
    """Return the archive, made in `folder`, of page, PDF and signed notebooks, and of what it takes to run them."""
    files = {path.relative_to(ROOT): path for glob in PACKED.split() for path in ROOT.glob(glob) if path.is_file()}
    files |= {Path(document): folder / document for document in ("vae.html", "vae.pdf")}
    by = re.sub(r"([\\`*_<>$\[\]])", r"\\\1", f"{name} · {course}")
    for path in folder.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        title, _, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = f"{title}\n\n*{by}*\n{rest}"
        nbformat.write(notebook, path)
        files[Path("notebooks", path.name)] = path
    target = folder / f"vae-{file_name(name)}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, path in sorted(files.items()):
            archive.write(path, Path(target.stem, inside))
    return target


def main(arguments: list[str]) -> int:
    """Read the arguments, do the work, and say what to hand in."""
    given = dict(word.split("=", 1) for word in arguments if "=" in word)
    name, course, part = (given.pop(key, "").strip() for key in ("NAME", "COURSE", "PART"))
    if not all("=" in word for word in arguments) or not file_name(name) or not course:
        print("Name and course are needed, and a name needs a letter or a digit. Type, for example:")
        print('make submission NAME="Ada Lovelace" COURSE="Machine learning 1"')
        return 2
    if part not in PARTS:
        print(f"There is no part {part!r}. Type PART=exercise, or leave PART out to hand in everything.")
        return 2
    target = BUILD / f"vae-{file_name(name)}.zip"
    target.unlink(missing_ok=True)  # an older one must not pass for this one
    status, refusal = execute_all(EXECUTED, PARTS[part], given), ""
    if not status:
        notebooks = [path for path in sorted(EXECUTED.glob("*.ipynb")) if path.name.startswith(PARTS[part])]
        refusal = write_all(notebooks, name, course, lambda folder: pack(folder, name, course))
    if status or refusal:
        print(f"{refusal}\nNothing was packed.".strip())
        return status or 1
    size = target.stat().st_size / 1e6
    print(f"Hand in {BUILD.name}/{target.name}, {size:.1f} MB. A grader opens vae.pdf or vae.html.")
    print("Both are also in build/: look at them first.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
