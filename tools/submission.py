"""Make one page of all executed notebooks, and the archive to hand in.

    python tools/submission.py --page                          build/vae.html from build/notebooks
    python tools/submission.py --name "Ada L." --course "ML1"  executes every notebook, then page and archive

The page holds everything: pictures, styles, and mathematics as MathML, which browsers draw without a network. The
archive holds the executed notebooks, the modules they import, data, requirements and the page. Without --name and
--course, it asks.
"""

import argparse
import base64
import html
import re
import sys
import unicodedata
import zipfile
from pathlib import Path

import nbformat
from execute import ROOT
from execute import main as execute_all
from latex2mathml.converter import convert
from nbconvert.filters import markdown2html
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

BUILD = ROOT / "build"
EXECUTED = BUILD / "notebooks"
PAGE = BUILD / "vae.html"
CODE = HtmlFormatter(style="default", nowrap=True)

STYLE = """
:root { color-scheme: light; }
body { font: 17px/1.6 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0; overflow-wrap: break-word; }
header, main, nav { max-width: 62rem; margin: 0 auto; padding: 0 1.5rem; }
nav ol { columns: 2 18rem; list-style: none; padding: 0; } nav li { break-inside: avoid; }
section { border-top: 3px solid #332288; margin-top: 4rem; }
h1, h2, h3, h4 { line-height: 1.25; } a { color: #0b4f9e; }
pre { font: 13px/1.45 ui-monospace, monospace; padding: .7rem 1rem; overflow-x: auto; margin: .4rem 0; }
pre.code { background: #f8f8f8; border-left: 4px solid #b9b9b9; } pre.output { border-left: 4px solid #332288; }
code { font-size: .92em; background: #f5f5f5; } pre code { font-size: 1em; background: none; }
img { max-width: 100%; height: auto; display: block; margin: .8rem 0; }
table { border-collapse: collapse; } div.scroll { margin: 1rem 0; }
th, td { border: 1px solid #999; padding: .3rem .7rem; text-align: left; overflow-wrap: normal; }
.scroll { display: block; overflow: auto hidden; }
math[display="block"] { width: max-content; min-width: 100%; padding: .45rem 0; box-sizing: border-box; }
math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", "STIX Math", "DejaVu Math TeX Gyre", math; }
munderover > :last-child { padding-bottom: .25em; }
details { margin: .6rem 0; } summary { cursor: pointer; font-weight: 600; }
:focus-visible { outline: 3px solid #0b4f9e; outline-offset: 2px; }
@media (max-width: 40rem) { header, main, nav { padding: 0 1rem; } pre { font-size: 12px; padding: .6rem .7rem; } }
@media print {
  body { font-size: 11pt; } header, main, nav { max-width: none; padding: 0; } a { color: inherit; }
  section { break-before: page; border: 0; margin: 0; }
  pre { font-size: 8.5pt; white-space: pre-wrap; } .scroll, pre { overflow: visible; }
  img, tr, math { break-inside: avoid; } h2, h3, h4, summary { break-after: avoid; }
  details::details-content { content-visibility: visible; }
}
"""
# What is wider than the window scrolls by itself; from the keyboard, too, if it can be focused. Nothing else should be.
SCRIPT = """
const focusable = () => document.querySelectorAll("pre, .scroll").forEach(box =>
  box.scrollWidth > box.clientWidth ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex"));
for (const event of ["load", "resize", "toggle"]) addEventListener(event, focusable, true);
"""


def bold(match: re.Match) -> str:
    """Return the bold letter that Unicode keeps for mathematics: browsers know no mathvariant but "normal"."""
    name = re.sub("GREEK |LATIN |LUNATE |LETTER ", "", unicodedata.name(html.unescape(match[3])))
    style = "BOLD ITALIC" if match[2] else "BOLD"
    return f"<m{match[1]}>{unicodedata.lookup(f'MATHEMATICAL {style} {name}')}</m{match[1]}>"


def function(match: re.Match) -> str:
    """Return the name of a function at a distance from what stands before and after it, but not from its bracket."""
    before, name, bracket = match.groups(default="")
    return f'{before}<mo lspace="{".17em" if before else 0}" rspace="{0 if bracket else ".17em"}">{name}</mo>{bracket}'


# What latex2mathml leaves out of MathML, or browsers ignore: a pattern, and what stands in its place.
MENDED = (
    ('<m([in]) mathvariant="bold(-italic)?">(.+?)</m[in]>', bold),
    # \mathrm{KL} is one name, not two letters.
    (r'(?:<mi mathvariant="normal">\w</mi>){2,}', lambda match: f"<mi>{re.sub('<.*?>', '', match[0])}</mi>"),
    (r"(</m(?!o>)\w+>|(?:&#x00029;|\])</mo>)?<mi>(exp|log|sin|cos)</mi>(<mo[^>]*>(?:&#x00028;|\[))?", function),
    # Relations are no letters, a full stop needs no space, and after a bracket or a relation a minus is a sign.
    ("<mi>&#x0007E;</mi>", "<mo>∼</mo>"),
    ("<mi>&#x(000B1|027F9);</mi>", r"<mo>&#x\1;</mo>"),
    ("<mo>&#x0002E;</mo>", '<mo lspace="0" rspace="0">.</mo>'),
    (r"((?:&#x000(?:28|2C|3D);|\[|&#x0(?:2264|2265|2248);)</mo>)<mo>&#x02212;", r'\1<mo form="prefix">−'),
)


def formula(tex: str, display: str) -> str:
    """Return TeX as MathML that browsers draw as meant."""
    math = convert(html.unescape(tex).strip(), display=display)
    for pattern, replacement in MENDED:
        math = re.sub(pattern, replacement, math)
    return math


def mathematics(page: str) -> str:
    """Replace TeX between dollar signs, outside of code, by MathML; what stands on its own line may scroll."""

    def block(match: re.Match) -> str:
        return f'<span class="scroll">{formula(match[1], "block")}</span>'

    parts = re.split(r"(<pre.*?</pre>|<code.*?</code>)", page, flags=re.S)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"\$\$(.+?)\$\$", block, parts[i], flags=re.S)
        parts[i] = re.sub(r"\$([^$]+)\$", lambda match: formula(match[1], "inline"), parts[i])
    return "".join(parts)


def markdown(source: str, section: str) -> str:
    """Return the HTML of a Markdown cell; links between notebooks become links within the page."""
    body = mathematics(markdown2html(source))
    body = re.sub(r'<a class="anchor-link".*?</a>', "", body)
    # One page has one h1, its title: a notebook's own becomes h2, and so on. Equal headings of two sections differ.
    body = re.sub(r"<(/?)h([1-5])", lambda m: f"<{m[1]}h{int(m[2]) + 1}", body)
    body = re.sub(r' id="([^"]*)"', rf' id="{section}-\1"', body)
    body = re.sub(r'href="(4\.3\.\d\d)_[^"#]*\.ipynb[^"]*"', r'href="#\1"', body)
    body = body.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
    body = re.sub(r"<th\b", '<th scope="col"', body)
    # A file of the repository is not part of the page: keep the words, drop the link.
    return re.sub(r'<a href="(?!https?:|#)[^"]*">(.*?)</a>', r"\1", body)


def output_html(output: nbformat.NotebookNode) -> str:
    """Return the HTML of one output: a picture with its alternative text, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        alt = html.escape(output["metadata"].get("image/png", {}).get("alt", ""), quote=True)
        picture = base64.b64encode(base64.b64decode(data["image/png"])).decode()
        return f'<img alt="{alt}" src="data:image/png;base64,{picture}">'
    text = output.get("text") or data.get("text/plain", "")
    return f'<pre class="output">{html.escape(text)}</pre>' if text.strip() else ""


def section_html(path: Path) -> tuple[str, str]:
    """Return the title of an executed notebook, and the notebook as a section of the page."""
    notebook, number = nbformat.read(path, as_version=4), path.name[:6]
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(markdown(cell.source, number))
            continue
        code = highlight(cell.source, PythonLexer(), CODE)
        shown = f'<pre class="code"><code>{code}</code></pre>'
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            shown = f"<details><summary>Code</summary>{shown}</details>"
        parts.append(shown)
        parts += [output_html(output) for output in cell.outputs]
    title = re.search(r"^# (.+)$", notebook.cells[0].source, flags=re.M)[1]
    return title, f'<section id="{number}" aria-label="{html.escape(title)}">' + "\n".join(parts) + "</section>"


def write_page(folder: Path, target: Path, by: str = "") -> None:
    """Write the notebooks in `folder` as one self-contained page."""
    sections = [section_html(path) for path in sorted(folder.glob("4.3.*.ipynb"))]
    contents = "".join(
        f'<li><a href="#{path.name[:6]}">{html.escape(title)}</a></li>'
        for path, (title, _) in zip(sorted(folder.glob("4.3.*.ipynb")), sections, strict=True)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # The empty icon keeps a browser from asking a server for one.
        '<title>Problem 4.3: Variational Autoencoder</title><link rel="icon" href="data:,">'
        f"<style>{CODE.get_style_defs('pre.code')}{STYLE}</style><script>{SCRIPT}</script></head><body>"
        f"<header><h1>Problem 4.3: Variational Autoencoder</h1>{f'<p>{html.escape(by)}</p>' if by else ''}</header>"
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>'
        f"<main>{''.join(body for _, body in sections)}</main></body></html>\n",
        encoding="utf-8",
    )


def write_archive(target: Path, name: str) -> None:
    """Write the notebooks, the modules they import, their data, the requirements and the page into one archive."""
    files = [*sorted(ROOT.glob("*.py")), ROOT / "requirements.txt", ROOT / "README.md", ROOT / "LICENSE"]
    files += sorted((ROOT / "data").iterdir()) + sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, Path(name) / path.relative_to(ROOT))
        for path in sorted(EXECUTED.glob("4.3.*.ipynb")):
            archive.write(path, Path(name) / "notebooks" / path.name)
        archive.write(PAGE, Path(name) / PAGE.name)
    partial.replace(target)


def ask(what: str, given: str | None) -> str:
    """Return what was given on the command line, or what the student types; refuse an empty answer."""
    answer = given if given is not None else input(f"{what}: ") if sys.stdin.isatty() else ""
    if not answer.strip():
        sys.exit(f"No {what.lower()} given: make submission NAME='Ada Lovelace' COURSE='Machine learning 1'")
    return answer.strip()


def main() -> int:
    """Read the arguments, do the work, and say what to open or to hand in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="only the page, from what is in build/notebooks")
    parser.add_argument("--name")
    parser.add_argument("--course")
    arguments = parser.parse_args()
    if arguments.page:
        write_page(EXECUTED, PAGE)
        print(f"Everything on one page: {PAGE.relative_to(ROOT)}")
        return 0
    name, course = ask("Name", arguments.name), ask("Course", arguments.course)
    if status := execute_all(EXECUTED, ()):
        print("Nothing was packed: a submission needs every notebook to run.")
        return status
    write_page(EXECUTED, PAGE, f"{name} · {course}")
    target = BUILD / f"vae-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'submission'}.zip"
    write_archive(target, target.stem)
    print(f"Hand in {target.relative_to(ROOT)}, {target.stat().st_size / 1e6:.1f} MB.")
    print(f"See it as a grader does: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
