"""What README.md, CONTRIBUTING.md and FAQ.md promise is there."""

import json
import re
import subprocess
import sys

import pytest
from count_code import ROOT, cells

import course

PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "FAQ.md")}
README = PAGES["README.md"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECTIONS = [path for path in NOTEBOOKS if path.stem != "solutions"]


def prose(path):
    return "\n".join(source for source, _ in cells(path, "markdown"))


@pytest.mark.parametrize("path", [ROOT / page for page in PAGES] + NOTEBOOKS, ids=lambda p: p.stem)
def test_its_links_lead_somewhere(path):
    text = prose(path) if path.suffix == ".ipynb" else PAGES[path.name]
    for target, heading in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", re.sub(r"`[^`\n]*`", "", text)):
        found = path.parent / target if target else path
        assert found.exists(), f"{target} does not exist"
        if heading and found.suffix == ".ipynb":  # elsewhere GitHub writes headings small
            headings = re.findall(r"^#+ (.+)$", prose(found), flags=re.M)
            assert heading in [title.replace(" ", "-") for title in headings], f"{found.name} has no heading {heading}"


def test_the_commands_that_the_pages_name_exist_and_every_one_of_the_makefile_is_named():
    text, makefile = "\n".join(PAGES.values()), (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.M))
    targets = set(re.search(r"^\.PHONY: (.+)$", makefile, flags=re.M)[1].split())
    assert targets - {"help", "setup", "setup-dev"} <= named <= targets, "the others call these three"
    for script in re.findall(r"(?:tools|benchmarks|tests|notebooks)/\w+\.(?:py|json)", text):
        assert (ROOT / script).exists(), script


def test_its_table_has_every_section_in_order_with_the_title_and_reading_time_that_the_section_names():
    rows = re.findall(r"^\| \[([^\]]+)\]\(notebooks/(\S+)\) \| .* \| (\d+) min \| \d+ s \|$", README, flags=re.M)
    for (title, file, minutes), path in zip(rows, SECTIONS, strict=True):
        assert file == path.name
        assert prose(path).startswith(f"# {title}")
        assert f"Reading: {minutes} minutes" in prose(path), path.name


def test_its_loss_baseline_and_floor_are_what_the_section_prints():
    outputs = next((ROOT / "notebooks").glob("4.3.06_*.ipynb")).read_text(encoding="utf-8")
    for likelihood in ("bernoulli", "gaussian"):
        numbers = re.search(rf"{likelihood} +mean image +(\S+) +model +(\S+) +floor +(\S+)", outputs).groups()
        for number in numbers:
            shown = "0" if number == "0.0" else re.escape(number)
            assert re.search(rf"(?<![\d.]){shown}(?!\.?\d)", README), f"{likelihood}: {number} is missing"
        assert likelihood == "gaussian" or f"even a perfect copy costs {numbers[2]} nats" in PAGES["FAQ.md"]
    known = json.loads(course.EXPECTED.read_text(encoding="utf-8"))["sections"]["4.3.06"]["test loss"]
    values = known["values"].values()
    assert f"(eight seeds: {min(values):.1f} to {max(values):.1f})" in README


def test_every_parameter_of_the_course_stands_in_its_table_with_the_courses_value():
    for name, value in course.PARAMETERS.items():
        assert f"| `{name} = {json.dumps(value) if isinstance(value, str) else value}` |" in README


def test_its_runtimes_and_the_tables_of_the_benchmarks_are_those_of_the_results():
    check = [sys.executable, "benchmarks/tables.py", "--check"]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}Run: python benchmarks/tables.py"
