"""Write what was measured into benchmarks/README.md, README.md and the sections, from the results.

python benchmarks/tables.py            writes it, and the figure benchmarks/results/time_to_quality.png
python benchmarks/tables.py --check    changes nothing; says what is out of date

The pages themselves say what is measured: only tables, figures in sentences and the machines are replaced.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from statistics import median

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from common import FOLDER, ROOT, read_results

PAGE = ROOT / "benchmarks" / "README.md"
Place = tuple[str, str]  # a pattern that finds one place in a page, and what shall stand there


def span(values: Sequence[float], form: str = ".2f") -> str:
    """Return the median of `values` and how far they reach."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Place:
    """Return the place of the Markdown table whose first column has this header, and the table."""
    lines = [header, ["---"] * len(header), *rows]
    return rf"\| {re.escape(header[0])} \|.*(\n\|.*)+", "\n".join("| " + " | ".join(line) + " |" for line in lines)


def measured_on(results: dict, command: str) -> Place:
    """Return the place of the line with machine and versions, and the line."""
    machine = ", ".join(value if name == "machine" else f"{name} {value}" for name, value in results.items())
    return rf"\*.*\*, `python benchmarks/{command}`", f"*{machine}*, `python benchmarks/{command}`"


def time_to_quality() -> Iterator[Place]:
    """Return the course's network against the tutorials', each seed against its own twin."""
    report = read_results("choose_network")["report"]
    machine = report.pop("versions")
    tutorial = {run["seed"]: run for run in report["tutorial"]}
    rows = []
    for name, runs in report.items():
        pairs = [(run, tutorial[run["seed"]]) for run in runs if run["seed"] in tutorial]
        row = [name, str(len(runs)), span([run["test"]["loss"] for run in runs])]
        row.append(span([run["seconds"] for run in runs], ".0f"))
        row.append(span([a["seconds"] / b["seconds"] for a, b in pairs], ".3f"))
        row.append("" if name == "tutorial" else span([reached(a, b) for a, b in pairs], ".4f"))
        rows.append(row)
    header = ["network and training", "seeds", "test loss, nats per image", "seconds", "as a share of the tutorial's"]
    yield table([*header, "share until the tutorial's final loss"], rows)
    course, other = (report[name][0]["epochs"] for name in ("course", "tutorial"))
    yield r'"course" has \d+ epochs, "tutorial" \d+', f'"course" has {course} epochs, "tutorial" {other}'
    yield measured_on(machine, "choose_network.py report")


def reached(course: dict, other: dict) -> float:
    """Return after which share of the other's seconds the course's run has the other's final validation loss."""
    goal = other["curve"][-1][1]
    return next((seconds for seconds, loss in course["curve"] if loss <= goal), float("inf")) / other["seconds"]


def draw_time_to_quality() -> None:
    """Draw the loss against the seconds of training."""
    report = read_results("choose_network")["report"]
    fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    looks = {"course": ("#332288", "-"), "course, 30 epochs": ("#117733", "-."), "tutorial": ("#CC6677", "--")}
    for name, (color, style) in looks.items():
        for run in report[name]:
            label = name if run["seed"] == 42 else None
            ax.plot(*zip(*run["curve"], strict=True), style, color=color, lw=1.2, label=label)
    ax.set(xscale="log", ylim=(260, 300), xlabel="seconds of the processor, one thread", ylabel="nats per image")
    ax.set_title("Loss on validation images, one line for each seed")
    ax.grid(alpha=0.4)
    ax.legend()
    fig.savefig(FOLDER / "time_to_quality.png", dpi=100, metadata={"Software": None})


def choice() -> Iterator[Place]:
    """Return the candidates' losses on validation images, by which the training was chosen."""
    results = read_results("choose_network")["choose"]
    losses: dict[str, list[float]] = {}
    for row in results["rows"]:
        losses.setdefault(row["name"], []).append(row["validation"])
    rows = [[name, span(own)] for name, own in sorted(losses.items(), key=lambda item: median(item[1]))]
    yield table(["what differs from the course's training", "loss on validation images, nats per image"], rows)
    yield measured_on(results["versions"], "choose_network.py choose")


def throughput() -> Iterator[Place]:
    """Return images per second of the same network in three implementations, and where our seconds go."""
    results = read_results("throughput")
    rounds, profile, work, images = (results[key] for key in ("rounds", "profile", "multiply_adds", "images"))
    rows = []
    for name in (name for name in rounds[0] if name != "limit"):
        share = [100 * work / r[name] / r["limit"] for r in rounds]
        rows.append([name, span([images / r[name] for r in rounds], ".0f"), span(share, ".1f")])
        rows[-1].append(span([r["our fit"] / r[name] for r in rounds]))
    header = ["one and the same network", "images per second", "% of a matrix product's rate", "speed, ours = 1"]
    yield table(header, rows)
    yield r"\d+ rounds of [\d,]+ images", f"{len(rounds)} rounds of {images:,} images"
    yield table(["part", "seconds"], [[name, span([r[name] for r in profile])] for name in profile[0]])
    adam, large = (median(r[n] for r in profile) for n in ("forward, backward and Adam", "the same, batches of 1,024"))
    yield r"takes [\d.]+ of the seconds", f"takes {large / adam:.2f} of the seconds"
    yield measured_on(results["measured on"], "throughput.py")


def growth() -> Iterator[Place]:
    """Return time and memory of one epoch against the number of images."""
    results = read_results("growth")
    rows = []
    for images in sorted({row["images"] for row in results["rows"]}):
        same = [row for row in results["rows"] if row["images"] == images]
        peak = max(row["peak_gb"] for row in same)
        rows.append([f"{images:,}", span([row["seconds"] for row in same]), f"{peak:.2f}"])
    yield table(["images", "seconds of one epoch", "peak GB"], rows)
    yield r"to the power of [\d.]+\d", f"to the power of {results['exponent']:.3f}"
    yield r"the medians like [\d.]+\d", f"the medians like {results['exponent of the medians']:.3f}"
    yield measured_on(results["measured on"], "growth.py")


def notebooks() -> Iterator[Place]:
    """Return time and memory of every notebook."""
    results = read_results("notebooks")
    figures = results["notebooks"]
    rows = [[name, f"{f['seconds']:.0f}", f"{f['peak_gb']:.2f}"] for name, f in figures.items()]
    total, peak = sum(f["seconds"] for f in figures.values()), max(f["peak_gb"] for f in figures.values())
    rows.append(["all", f"{total:.0f} ({total / 60:.1f} minutes)", f"{peak:.2f}"])
    header = ["notebook", "seconds", "peak GB"]
    if all("trainings" in f for f in figures.values()):
        header.append("seconds, a default training just then = 1")
        trainings = [f["trainings"] for f in figures.values()]
        rows = [[*row, f"{n:.1f}"] for row, n in zip(rows, [*trainings, sum(trainings)], strict=True)]
    yield table(header, rows)
    yield measured_on(results["measured on"], "notebooks.py")


def runtime(name: str) -> str:
    """Return the seconds of a notebook, rounded to five."""
    return f"{5 * round(read_results('notebooks')['notebooks'][name]['seconds'] / 5)} s"


def main(check: bool) -> int:
    """Replace each place of each page, or compare; return the exit status."""
    sections = sorted((ROOT / "notebooks").glob("4.3.*.ipynb"))
    places = {PAGE: [*time_to_quality(), *choice(), *throughput(), *growth(), *notebooks()]}
    row = r"(?<=\(notebooks/{}\) \| )(.* \| )\S+ s \|$"
    places[ROOT / "README.md"] = [(row.format(path.name), rf"\g<1>{runtime(path.stem)} |") for path in sections]
    places |= {path: [(r"Runtime: about \d+ s", f"Runtime: about {runtime(path.stem)}")] for path in sections}
    status = 0
    for path, wanted in places.items():
        before = text = path.read_text(encoding="utf-8")
        for pattern, new in wanted:
            text, count = re.subn(pattern, new, text, flags=re.M)
            if count != 1:
                sys.exit(f"{path.relative_to(ROOT)} has {count} places for {new!r}.")
        if text != before:
            status = 1
            print(f"{path.relative_to(ROOT)} is {'out of date' if check else 'written'}.")
            if not check:
                path.write_text(text, encoding="utf-8")
    if not check:
        draw_time_to_quality()
    return status if check else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
