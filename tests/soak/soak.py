"""Repeats faults against migrations of real databases, and counts what is lost.

    python tests/soak/soak.py --minutes 5

README.md, beside this file, says what is needed and what the columns mean.
"""

import argparse
import importlib.util
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from databases import URLS, Database, steps
from subjects import REVISIONS, environment, make_subject, write_revisions

PAUSE = 0.08  # seconds; a revision pauses twice, so that processes overlap
LIMIT = 120  # seconds for one process, which is ended after them and has failed
RESTARTS = 5
HEAD = (REVISIONS[-1],)
WORK = 2 * PAUSE * len(REVISIONS)  # seconds

# Processes


class Migration:
    """A process that upgrades a database."""

    running = set()

    def __init__(self, upgrade, folder, url, **more):
        file, name = tempfile.mkstemp(dir=folder, prefix="output-", suffix=".txt")
        self.file = Path(name)
        with open(file, "wb") as output:
            self.process = subprocess.Popen(
                upgrade,
                cwd=folder,
                env=environment(SOAK_URL=url, SOAK_PAUSE=str(PAUSE), **more),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl+C is for us
            )
        self.killed = self.is_late = False
        self.end = time.monotonic() + LIMIT
        self.running.add(self)

    def output(self):
        return self.file.read_text(encoding="utf-8", errors="replace")

    def has_begun(self):
        """Whether it is at work on the database, or has ended."""
        return self.process.poll() is not None or "Context impl" in self.output()

    def kill(self):
        self.killed = True
        self.process.kill()

    def wait(self):
        try:
            self.process.wait(max(0.1, self.end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.is_late = True
            self.process.kill()
            self.process.wait()
        self.killed = self.killed and self.process.returncode != 0  # not too late
        self.running.discard(self)
        return self

    @property
    def failed(self):
        return self.process.returncode != 0 and not self.killed


class Round:
    """One fault, once."""

    def __init__(self, subject, database, processes, chance):
        self.upgrade, self.folder = subject
        self.database = database
        self.processes = processes
        self.chance = chance
        self.migrations = []
        self.half = False

    def start(self, **more):
        migration = Migration(self.upgrade, self.folder, self.database.url, **more)
        self.migrations.append(migration)
        return migration

    def start_together(self, number):
        """Start some processes, and let them go on when all have imported the app."""
        gate = Path(tempfile.mkdtemp(dir=self.folder, prefix="gate-"))
        started = [self.start(SOAK_GATE=str(gate)) for _ in range(number)]
        end = time.monotonic() + LIMIT / 2
        while len([*gate.iterdir()]) < number and time.monotonic() < end:
            if any(m.process.poll() is not None for m in started):
                break
            time.sleep(0.02)
        (gate / "go").touch()
        return started

    def random_moment(self, migrations):
        """Wait until one of them is at work, and some time more."""
        end = time.monotonic() + LIMIT
        while not any(m.has_begun() for m in migrations) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(self.chance.uniform(0, WORK))

    def look(self, clean):
        """See whether the database is half applied."""
        self.database.settle()
        state = self.database.state()
        expected = clean.get(state.version)
        if (
            expected is None
            or state.schema != expected.schema
            or steps(state.rows).keys() != steps(expected.rows).keys()
        ):
            self.half = True
        return state


# The faults


def together(round, clean):
    """Several processes start at once."""
    for migration in round.start_together(round.processes):
        migration.wait()


def kill(round, clean):
    """A process is killed."""
    migration = round.start()
    round.random_moment([migration])
    migration.kill()
    migration.wait()


def kill_together(round, clean):
    """Several processes start, some are killed; who has not succeeded starts again."""
    number = max(3, round.processes // 3)
    for restart in range(RESTARTS + 1):
        migrations = round.start_together(number)
        if restart < RESTARTS // 2:
            for _ in range(max(1, number // 2)):
                round.random_moment(migrations)
                alive = [m for m in migrations if m.process.poll() is None]
                if alive:
                    round.chance.choice(alive).kill()
        number = sum(m.wait().process.returncode != 0 for m in migrations)
        round.look(clean)
        if not number:
            return


def half_way(round, clean):
    """A revision raises in its middle, and is mended."""
    round.start(SOAK_RAISE=round.chance.choice(REVISIONS)).wait()


def cut(round, clean):
    """The server ends the process's sessions, or one of them."""
    migration = round.start()
    round.random_moment([migration])
    sessions = round.database.sessions()
    if sessions and round.chance.random() < 0.5:
        sessions = [round.chance.choice(sessions)]
    round.database.cut(sessions)
    migration.wait()


def cascade(round, clean):
    """Nothing happens, but that a table is altered to which others refer."""
    round.start().wait()


FAULTS = {  # and the revision that the database has at first
    "together-fresh": (together, None),
    "together-pending": (together, REVISIONS[0]),
    "kill": (kill, None),
    "kill-together": (kill_together, None),
    "raise": (half_way, None),
    "cut": (cut, None),
    "cascade": (cascade, REVISIONS[2]),
}


def run_round(kind, subject, fault, options, chance, clean, folder):
    """Do it once, then upgrade once more and compare.

    :returns: the numbers for the table, and the promises that were broken.
    """
    act, start = FAULTS[fault]
    with Database(kind, folder) as database:
        if start:
            assert [*database.migrate(folder / "clean", start)][-1].version == (start,)
        round = Round(subject, database, options.processes, chance)
        try:
            act(round, clean)
            state = round.look(clean)
            last = round.start().wait()
            database.settle()
            after = database.state()
        finally:
            end_all()
    expected = clean.get(after.version, clean[HEAD])
    lost = expected.rows - after.rows
    twice = {row[1]: n - 1 for row, n in steps(after.rows).items() if n > 1}
    stuck = last.failed or after.version != HEAD or after.schema != expected.schema
    before = round.migrations[:-1]
    result = Counter(
        rounds=1,
        processes=len(round.migrations),
        kills=sum(m.killed for m in before),
        failed=sum(m.failed for m in before),
        half=int(round.half),
        stuck=int(stuck),
        lost=sum(lost.values()),
        twice=sum(twice.values()),
    )

    broken = []
    if kind == "mysql" and act in (kill, kill_together, half_way, cut) and round.half:
        # A part is committed; the next run has to say of which revision.
        done = REVISIONS.index(state.version[0]) + 1 if state.version else 0
        following = [*REVISIONS, "none"][done]
        if stuck and not (last.failed and names(last.output(), following)):
            broken.append(f"the next run is stuck and does not name {following}")
        twice.pop(done + 1, None)  # it may repeat that one's data before it stops
    else:
        broken += ["half applied"] * round.half + ["the next run stuck"] * stuck
    if twice:
        broken.append(f"applied twice: {', '.join(map(str, twice))}")
    if lost:
        broken.append(f"lost: {', '.join(map(str, lost))}")
    if act is together and result["failed"]:
        broken.append(f"{result['failed']} processes failed")
    if any(m.is_late for m in round.migrations):
        broken.append(f"a process did not end in {LIMIT} s")
    if broken:
        failed = [m.output() for m in round.migrations if m.failed]
        broken += [text[-3000:] for text in failed[:1] + failed[-1:]]
    for migration in round.migrations:
        migration.file.unlink()
    return result, broken


def names(output, revision):
    """Whether the output names the revision, besides Alembic's log and tracebacks."""
    return any(
        revision in line
        for line in output.splitlines()
        if "Running upgrade" not in line and 'File "' not in line
    )


def end_all():
    for migration in [*Migration.running]:
        migration.kill()
        migration.wait()


# The whole

SUBJECTS = ["ours", "flask-migrate", "generic"]

COLUMNS = {
    "rounds": "rounds",
    "processes": "processes started",
    "kills": "kills",
    "failed": "processes failed",
    "half": "half applied",
    "stuck": "next run stuck",
    "lost": "rows lost",
    "twice": "steps twice",
}


def table(results):
    """The results as a table in Markdown."""
    titles = ["database", "subject", "fault", *COLUMNS.values()]
    rows = [
        [*cell, *(str(result[column]) for column in COLUMNS)]
        for cell, result in results.items()
        if result["rounds"]
    ]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    rows[:0] = [titles, ["-" * width for width in widths]]
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows)


def say(text):
    print(text.encode("ascii", "replace").decode(), file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    several = {"action": "append", "help": "only this; can be given more than once"}
    parser.add_argument("--minutes", type=float, default=5, help="for the whole (5)")
    parser.add_argument("--rounds", type=int, help="at most, of each fault")
    parser.add_argument("--database", choices=URLS, **several)
    parser.add_argument("--subject", choices=SUBJECTS, **several)
    parser.add_argument("--fault", choices=FAULTS, **several)
    parser.add_argument("--processes", type=int, default=16, help="at once (16)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    return parser.parse_args()


def main():
    options = parse_arguments()
    end = time.monotonic() + options.minutes * 60
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up then, too
    chance = random.Random(options.seed)
    say(f"Seed {options.seed}")
    results, all_broken, status = {}, [], 0
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        try:
            soak(options, end, chance, Path(name), results, all_broken)
        except KeyboardInterrupt:
            say("Stopped")
            status = 130
        finally:
            end_all()
    print(table(results))
    for where, broken in all_broken:
        say(f"\nBROKEN: {where}: " + "\n".join(broken))
    return 1 if all_broken else status


def soak(options, end, chance, folder, results, all_broken):
    """Do rounds until the time is over, and fill `results` and `all_broken`."""
    write_revisions(folder / "clean" / "versions")
    subjects = {}
    for name in options.subject or SUBJECTS:
        if name == "flask-migrate" and not importlib.util.find_spec("flask_migrate"):
            say("Skipped: flask-migrate is not installed")
            continue
        subjects[name] = make_subject(name, folder / name), folder / name
    clean = {}
    for kind in options.database or URLS:
        try:
            with Database(kind, folder) as database:
                states = [database.state(), *database.migrate(folder / "clean")]
                say(f"{kind}: {database.version()}")
        except sa.exc.OperationalError as error:
            reason = str(error.orig).splitlines()[0]
            say(f"Skipped: {kind} does not answer ({reason})")
        else:
            clean[kind] = {state.version: state for state in states}

    used = {
        (kind, subject, fault): 0
        for fault in options.fault or FAULTS
        for kind in clean
        for subject in subjects
        if kind != "sqlite" or fault != "cut"  # it has no server
    }
    results.update({cell: Counter() for cell in sorted(used)})
    longest = Counter()
    while used:
        cell = min(used, key=used.get)  # so that all get the same time
        kind, subject, fault = cell
        begin = time.monotonic()
        if begin + longest[fault] > end:
            del used[cell]
            continue
        result, broken = run_round(
            kind, subjects[subject], fault, options, chance, clean[kind], folder
        )
        results[cell] += result
        took = time.monotonic() - begin
        used[cell] += took
        longest[fault] = max(longest[fault], took)
        if results[cell]["rounds"] == options.rounds:
            del used[cell]
        counts = ", ".join(f"{n} {name}" for name, n in result.items() if n)
        say(f"{max(0, end - begin):4.0f} s left: {', '.join(cell)}: {counts}")
        if broken and subject == "ours":
            all_broken.append((", ".join(cell), broken))


if __name__ == "__main__":
    sys.exit(main())
