"""What README.md, CONTRIBUTING.md and FAQ.md promise is there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from count_code import cells

ROOT = Path(__file__).parents[1]
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "FAQ.md")}
README = PAGES["README.md"]
SECTIONS = sorted((ROOT / "notebooks").glob("4.3.*.ipynb"))
ROWS = re.findall(r"^\| \[([^\]]+)\]\(notebooks/(\S+)\) \| .* \| (\d+) min \| \d+ s \|$", README, flags=re.M)


def prose(path):
    return "\n".join(source for source, _ in cells(path, "markdown"))


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page):
    for target, heading in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", PAGES[page]):
        assert target.startswith("https://") or (ROOT / target).exists(), f"{target} does not exist"
        if heading and target.endswith(".ipynb"):
            headings = re.findall(r"^#+ (.+)$", prose(ROOT / target), flags=re.M)
            assert heading in [title.replace(" ", "-") for title in headings], f"{target} has no heading {heading}"


def test_its_table_has_every_section_by_its_own_title_in_order():
    assert [file for _, file, _ in ROWS] == [path.name for path in SECTIONS]
    for (title, _, _), path in zip(ROWS, SECTIONS, strict=True):
        assert prose(path).startswith(f"# {title}"), f"{path.name} has another title than {title!r}"


@pytest.mark.parametrize(("title", "file", "minutes"), ROWS, ids=lambda text: text.split("_")[0])
def test_its_reading_times_are_those_that_the_sections_name(title, file, minutes):
    found = re.search(r"Reading: (\d+) minutes", prose(ROOT / "notebooks" / file))
    assert found, f"{file} does not say how long it takes to read"
    assert found[1] == minutes, f"{title} names {found[1]} minutes"


def test_its_loss_baseline_and_floor_are_what_the_section_prints():
    section = json.loads(SECTIONS[5].read_text(encoding="utf-8"))
    outputs = [o.get("text", "") for cell in section["cells"] for o in cell.get("outputs", [])]
    text = "".join("".join(output) for output in outputs)
    for likelihood in ("bernoulli", "gaussian"):
        mean, model, floor = re.search(rf"{likelihood} +mean image +(\S+) +model +(\S+) +floor +(\S+)", text).groups()
        for number in (mean, model, floor.removesuffix(".0")):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\.?\d)", README), f"{likelihood}: {number} is missing"
        if likelihood == "bernoulli":
            assert f"even a perfect copy costs {floor} nats" in PAGES["FAQ.md"]
    known = json.loads((ROOT / "notebooks" / "expected.json").read_text(encoding="utf-8"))["sections"]
    values = known["4.3.06"]["test loss"]["values"].values()
    assert f"(eight seeds: {min(values):.1f} to {max(values):.1f})" in README


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_that_it_names_exist(page):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    for name in re.findall(r"(?:^|`)make ([a-z-]+)", PAGES[page], flags=re.M):
        assert name in targets, f"make {name}"
    for script in re.findall(r"(?:tools|benchmarks|tests|notebooks)/\w+\.(?:py|json)", PAGES[page]):
        assert (ROOT / script).exists(), script


def test_it_names_every_target_of_the_makefile_or_contributing_does():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.+)$", makefile, flags=re.M)[1].split()
    said = README + PAGES["CONTRIBUTING.md"]
    for target in targets:
        if target not in ("help", "setup", "setup-dev"):  # the others call these
            assert re.search(rf"make {target}\b(?!-)", said), f"make {target} is nowhere explained"


def test_every_parameter_of_the_course_stands_in_its_table_with_the_courses_value():
    import course

    for name, value in course.PARAMETERS.items():
        shown = f'"{value}"' if isinstance(value, str) else value
        assert f"| `{name} = {shown}` |" in README


def test_its_runtimes_and_the_tables_of_the_benchmarks_are_those_of_the_results():
    check = [sys.executable, "benchmarks/tables.py", "--check"]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}Run: python benchmarks/tables.py"
