"""Draws benchmarks/results.json into benchmarks/ratios.svg, and prints it as a table.

python benchmarks/plot.py
"""

import json
from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure

HERE = Path(__file__).parent
COLORS = {
    "Flask-Alembic": "#b07aa1",
    "bare Alembic": "#9a9a9a",
    "flask-alembic-env": "#1f77b4",
}


def migrations(record):
    return [row for row in record if row["command"] != "bake"]


def draw(record, file):
    """A dot for each cell and subject: the ratio to Flask-Migrate."""
    rows = migrations(record)
    rcParams["svg.hashsalt"] = "the same file for the same results"
    figure = Figure(figsize=(8, 0.9 + 0.24 * len(rows)))
    axes = figure.subplots()
    for name, color in COLORS.items():
        axes.scatter(
            [row["results"][name]["ratio"] for row in rows],
            range(len(rows)),
            label=name,
            color=color,
            s=46 if name == "flask-alembic-env" else 20,
            zorder=3,
        )
    labels = [f"{row['database']}: {row['command']}, {row['size']}" for row in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("time, as a ratio to Flask-Migrate (1.0): less is faster")
    figure.legend(loc="upper center", ncols=len(COLORS), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.96))
    figure.savefig(file, metadata={"Date": None})


def print_markdown(record):
    """The table of benchmarks/README.md."""
    names = list(COLORS)
    print(f"| | rounds | Flask-Migrate | {' | '.join(names)} |")
    print("|---|---|---|" + "---|" * len(names))
    for row in migrations(record):
        results = row["results"]
        cell = f"{row['database']}: `{row['command']}`, {row['size']}"
        ratios = " | ".join(f"{results[name]['ratio']:.2f}" for name in names)
        seconds = results["Flask-Migrate"]["median"]
        print(f"| {cell} | {row['rounds']} | {seconds:.2f} s | {ratios} |")


if __name__ == "__main__":
    record = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    draw(record, HERE / "ratios.svg")
    print_markdown(record)
