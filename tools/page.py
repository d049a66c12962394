"""Make one page and one PDF of the notebooks that `make run` has executed: build/vae.html and build/vae.pdf.

    python tools/page.py

pandoc reads the notebooks, and typst sets what it writes; tools/page.* say how both look.
"""

import base64
import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image

from execute import EXECUTED, ROOT

BUILD, TOOLS = ROOT / "build", ROOT / "tools"


def shrink(notebook: nbformat.NotebookNode) -> None:
    """Store the pictures with 256 colours, at half the size and no visible difference; animations stay as they are."""
    for data in (output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output):
        before = base64.b64decode(data.get("image/png", ""))
        picture = Image.open(io.BytesIO(before)) if before else None
        if picture and picture.mode != "P" and getattr(picture, "n_frames", 1) == 1:
            after = io.BytesIO()
            few = picture.convert("RGB").quantize(dither=Image.Dither.NONE)
            few.save(after, "PNG", optimize=True, dpi=picture.info.get("dpi", (100, 100)))
            data["image/png"] = base64.b64encode(min(before, after.getvalue(), key=len)).decode()


def write_documents(notebooks: list[Path], folder: Path, name: str = "", course: str = "") -> None:
    """Write the executed notebooks with smaller pictures into `folder`, and vae.html and vae.pdf of the sections.

    Raises:
        ImportError, OSError: pandoc or typst is missing, or a file cannot be written.
        RuntimeError: one of them cannot make sense of what it reads.
    """
    import pypandoc
    import typst

    # The one that was installed with the package, whatever other version this machine may have.
    if not (pandoc := shutil.which("pandoc", path=Path(pypandoc.__file__).parent / "files")):
        raise ImportError("pypandoc_binary")
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        shrink(notebook)
        nbformat.write(notebook, folder / path.name)
    command = [pandoc, "--from=ipynb+markdown_in_html_blocks", "--file-scope", "--columns=10000", "--standalone"]
    command += [f"--lua-filter={TOOLS}/page.lua", f"--metadata-file={TOOLS}/page.yaml"]
    command += [f"--metadata=name:{name}", f"--metadata=course:{course}"]
    command += [path.name for path in notebooks if path.name.startswith("4.3.")]
    page = [f"--template={TOOLS}/page.html", f"--css={TOOLS}/page.css", "--embed-resources", "--mathml"]
    page += ["--section-divs", "--toc", "--toc-depth=3", "--output=vae.html"]
    pdf = [f"--template={TOOLS}/page.typ", "--syntax-highlighting=idiomatic", "--extract-media=.", "--output=vae.typ"]
    runs = [subprocess.Popen(command + o, cwd=folder, stderr=subprocess.PIPE, encoding="utf-8") for o in (page, pdf)]
    problems = [run.communicate()[1] for run in runs]
    if any(run.returncode for run in runs):
        raise RuntimeError("".join(problems).strip())
    inputs = {"name": name, "course": course}
    typst.compile(folder / "vae.typ", folder / "vae.pdf", ignore_system_fonts=True, sys_inputs=inputs)


def write_all(notebooks: list[Path], name: str = "", course: str = "", archive=None) -> str:
    """Write page, PDF and what `archive` makes of their folder into build/, once all are made. Return a refusal."""
    BUILD.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="making-") as made:
            folder = Path(made)
            write_documents(notebooks, folder, name, course)
            for path in (folder / "vae.html", folder / "vae.pdf", *([archive(folder)] if archive else [])):
                path.replace(BUILD / path.name)
    except ImportError:
        return f"pandoc or typst is missing. Install it: {sys.executable} -m pip install -r requirements.txt"
    except OSError as error:
        mend = "Close what has them open, or free some space, and try again."
        return f"The files could not be written to {BUILD.name}/: {error.strerror}. {mend}"
    except RuntimeError as error:
        return f"Page and PDF could not be made: {str(error).splitlines()[-1]}"
    return ""


def score(path: Path) -> str:
    """Return in one line how good the model of the executed 4.3.06 became, or nothing where it does not say so."""
    outputs = [o.get("text", "") for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])]
    text, number = "\n".join(outputs), r":? +(-?\d[\d.]*)"
    loss = re.search(rf"^(?:final )?test loss{number}", text, flags=re.M)
    # One such line for each likelihood: the one that is followed has this test loss.
    scales = re.findall(rf"mean image{number} +model{number} +floor{number}", text)
    if not loss or not scales:
        return ""
    mean, _, floor = min(scales, key=lambda scale: abs(float(scale[1]) - float(loss[1])))
    return f"Test loss {loss[1]} nats per image: the mean image for everything costs {mean}, a perfect copy {floor}."


def main() -> str | None:
    """Write page and PDF; say how good the model is and what to open, or return a refusal."""
    notebooks = sorted(EXECUTED.glob("4.3.*.ipynb"))
    if not notebooks:
        return "There is nothing to make a page of yet: type `make run`."
    if refusal := write_all(notebooks):
        return refusal
    for path in EXECUTED.glob("4.3.06_*.ipynb"):
        print(score(path))
    print("Open build/vae.html or build/vae.pdf: all of it in one file. To change a number and run it again: make lab")
    return None


if __name__ == "__main__":
    sys.exit(main())
