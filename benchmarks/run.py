"""Migrates one application in four ways, in turn, and compares how long they take.

    python benchmarks/run.py                                 everything, half an hour
    python benchmarks/run.py --database sqlite --cell check --rounds 5
    python benchmarks/run.py --quick                         one cell, two subjects, once

The ratios are to Flask-Migrate, of the runs in one round, which come one after the other;
what is shown is their median. A run counts only if it succeeds, and leaves what it should.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from databases import URLS, Database
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from subjects import (
    NEW_COLUMN,
    ROOT,
    STEPS,
    SUBJECTS,
    FlaskMigrate,
    Ours,
    bake,
    revision_id,
    write_smallest_template,
)

SMALLEST = "smallest template"
EVERYWHERE = tuple(URLS)
PACKAGES = (
    "alembic sqlalchemy flask flask-sqlalchemy flask-migrate flask-alembic cookiecutter"
)


@dataclass(frozen=True)
class Cell:
    """What is measured: some commands in turn, on an app of some size."""

    steps: tuple  # those of Subject.commands
    revisions: int
    tables: int
    rounds: int
    databases: tuple = EVERYWHERE

    @property
    def size(self):
        if {"check", "autogenerate"} & set(self.steps):
            return f"{self.tables:,} tables"
        return f"{self.revisions:,} revision{'s' if self.revisions > 1 else ''}"


CELLS = [
    # commands, revisions, tables, rounds
    Cell(("history",), 100, 20, 7, ("sqlite",)),  # these two never connect
    Cell(("history",), 1000, 200, 5, ("sqlite",)),
    Cell(("heads",), 100, 20, 7, ("sqlite",)),
    Cell(("heads",), 1000, 200, 5, ("sqlite",)),
    Cell(("current",), 100, 20, 7),
    Cell(("nothing to do",), 100, 20, 7),
    Cell(("nothing to do",), 1000, 200, 5, ("sqlite",)),
    Cell(("upgrade", "downgrade"), 1, 1, 7),
    Cell(("upgrade", "downgrade"), 100, 20, 5),
    Cell(("upgrade", "downgrade"), 1000, 200, 5),
    Cell(("check",), 1, 10, 7),
    Cell(("check",), 1, 100, 5),
    Cell(("check",), 1, 1000, 3),
    Cell(("autogenerate",), 1, 10, 7),
    Cell(("autogenerate",), 1, 100, 5),
    Cell(("autogenerate",), 1, 1000, 3),
]
QUICK = Cell(("upgrade", "downgrade"), 2, 2, 1, ("sqlite",))


class Wrong(Exception):
    """A command that said it has succeeded, and has not."""


class Bench:
    """One cell on one database: a folder with the app for each subject."""

    def __init__(self, cell, kind, subjects, folder):
        self.cell = cell
        self.database = Database(kind, folder)
        self.subjects = subjects
        self.folder = folder / f"{kind} {cell.tables} {cell.revisions}"

    def rounds(self, count):
        """Yield what each round has measured: seconds by the step and the subject."""
        self.database.renew()
        try:
            arguments = self.database.url, self.cell.tables, self.cell.revisions
            subjects = [each(self.folder, *arguments) for each in self.subjects]
            if "upgrade" not in self.cell.steps:
                subjects[-1].run("upgrade")  # all work on the same tables
            for number in range(count):
                first = number % len(subjects)  # nobody is always the first one
                found = {}
                for subject in subjects[first:] + subjects[:first]:
                    if "upgrade" in self.cell.steps:
                        self.database.renew()
                    for step in self.cell.steps:
                        found[step, subject.name] = self.seconds(subject, step)
                yield found
        finally:
            self.database.drop()
            shutil.rmtree(self.folder)

    def seconds(self, subject, step):
        """How long a command takes.

        :raises Wrong: if it has not done what it should.
        """
        before = set(subject.versions.glob("*.py"))
        start = time.perf_counter()
        output = subject.run(step)
        seconds = time.perf_counter() - start
        new = set(subject.versions.glob("*.py")) - before
        if not self.is_right(step, output, [file.read_text() for file in new]):
            raise Wrong(f"{subject.name}, {step}, {self.cell.size}: {output[-2000:]}")
        for file in new:
            file.unlink()
        return seconds

    def is_right(self, step, output, new):
        """Whether a command has told or left what it should."""
        count, tables = self.cell.revisions, self.cell.tables
        everything = (revision_id(count), tables, tables * len(STEPS))
        if step == "autogenerate":
            return len(new) == 1 and re.search(rf"add_column.*{NEW_COLUMN}", new[0])
        if new:
            return False
        if step == "history":
            ids = (revision_id(number) for number in range(1, count + 1))
            return all(name in output for name in ids)
        if step in ("heads", "current"):
            return revision_id(count) in output
        if step == "check":
            return re.search("No (new upgrade operations|changes) detected", output)
        left = (None, 0, 0) if step == "downgrade" else everything
        return self.database.state() == left


def bakes(folder, count):
    """Yield seconds for a bake of our template, and of the smallest one."""
    smallest = folder / "smallest"
    write_smallest_template(smallest)
    templates = {SMALLEST: (smallest, 1), Ours.name: (ROOT, 11)}
    for number in range(count + 1):
        found = {}
        for name, (template, files) in list(templates.items())[:: (-1) ** number]:
            target = folder / "bake"
            target.mkdir()
            start = time.perf_counter()
            bake(target, template, "project=new")
            found["bake", name] = time.perf_counter() - start
            if len([path for path in target.rglob("*") if path.is_file()]) < files:
                raise Wrong(f"{name}: a bake wrote too little")
            shutil.rmtree(target)
        if number:  # in the first one Python compiles
            yield found


def summary(rounds, base):
    """Medians, and medians of the ratios within each round, by step and subject."""
    rows = {}
    for step, name in rounds[0]:
        seconds = [found[step, name] for found in rounds]
        ratios = [found[step, name] / found[step, base] for found in rounds]
        rows.setdefault(step, {})[name] = {
            "median": round(statistics.median(seconds), 3),
            "ratio": round(statistics.median(ratios), 3),
            "seconds": [round(each, 3) for each in seconds],
        }
    return rows


def chosen(options):
    """The cells to run, each with a database, and how many rounds."""
    if options.quick:
        return [(QUICK, "sqlite", 1)]
    return [
        (cell, kind, options.rounds or cell.rounds)
        for kind in options.database or EVERYWHERE
        for cell in CELLS
        if kind in cell.databases
        and (not options.cell or set(options.cell) & set(cell.steps))
        and (not options.size or {cell.revisions, cell.tables} & set(options.size))
    ]


def measure(options, progress):
    """Yield a dict for each row of the table."""
    subjects = (FlaskMigrate, Ours) if options.quick else SUBJECTS
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name).resolve()
        cells = chosen(options)
        task = progress.add_task("", total=sum(count for *_, count in cells))
        for cell, kind, count in cells:
            bench = Bench(cell, kind, subjects, folder)
            rounds = []
            text = f"{kind}: {', '.join(cell.steps)}, {cell.size}"
            progress.update(task, description=text)
            for found in bench.rounds(count):
                rounds.append(found)
                progress.advance(task)
            for step, results in summary(rounds, FlaskMigrate.name).items():
                yield {
                    "database": bench.database.versions(),
                    "command": step,
                    "size": cell.size,
                    "rounds": count,
                    "results": results,
                }
        if not options.quick and (not options.cell or "bake" in options.cell):
            progress.update(task, description="bake")
            count = options.rounds or 15
            results = summary(list(bakes(folder, count)), SMALLEST)["bake"]
            row = {"database": "", "command": "bake", "size": "a new project"}
            yield {**row, "rounds": count, "results": results}


def machine():
    """What the figures were had with."""
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        **{name: version(name) for name in PACKAGES.split() if is_installed(name)},
    }


def is_installed(name):
    try:
        return bool(version(name))
    except ModuleNotFoundError:
        return False


def print_table(rows, console):
    names = [subject.name for subject in SUBJECTS]
    table = Table("", "", *names, title="seconds, and ratios to Flask-Migrate")
    for row in rows:
        if row["command"] == "bake":
            continue
        texts = [
            f"{row['results'][name]['median']:.2f}  {row['results'][name]['ratio']:.2f}"
            if name in row["results"]
            else "-"
            for name in names
        ]
        table.add_row(row["database"], f"{row['command']}, {row['size']}", *texts)
    if table.row_count:
        console.print(table)
    for row in rows:
        if row["command"] == "bake":
            least, ours = (row["results"][name] for name in (SMALLEST, Ours.name))
            console.print(
                f"A bake: {ours['median']:.2f} s, {ours['ratio']:.2f} of the smallest"
                f" template's {least['median']:.2f} s"
            )


def cell_of(row):
    return row["database"], row["command"], row["size"]


def keep(row, file):
    """Add a row to the record, in the place of one for the same cell."""
    record = json.loads(file.read_text()) if file.exists() else []
    cells = [cell_of(old) for old in record]
    place = cells.index(cell_of(row)) if cell_of(row) in cells else len(record)
    record[place : place + 1] = [{**row, "with": machine()}]
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = sorted({step for cell in CELLS for step in cell.steps} | {"bake"})
    add = parser.add_argument
    add("--database", action="append", choices=EVERYWHERE, help="may be repeated")
    add("--cell", action="append", choices=steps, help="may be repeated")
    add("--size", action="append", type=int, help="so many revisions or tables")
    add("--rounds", type=int, help="instead of each cell's own number")
    add("--quick", action="store_true", help="one cell, two subjects, once")
    add("--json", type=Path, help="keep the results in this file, beside older ones")
    return parser.parse_args()


def main():
    options = arguments()
    console = Console(width=max(130, Console().width))
    columns = (
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    rows = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for row in measure(options, progress):
            rows.append(row)
            if options.json:
                keep(row, options.json)
    print_table(rows, console)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, Wrong) as error:
        sys.exit(f"ERROR: {error}")
