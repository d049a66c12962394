"""Write the tables of benchmarks/README.md and the runtimes in README.md and the sections, from the results.

python benchmarks/tables.py            writes them, and the figure benchmarks/results/time_to_quality.png
python benchmarks/tables.py --check    changes nothing; says what is out of date
"""

import re
import sys
from collections.abc import Callable, Sequence
from statistics import median

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from choose_network import REPORTED, reached
from common import FOLDER, ROOT, read_results

TUTORIAL = "tutorial"

HEAD = """# Measured

Tables as last measured, written by `python benchmarks/tables.py` from `benchmarks/results/`. `make bench` repeats
everything (some hours); each script alone says at its top what it does and how long it takes. Seconds belong to the
machine named below each table; compare ratios.
"""


def span(values: Sequence[float], form: str = ".2f") -> str:
    """Return the median of `values` and how far they reach."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def measured_on(results: dict) -> str:
    """Return the machine and the versions in one line."""
    return "*" + ", ".join(value if name == "machine" else f"{name} {value}" for name, value in results.items()) + "*"


def time_to_quality() -> str:
    """Return the course's network against the tutorials', each seed against its own twin."""
    report = read_results("choose_network")["report"]
    rows = []
    for name in REPORTED:
        runs = report[name]
        row = [name, str(len(runs)), span([run["test"]["loss"] for run in runs])]
        row.append(span([run["seconds"] for run in runs], ".0f"))
        row.append(span([a["seconds"] / b["seconds"] for a, b in pairs(report, name)], ".3f"))
        row.append("" if name == TUTORIAL else span([reached(a, b) for a, b in pairs(report, name)], ".4f"))
        rows.append(row)
    header = ["network and training", "seeds", "test loss, nats per image", "seconds", "as a share of the tutorial's"]
    header.append("share until the tutorial's final loss")
    epochs = {name: report[name][0]["epochs"] for name in REPORTED}
    return (
        "## Time to quality\n\nMedian (from to); shares against the tutorial's run with the same seed. Seeds change "
        f'weights, draws and batches. 10,000 training images, one thread; "course" has {epochs["course"]} epochs, '
        f'"tutorial" {epochs[TUTORIAL]}. Seconds of the processor, without those in which 2,500 validation images '
        "are scored after every half epoch. The tutorials' network has convolutions 32-64, Dense 16, transposed "
        "convolutions 64-64-32, Glorot initialisation, Adam 1e-3, batch 128.\n\n"
        f"{table(header, rows)}\n\n![Validation loss against seconds of training; the course's curves fall fastest, "
        "those of the long schedule end lowest.](results/time_to_quality.png)\n\n"
        f"{measured_on(report['versions'])}, `python benchmarks/choose_network.py report`"
    )


def pairs(report: dict, name: str) -> list[tuple[dict, dict]]:
    """Return the runs of `name` beside the tutorial's with the same seed."""
    tutorial = {run["seed"]: run for run in report[TUTORIAL]}
    return [(run, tutorial[run["seed"]]) for run in report[name] if run["seed"] in tutorial]


def draw_time_to_quality() -> None:
    """Draw the loss against the seconds of training."""
    report = read_results("choose_network")["report"]
    fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, color, style in zip(REPORTED, ("#332288", "#117733", "#CC6677"), ("-", "-.", "--"), strict=True):
        for run in report[name]:
            seconds, loss = zip(*run["curve"], strict=True)
            ax.plot(seconds, loss, style, color=color, lw=1.2, label=name if run["seed"] == 42 else None)
    ax.set(xscale="log", ylim=(260, 300), xlabel="seconds of the processor, one thread", ylabel="nats per image")
    ax.set_title("Loss on validation images, one line for each seed")
    ax.grid(alpha=0.4)
    ax.legend()
    fig.savefig(FOLDER / "time_to_quality.png", dpi=100, metadata={"Software": None})


def choice() -> str:
    """Return the candidates' losses on validation images, by which the training was chosen."""
    results = read_results("choose_network")["choose"]
    losses: dict[str, list[float]] = {}
    for row in results["rows"]:
        losses.setdefault(row["name"], []).append(row["validation"])
    rows = [[name, span(own)] for name, own in sorted(losses.items(), key=lambda item: median(item[1]))]
    header = ["what differs from the course's training", "loss on validation images, nats per image"]
    return (
        "## The choice of the training\n\nThree seeds each, trained on training images 0 to 9,999 and scored on images "
        f"10,000 to 19,999: median (from to).\n\n{table(header, rows)}\n\n"
        f"{measured_on(results['versions'])}, `python benchmarks/choose_network.py choose`"
    )


def throughput() -> str:
    """Return images per second of the same network in three implementations."""
    results = read_results("throughput")
    rounds, work, images = results["rounds"], results["multiply_adds"], results["images"]
    rows = []
    for name in (name for name in rounds[0] if name != "limit"):
        rates = [images / r[name] for r in rounds]
        share = [100 * work / r[name] / r["limit"] for r in rounds]
        rows.append([name, span(rates, ".0f"), span(share, ".1f"), span([r["our fit"] / r[name] for r in rounds])])
    header = ["one and the same network", "images per second", "% of a matrix product's rate", "speed, ours = 1"]
    text = f"## Training throughput\n\nIn turn, {len(rounds)} rounds of {images:,} images: median (from to).\n\n"
    profile = results["profile"]
    parts = [[name, span([r[name] for r in profile])] for name in profile[0]]
    adam, large = (median(r[n] for r in profile) for n in ("forward, backward and Adam", "the same, batches of 1,024"))
    where = "Where the rest of the way to the limit goes, one epoch of the bare loop in parts:\n\n"
    why = (
        f"Gathering batches takes next to nothing. With batches of 1,024 the same work takes {large / adam:.2f} of the "
        "seconds: that much less starting of kernels and stepping of Adam. The rest is the kernels themselves: with "
        "1, 16 and 32 channels they cannot keep the processor as busy as a product of large matrices does."
    )
    return (
        f"{text}{table(header, rows)}\n\n{where}{table(['part', 'seconds'], parts)}\n\n{why}\n\n"
        f"{measured_on(results['measured on'])}, `python benchmarks/throughput.py`"
    )


def growth() -> str:
    """Return time and memory of one epoch against the number of images."""
    results = read_results("growth")
    rows = []
    for images in sorted({row["images"] for row in results["rows"]}):
        same = [row for row in results["rows"] if row["images"] == images]
        rows.append([f"{images:,}", span([row["seconds"] for row in same])])
        rows[-1].append(f"{max(row['peak_gb'] for row in same):.2f}")
    text = (
        f"The least seconds of each size grow like images to the power of {results['exponent']:.3f}, the medians like "
        f"{results['exponent of the medians']:.3f}. Other work on a shared machine only adds to the seconds."
    )
    header = ["images", "seconds of one epoch", "peak GB"]
    return f"## Growth\n\n{table(header, rows)}\n\n{text}\n\n{measured_on(results['measured on'])}, " + (
        "`python benchmarks/growth.py`"
    )


def notebooks() -> str:
    """Return time and memory of every notebook."""
    results = read_results("notebooks")
    figures = results["notebooks"]
    rows = [[name, f"{f['seconds']:.0f}", f"{f['peak_gb']:.2f}"] for name, f in figures.items()]
    total = sum(f["seconds"] for f in figures.values()) / 60
    rows.append(
        ["all", f"{60 * total:.0f} ({total:.1f} minutes)", f"{max(f['peak_gb'] for f in figures.values()):.2f}"]
    )
    text = "## The notebooks\n\nFrom a fresh kernel; those after 4.3.06 load the model that it has trained.\n\n"
    return f"{text}{table(['notebook', 'seconds', 'peak GB'], rows)}\n\n{measured_on(results['measured on'])}, " + (
        "`python benchmarks/notebooks.py`"
    )


PARTS: tuple[Callable[[], str], ...] = (time_to_quality, choice, throughput, growth, notebooks)


def seconds(name: str) -> int:
    """Return the seconds of a notebook, rounded to five."""
    return 5 * round(read_results("notebooks")["notebooks"][name]["seconds"] / 5)


def runtimes(readme: str) -> str:
    """Return README.md with the seconds of each notebook in its table."""
    row = r"^(\| \[[^\]]+\]\(notebooks/(\S+)\.ipynb\) \| .* \| )\S+ s \|$"
    return re.sub(row, lambda match: f"{match[1]}{seconds(match[2])} s |", readme, flags=re.M)


def main(check: bool) -> int:
    """Write the tables and what the sections say of their runtime, or compare; return the exit status."""
    status = 0
    own = HEAD + "\n" + "\n\n".join(part() for part in PARTS) + "\n"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files = {ROOT / "benchmarks" / "README.md": own, ROOT / "README.md": runtimes(readme)}
    for path in sorted((ROOT / "notebooks").glob("4.3.*.ipynb")):
        said = f"Runtime: about {seconds(path.stem)} s"
        files[path] = re.sub(r"Runtime: about \d+ s", said, path.read_text(encoding="utf-8"))
    for path, text in files.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            status = 1
            print(f"{path.relative_to(ROOT)} is {'out of date' if check else 'written'}.")
            if not check:
                path.write_text(text, encoding="utf-8")
    if not check:
        draw_time_to_quality()
    return status if check else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
