"""Write notebooks/expected.json: what the numbers of the notebooks are under other seeds, kernels and versions.

    python benchmarks/seeds.py                 every section that compares a number, about 25 minutes on two cores
    python benchmarks/seeds.py 4.3.06 4.3.08   only these

It runs the notebooks themselves, by papermill with the parameter SEED, and collects what they hand to `compare`: the
numbers exist in one place. Eight seeds, which change weights, draws and the order of the images, but never the images;
and the course's own seed four times more: without oneDNN, on one thread, with AVX2 at most, and with a Mac's versions
(make setup-apple). Two runs at a time. Trained models are kept in build/seeds, so that sections after 4.3.06 load them.

The rule. For another seed: the 99 % prediction interval for an eighth run after seven, m ± t s sqrt(1 + 1/7), where t
is the 99.5 % quantile of Student's distribution with 6 degrees of freedom. For the course's seed, on a
processor like those measured: from the least to the greatest of the five runs, widened on both sides by that distance,
by a quarter of s (at most a tenth of the number), or for nats by 0.3 (at most t s sqrt(1 + 1/7)), whichever is most.
A ratio, whose unit is "times", gets the interval of its logarithm: twice and half are equally far from once.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from common import ROOT, machine

import course

SEEDS = (42, 1, 2, 3, 4, 5, 6, 7)
STUDENT_T = 3.7074  # the 99.5 % quantile of Student's distribution with 6 degrees of freedom
MAC = ROOT / ".venv-apple" / "bin" / "python"
# Of the course's seed: the environment of each further run, and the Python that runs it.
VARIANTS: dict[str, tuple[dict[str, str], Path]] = {
    "without oneDNN": ({"TF_ENABLE_ONEDNN_OPTS": "0"}, Path(sys.executable)),
    "one thread": ({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}, Path(sys.executable)),
    "AVX2 at most": ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, Path(sys.executable)),
    "a Mac's versions": ({}, MAC),
}


def bounds(values: Mapping[str, float], variants: Mapping[str, float], unit: str) -> tuple[list[float], list[float]]:
    """Return [low, high] for the course's own seed, and [low, high] for any other, by the rule above."""
    own = str(course.PARAMETERS["SEED"])
    others = [value for seed, value in values.items() if seed != own]
    s = stdev(others)
    half = STUDENT_T * s * math.sqrt(1 + 1 / len(others))
    seeds = mean(others) - half, mean(others) + half
    if unit == "times":
        logs = [math.log(value) for value in others]
        reach = STUDENT_T * stdev(logs) * math.sqrt(1 + 1 / len(logs))
        seeds = math.exp(mean(logs) - reach), math.exp(mean(logs) + reach)
    five = [values[own], *variants.values()]
    least = max(min(0.3, half) if unit.startswith("nats") else 0.0, min(s / 4, abs(values[own]) / 10))
    margin = max(max(five) - min(five), least)
    low, high = min(five) - margin, max(five) + margin
    if s == 0:  # a number that no seed changes, such as a count: leave room for rounding
        low, high = min(five) - 1e-6 * abs(min(five)), max(five) + 1e-6 * abs(max(five))
        seeds = low, high
    return [float(f"{v:.7g}") for v in (low, high)], [float(f"{v:.7g}") for v in seeds]


def run(job: tuple[str, int, str]) -> dict[str, dict[str, Any]]:
    """Run one section with one seed under one variant ("" for none); return its numbers by name."""
    section, seed, variant = job
    changes, python = VARIANTS.get(variant, ({}, Path(sys.executable)))
    (notebook,) = (ROOT / "notebooks").glob(f"{section}_*.ipynb")
    with tempfile.TemporaryDirectory() as folder:
        collected = Path(folder) / "values.jsonl"
        environment = os.environ | changes | {"VAE_COLLECT": str(collected)}
        environment["VAE_TRAINED"] = str(ROOT / "build" / "seeds" / (variant.replace(" ", "-") or "plain"))
        command = [str(python), "-m", "papermill", "--no-progress-bar", "--cwd", str(notebook.parent)]
        command += ["-k", "python3", "-p", "SEED", str(seed), str(notebook), str(Path(folder) / "out.ipynb")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{section}, seed {seed}, {variant or 'as it is'}: {done.stderr[-2000:]}")
        rows = [json.loads(line) for line in collected.read_text(encoding="utf-8").splitlines()]
    print(f"{section}  seed {seed}  {variant}", flush=True)
    return {row["name"]: row for row in rows}


def measure(section: str) -> dict[str, Any]:
    """Return what expected.json keeps of one section: every number with its values and its bounds."""
    own = course.PARAMETERS["SEED"]
    jobs = [(section, seed, "") for seed in SEEDS] + [(section, own, variant) for variant in VARIANTS]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(run, jobs))
    measured = {}
    for name, row in runs[0].items():
        values = {str(seed): numbers[name]["value"] for seed, numbers in zip(SEEDS, runs, strict=False)}
        variants = {v: numbers[name]["value"] for v, numbers in zip(VARIANTS, runs[len(SEEDS) :], strict=True)}
        rounded = [{key: float(f"{v:.7g}") for key, v in group.items()} for group in (values, variants)]
        own_seed, seeds = bounds(*rounded, row["unit"])
        measured[name] = {
            "unit": row["unit"],
            "values": rounded[0],
            "variants": rounded[1],
            "course": own_seed,
            "seeds": seeds,
        }
        print(f"    {name}: course {own_seed[0]:.5g} to {own_seed[1]:.5g}, seeds {seeds[0]:.5g} to {seeds[1]:.5g}")
    return measured


def main(sections: list[str]) -> None:
    """Measure the sections that are asked for and keep the other ones as they were."""
    if not MAC.exists():
        sys.exit("This needs a Mac's versions too: run `make setup-apple` first.")
    known = json.loads(course.EXPECTED.read_text(encoding="utf-8")) if course.EXPECTED.exists() else {"sections": {}}
    notebooks = sorted((ROOT / "notebooks").glob("4.3.*.ipynb"))
    comparing = [path.name[:6] for path in notebooks if "vh.compare(" in path.read_text(encoding="utf-8")]
    if not set(sections) <= set(comparing):
        sys.exit(f"Sections that compare a number: {', '.join(comparing)}.")
    for section in sections or comparing:
        known["sections"][section] = measure(section)
        content = {
            "format": course.FORMAT,
            "measured on": machine(),
            "sections": dict(sorted(known["sections"].items())),
        }
        course.EXPECTED.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
