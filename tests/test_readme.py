"""What the README promises is there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), f"{target} does not exist"


def test_it_lists_every_notebook_with_its_own_title_in_order():
    notebooks = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert re.findall(r"\(notebooks/(\S+)\)", README) == notebooks


def test_the_commands_that_it_names_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    for name in re.findall(r"^make ([\w-]+)", README, flags=re.M):
        assert name in targets
    for script in re.findall(r"(?:tools|benchmarks)/\w+\.py", README):
        assert (ROOT / script).exists()


def test_its_runtimes_and_the_tables_of_the_benchmarks_are_those_of_the_results():
    check = [sys.executable, "benchmarks/tables.py", "--check"]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}Run: python benchmarks/tables.py"
