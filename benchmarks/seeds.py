"""Write notebooks/expected.json: what the numbers of the notebooks are under other seeds, kernels and versions.

    python benchmarks/seeds.py                 every section of the file, about 25 minutes on two cores
    python benchmarks/seeds.py 4.3.06 4.3.08   only these; a new one is named here once

It runs the notebooks themselves, two at a time, and collects what they hand to `compare`. Eight seeds, which change
weights, draws and the order of the images, but never the images; and the course's own seed four times more, by VARIANTS
(a Mac's versions want make setup-apple). Trained models are kept in build/seeds: sections after 4.3.06 load them.

The rule. For another seed: the 99 % prediction interval for an eighth run after seven, m ± t s sqrt(1 + 1/7), where t
is the 99.5 % quantile of Student's distribution with 6 degrees of freedom. A ratio, whose unit is "times", gets the
interval of its logarithm: twice and half are equally far from once.

For the course's seed, on Linux x86-64 and its CPU: four standard deviations about the mean of the five runs. Five runs
may agree by luck, so to their variance comes that of 0.4 s, the root mean square of such deviations over all numbers in
units of their s, or of ten times their own deviation, if that is less. That is generous on purpose: the five runs stand
for processors that nobody measured, and no confidence is claimed. Five equal values, as of a count, get the width of
the other seeds' range. No range is narrower to each side than s/4 (at most a tenth of the number) or its millionth.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

from common import ONE_THREAD, ROOT, machine

import course

OWN = course.PARAMETERS["SEED"]
SEEDS = (OWN, 1, 2, 3, 4, 5, 6, 7)
STUDENT_T = 3.7074
# Of the course's seed: the environment of each further run.
VARIANTS = {
    "without oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "one thread": ONE_THREAD,
    "AVX2 at most": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "a Mac's versions": {},
}


def bounds(values: dict[str, float], variants: dict[str, float], unit: str) -> tuple[list[float], list[float]]:
    """Return [low, high] for the course's own seed, and [low, high] for any other, by the rule above."""
    others = [value for seed, value in values.items() if seed != str(OWN)]
    five = [values[str(OWN)], *variants.values()]
    reach, s, rounding = STUDENT_T * math.sqrt(1 + 1 / len(others)), stdev(others), stdev(five)
    # Five equal values, as of a count, say nothing about its scatter.
    scatter = 4 * math.hypot(rounding, min(0.4 * s, 10 * rounding)) if rounding else reach * s
    margin = max(scatter, min(s / 4, abs(five[0]) / 10), 1e-6 * abs(five[0]))
    own = mean(five) - margin, mean(five) + margin
    there, back = (math.log, math.exp) if unit == "times" else (float, float)
    scaled = [there(value) for value in others]
    seeds = [back(mean(scaled) + side * reach * stdev(scaled)) for side in (-1, 1)] if s else own
    return [float(f"{v:.7g}") for v in own], [float(f"{v:.7g}") for v in seeds]


def run(job: tuple[str, int, str]) -> dict[str, dict]:
    """Run one section with one seed under one variant ("plain" for none); return its numbers by name."""
    section, seed, variant = job
    python = ROOT / ".venv-apple" / "bin" / "python" if variant == "a Mac's versions" else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        collected = Path(folder) / "values.jsonl"
        environment = os.environ | VARIANTS.get(variant, {}) | {"VAE_COLLECT": str(collected)}
        environment["VAE_TRAINED"] = str(ROOT / "build" / "seeds" / variant.replace(" ", "-"))
        command = [python, ROOT / "tools" / "execute.py", folder, section, f"SEED={seed}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{job}: {done.stdout}{done.stderr}")
        rows = [json.loads(line) for line in collected.read_text(encoding="utf-8").splitlines()]
    print("done:", *job, flush=True)
    return {row["name"]: row for row in rows}


if __name__ == "__main__":
    known = json.loads(course.EXPECTED.read_text(encoding="utf-8"))
    for section in sys.argv[1:] or known["sections"]:
        jobs = [(section, seed, "plain") for seed in SEEDS] + [(section, OWN, variant) for variant in VARIANTS]
        with ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(run, jobs))
        kept = known["sections"][section] = {}
        for name, row in runs[0].items():
            rounded = [float(f"{numbers[name]['value']:.7g}") for numbers in runs]
            values = dict(zip(map(str, SEEDS), rounded, strict=False))
            variants = dict(zip(VARIANTS, rounded[len(SEEDS) :], strict=True))
            own, seeds = bounds(values, variants, row["unit"])
            kept[name] = {"unit": row["unit"], "values": values, "variants": variants, "course": own, "seeds": seeds}
        known["measured on"] = machine()
        known["sections"] = dict(sorted(known["sections"].items()))
        course.EXPECTED.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
