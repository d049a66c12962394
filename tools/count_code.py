"""Count what the code and words of the notebooks do, and hold them to the reader's budget.

    python tools/count_code.py

The rule. A line counts if it is neither blank nor a comment. Every statement at the top level of a cell is of one kind:
    check    it contains assert, assert_..., or compare
    draw     else, it contains show, plot_..., drawings., plt., or a call on an axes or a figure
    set-up   else, it is an import, sys.path, begin, a line of the parameters cell, or loads data or the trained model
    teach    everything else
The share that teaches is that of the lines which neither draw nor check nor set up, among those that do not set up:
set-up is the same few lines in every section.
"""

import ast
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PATTERNS = {
    "check": r"\bassert\b|\bassert_\w+\(|\bcompare\(",
    "draw": r"\bshow\(|\bplot_\w+\(|\bdrawings\.|\bplt\.|\b(?:ax|axes|fig)\.",
    "set-up": r"^(?:import|from) |\bsys\.path\b|\bvh\.begin\(|load_fashion_mnist\(|train_or_load\(",
}


def cells(path: Path, kind: str) -> list[tuple[str, set[str]]]:
    """Return source and tags of every cell of one kind."""
    found = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]
    return [("".join(cell["source"]), set(cell["metadata"].get("tags", []))) for cell in found]


def code_lines(source: str) -> list[str]:
    """Return the lines that count."""
    return [line for line in source.splitlines() if line.strip() and not line.strip().startswith("#")]


def kinds(path: Path) -> dict[str, int]:
    """Return how many lines of the notebook's code are of each kind."""
    count = dict.fromkeys(("teach", "draw", "check", "set-up"), 0)
    for source, tags in cells(path, "code"):
        for statement in ast.parse(source).body:
            text = "\n".join(source.splitlines()[statement.lineno - 1 : statement.end_lineno])
            fits = [kind for kind, pattern in PATTERNS.items() if re.search(pattern, text)]
            kind = "set-up" if "parameters" in tags else fits[0] if fits else "teach"
            count[kind] += len(code_lines(text))
    return count


def teaches(path: Path) -> float:
    """Return the share of the code that teaches."""
    count = kinds(path)
    return count["teach"] / max(1, count["teach"] + count["draw"] + count["check"])


def figures(path: Path) -> dict[str, tuple[Any, int]]:
    """Return the figures that the reader's budget limits, each with the most that it may be."""
    sources = [source for source, _ in cells(path, "code")]
    sizes = sorted(len(code_lines(source)) for source in sources)
    model = [len(code_lines(source)) for source in sources if "(keras.Model)" in source]
    others = [len(code_lines(source)) for source in sources if "(keras.Model)" not in source]
    prose = "\n".join(source for source, _ in cells(path, "markdown"))
    code = "\n".join(sources)
    return {
        "code lines": (sum(sizes), 140),
        "median cell": (statistics.median(sizes), 6),
        "90th percentile": (sizes[min(len(sizes) - 1, int(0.9 * len(sizes)))], 14),
        "largest cell": (max(others, default=0), 24),
        "cell with the model class": (max(model, default=0), 35),
        "words": (len(prose.split()), 2000 if path.name.startswith("4.3.01") else 1400),
        "words before Going deeper": (len(re.split(r"^## Going deeper$", prose, flags=re.M)[0].split()), 900),
        "asserts": (len(re.findall(r"\bassert\b|\bassert_\w+\(", code)), 6),
        "compares": (len(re.findall(r"\bcompare\(", code)), 8),
    }


def main() -> int:
    """Print a line per notebook and return 1 if one is over its budget."""
    over = 0
    print(f"{'notebook':24}{'code':>6}{'median':>8}{'p90':>5}{'words':>7}{'before':>8}{'teaches':>9}")
    for path in sorted((ROOT / "notebooks").glob("4.3.*.ipynb")):
        found = figures(path)
        f = {name: value for name, (value, _) in found.items()}
        row = f"{path.stem:24}{f['code lines']:6}{f['median cell']:8.0f}{f['90th percentile']:5}{f['words']:7}"
        print(f"{row}{f['words before Going deeper']:8}{teaches(path):9.0%}", end="")
        excess = [f"{name} {value} of {most}" for name, (value, most) in found.items() if value > most]
        print("   over: " + ", ".join(excess) if excess else "")
        over += bool(excess)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
