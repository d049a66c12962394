"""Write what was measured into benchmarks/README.md, README.md and the sections, from the results.

python benchmarks/tables.py            writes it, and the figure benchmarks/results/time_to_quality.png
python benchmarks/tables.py --check    changes nothing; says what is out of date

The pages themselves say what is measured: only tables, figures in sentences and the machines are replaced.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from math import log
from statistics import linear_regression, median

from common import FOLDER, ROOT, read_results
from matplotlib.figure import Figure

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
    tutorial = {run["seed"]: run for run in report["tutorial"]}
    rows = []
    for name in ("course", "course, 30 epochs", "tutorial"):
        runs = report[name]
        whole, reached = [], []
        for run in runs[: len(tutorial)]:
            other = tutorial[run["seed"]]
            whole.append(run["seconds"] / other["seconds"])
            as_good = (seconds for seconds, loss in run["curve"] if loss <= other["curve"][-1][1])
            reached.append(next(as_good, float("inf")) / other["seconds"])
        rows.append([name, str(len(runs)), span([run["test"]["loss"] for run in runs])])
        rows[-1] += [span([run["seconds"] for run in runs], ".0f"), span(whole, ".3f")]
        rows[-1].append("" if name == "tutorial" else span(reached, ".4f"))
    header = ["network and training", "seeds", "test loss, nats per image", "seconds", "as a share of the tutorial's"]
    yield table([*header, "share until the tutorial's final loss"], rows)
    course, other = (report[name][0]["epochs"] for name in ("course", "tutorial"))
    yield r'"course" has \d+ epochs, "tutorial" \d+', f'"course" has {course} epochs, "tutorial" {other}'
    yield measured_on(report["versions"], "choose_network.py report")


def draw_time_to_quality() -> None:
    """Draw the loss against the seconds of training."""
    report = read_results("choose_network")["report"]
    fig = Figure(figsize=(8, 4.5), layout="constrained")
    ax = fig.subplots()
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
    """Return time and memory of one epoch against the number of images, and the power of it that the time grows like.

    Other work on the machine only adds to the seconds: so the least of each size, and the medians beside them.
    """
    results = read_results("growth")
    sizes: dict[int, list[dict]] = {}
    for row in results["rows"]:
        sizes.setdefault(row["images"], []).append(row)
    seconds = {images: [row["seconds"] for row in rows] for images, rows in sizes.items()}
    rows = [[f"{n:,}", span(seconds[n]), f"{max(row['peak_gb'] for row in sizes[n]):.2f}"] for n in sizes]
    yield table(["images", "seconds of one epoch", "peak GB"], rows)
    for words, middle in (("to the power of", min), ("the medians like", median)):
        slope = linear_regression([log(n) for n in sizes], [log(middle(row)) for row in seconds.values()]).slope
        yield rf"{words} [\d.]+\d", f"{words} {slope:.3f}"
    yield measured_on(results["measured on"], "growth.py")


def notebooks() -> Iterator[Place]:
    """Return time and memory of every notebook."""
    results = read_results("notebooks")
    notebooks = results["notebooks"]
    rows = [
        [name, f"{n['seconds']:.0f}", f"{n['peak_gb']:.2f}", f"{n['trainings']:.1f}"] for name, n in notebooks.items()
    ]
    total, trainings = (sum(n[key] for n in notebooks.values()) for key in ("seconds", "trainings"))
    peak = max(n["peak_gb"] for n in notebooks.values())
    rows.append(["all", f"{total:.0f} ({total / 60:.1f} minutes)", f"{peak:.2f}", f"{trainings:.1f}"])
    yield table(["notebook", "seconds", "peak GB", "seconds, a default training just then = 1"], rows)
    yield measured_on(results["measured on"], "notebooks.py")


def main(check: bool) -> None:
    """Replace each place of each page, or stop at the first page that is out of date."""
    pages = {ROOT / "benchmarks" / "README.md": [*time_to_quality(), *choice(), *throughput(), *growth(), *notebooks()]}
    pages[ROOT / "README.md"] = []
    for path in sorted((ROOT / "notebooks").glob("4.3.*.ipynb")):
        seconds = 5 * round(read_results("notebooks")["notebooks"][path.stem]["seconds"] / 5)
        row = rf"(?<=\(notebooks/{path.name}\) \| )(.* \| )\S+ s \|$"
        pages[ROOT / "README.md"].append((row, rf"\g<1>{seconds} s |"))
        pages[path] = [(r"Runtime: about \d+ s", f"Runtime: about {seconds} s")]
    for path, places in pages.items():
        before = text = path.read_text(encoding="utf-8")
        for pattern, new in places:
            text, count = re.subn(pattern, new, text, flags=re.M)
            if count != 1:
                sys.exit(f"{path.relative_to(ROOT)} has {count} places for {new!r}.")
        if not check:
            path.write_text(text, encoding="utf-8")
        elif text != before:
            sys.exit(f"{path.relative_to(ROOT)} is out of date.")
    if not check:
        draw_time_to_quality()


if __name__ == "__main__":
    main("--check" in sys.argv[1:])
