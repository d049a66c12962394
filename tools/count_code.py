"""Count what the code and words of the notebooks do: what the reader's budget limits.

    python tools/count_code.py

The rule. A line counts if it is neither blank nor a comment. Every statement at the top level of a cell is of one kind:
    aside    it checks (assert, assert_..., compare), or it draws (show, plot_..., drawings., plt., axes, figures)
    set-up   else, it is an import, sys.path, begin, a line of the parameters cell, or loads data or the trained model
    teach    everything else
The share that teaches is that among the lines that do not set up: set-up is the same few lines in every section.
"""

import ast
import re
import statistics
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
ASIDE = r"\bassert\b|\bassert_\w+\(|\bcompare\(|\bshow\(|\bplot_\w+\(|\bdrawings\.|\bplt\.|\b(?:ax|axes|fig)\."
SET_UP = r"^(?:import|from) |\bsys\.path\b|\bvh\.begin\(|load_fashion_mnist\(|train_or_load\("


def cells(path: Path, kind: str) -> list[tuple[str, set[str]]]:
    """Return source and tags of every cell of one kind."""
    found = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]
    return [(cell.source, set(cell.metadata.get("tags", []))) for cell in found]


def lines(source: str) -> int:
    """Return how many lines count."""
    return len(re.findall(r"^ *[^\s#]", source, flags=re.M))


def teaches(path: Path) -> float:
    """Return the share of the code that teaches."""
    teach = aside = 0
    for source, tags in cells(path, "code"):
        for statement in ast.parse(source).body if "parameters" not in tags else ():
            text = "\n".join(source.splitlines()[statement.lineno - 1 : statement.end_lineno])
            if re.search(ASIDE, text):
                aside += lines(text)
            elif not re.search(SET_UP, text):
                teach += lines(text)
    return teach / max(1, teach + aside)


def figures(path: Path) -> dict[str, tuple[float, int]]:
    """Return the figures that the reader's budget limits, each with the most that it may be."""
    sources = [source for source, _ in cells(path, "code")]
    sizes = sorted(map(lines, sources))
    model = [lines(source) for source in sources if "(keras.Model)" in source]
    prose, code = "\n".join(source for source, _ in cells(path, "markdown")), "\n".join(sources)
    return {
        "code lines": (sum(sizes), 140),
        "median cell": (statistics.median(sizes), 6),
        "90th percentile": (sizes[int(0.9 * len(sizes))], 14),
        "largest cell": (max(lines(source) for source in sources if "(keras.Model)" not in source), 24),
        "cell with the model class": (max(model, default=0), 35),
        "words": (len(prose.split()), 2000 if path.name.startswith("4.3.01") else 1400),
        "words before Going deeper": (len(prose.partition("\n## Going deeper\n")[0].split()), 900),
        "asserts": (len(re.findall(r"\bassert\b|\bassert_\w+\(", code)), 6),
        "compares": (len(re.findall(r"\bcompare\(", code)), 8),
    }


if __name__ == "__main__":
    for path in sorted((ROOT / "notebooks").glob("4.3.*.ipynb")):
        counted = ", ".join(f"{name} {value:g} of {most}" for name, (value, most) in figures(path).items())
        print(f"{path.stem}: {teaches(path):.0%} teach; {counted}")
