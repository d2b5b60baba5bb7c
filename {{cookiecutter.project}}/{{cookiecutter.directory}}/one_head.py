"""Keeps the revisions in one line. Needs no database, no application and no Alembic.

    python migrations/one_head.py                  tell what is wrong, with exit status 1
    python migrations/one_head.py rebase           put the younger branch after the other
    python migrations/one_head.py rebase REVISION  put the branch of REVISION after the other

Two heads are meant if their labels differ, or if one depends on the other (depends_on).
Any number is meant with `several_heads = true` in the section [alembic] of alembic.ini.
"""

import argparse
import ast
import io
import os
import re
import subprocess
import sys
import tokenize
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass, replace
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from importlib.util import cache_from_source
from itertools import combinations
from pathlib import Path

HERE = Path(__file__).absolute().parent
HEAD_FILE = HERE / "head.txt"


class Refused(Exception):
    """What is wrong with the history, or can't be done, in lines for the user."""


@dataclass(frozen=True)
class Revision:
    """What a file in versions/ says of itself. It is read, and not run."""

    path: Path
    doc: str
    id: str
    parents: tuple  # the ids in down_revision
    labels: tuple
    depends_on: tuple  # ids, beginnings of ids, or labels

    def __str__(self):
        return f"{self.id} ({shown(self.path)})"

    @property
    def created(self):
        """Its Create Date, or None."""
        found = re.search(r"^Create Date: *(.+?) *$", self.doc, re.MULTILINE)
        try:
            return datetime.fromisoformat(found[1]) if found else None
        except ValueError:
            return None


class History:
    """All revisions. Most methods take and return their ids."""

    def __init__(self, revisions):
        self.revisions = {revision.id: revision for revision in revisions}

    def __getitem__(self, id):
        return self.revisions[id]

    def line(self, head):
        """A revision and all that come before it."""
        found, left = set(), [head]
        while left:
            id = left.pop()
            if id not in found:
                found.add(id)
                left += self[id].parents
        return found

    def branch(self, head, other):
        """What comes before a head, and not before the other one."""
        return self.line(head) - self.line(other)

    def heads(self, ids=None):
        """Those of the ids, or of all, that none of them comes after."""
        ids = set(self.revisions if ids is None else ids)
        return sorted(ids - {parent for id in ids for parent in self[id].parents})

    def find(self, name):
        """What an id, the beginning of one or a label stands for, or None."""
        if name in self.revisions:
            return name
        labelled = [id for id in self.revisions if name in self[id].labels]
        found = labelled or [id for id in self.revisions if id.startswith(name)]
        return found[0] if len(found) == 1 else None

    def labels(self, head):
        return {label for id in self.line(head) for label in self[id].labels}

    def needed(self, ids):
        return {self.find(name) for id in ids for name in self[id].depends_on}

    def forks(self):
        """The pairs of heads that nobody meant."""
        for one, other in combinations(self.heads(), 2):
            mine, others = self.branch(one, other), self.branch(other, one)
            tied = self.needed(mine) & others or self.needed(others) & mine
            if not tied and self.labels(one) == self.labels(other):
                yield one, other

    def faults(self):
        """What Alembic could not work with, in lines for the user."""
        for revision in self.revisions.values():
            for name in revision.parents:
                if name not in self.revisions:
                    yield f"{revision} comes after {name}, and no file has that id."
            for name in revision.depends_on:
                if self.find(name) is None:
                    yield f"{revision} depends on {name}, and no file has that id."
        graph = {id: {*self[id].parents, *self.needed([id])} for id in self.revisions}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            yield f"These come after each other in a circle: {', '.join(error.args[1])}."


def shown(path):
    """A path as one would type it in the current folder."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def command(*arguments):
    return f"`{' '.join(['python', shown(Path(__file__).absolute()), *arguments])}`"


# Reading


def read_ini(path):
    """The folders of revisions, whether those in them count, and whether heads may be many.

    :raises Refused: where a folder is given as one of a package.
    """
    ini = ConfigParser({"here": path.parent.as_posix()})
    ini.add_section("alembic")
    if path.is_file():
        ini.read_string(path.read_text(encoding="utf-8-sig", errors="replace"))
    elif path.parent != HERE:
        raise Refused(f"{shown(path)} is no file.")
    options = ini["alembic"]
    folders = [HERE / "versions"]
    if locations := options.get("version_locations"):
        name = options.get("path_separator") or options.get("version_path_separator")
        named = {"os": re.escape(os.pathsep), "space": " ", "newline": "\n"}
        pattern = named.get(name, name) if name else ", *| +"  # as Alembic does
        names = [part.strip() for part in re.split(pattern, locations) if part.strip()]
        folders = [path.parent / name for name in names]
        if lost := [name for name in names if ":" in name[2:]]:
            raise Refused(
                f"version_locations in {shown(path)} has {lost[0]}: write the path of the"
                " folder, as packages are not looked for."
            )
    recursive, several = (
        options.get(name, "").lower() in ("true", "yes", "on", "1")
        for name in ("recursive_version_locations", "several_heads")
    )
    return folders, recursive, several


def read_history(folders, recursive):
    """All revisions in the folders.

    :raises Refused: where there is something that Alembic could not work with.
    """
    revisions, faults = {}, []
    for folder in folders:
        for path in sorted(folder.rglob("*.py") if recursive else folder.glob("*.py")):
            if path.name.startswith((".#", "__init__")):
                continue
            try:
                revision = read_revision(path, decoded(path)[0])
            except (SyntaxError, TypeError, ValueError) as error:
                faults.append(f"{shown(path)} can't be read: {error}.")
                continue
            first = revisions.setdefault(revision.id, revision)
            if first.path.resolve() != path.resolve():
                faults.append(
                    f"{shown(first.path)} and {shown(path)} both are revision"
                    f" {revision.id}: give one of them another id."
                )
    history = History(revisions.values())
    if faults := faults or list(history.faults()):
        raise Refused("\n".join(faults))
    return history


def decoded(path):
    """The text of a Python file, with its line ends as they are, and its encoding."""
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding), encoding


def assigned(tree):
    """The nodes of what is assigned to names at the top of a module."""
    nodes = {}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = getattr(node, "targets", None) or [node.target]
            nodes.update({getattr(name, "id", ""): node.value for name in targets})
    return nodes


def read_revision(path, text):
    """The revision in the text of a file.

    :raises ValueError: where there is none, or one that only running it would tell.
    """
    tree = ast.parse(text)
    nodes, values = assigned(tree), []
    for name in ("revision", "down_revision", "branch_labels", "depends_on"):
        value = ast.literal_eval(nodes[name]) if nodes.get(name) else None
        values.append(tuple(value or ()) if not isinstance(value, str) else (value,))
    if len(values[0]) != 1 or "down_revision" not in nodes:
        raise ValueError("it needs a `revision` and a `down_revision`")
    return Revision(path, ast.get_docstring(tree) or "", *values[0], *values[1:])


# Checking


def check(history, several):
    """Tell the head.

    :raises Refused: where there are several that nobody meant, or head.txt is wrong.
    """
    faults, told = [], set()
    for one, other in () if several else history.forks():
        if other in told:
            continue
        told.add(other)
        shared = history.heads(history.line(one) & history.line(other))
        faults.append(
            f"Two heads, {history[one]} and {history[other]}, come after"
            f" {' and '.join(shared) or 'nothing'}."
            f" Run {command('rebase')}, or `alembic merge heads` to join them."
        )
    heads = history.heads()
    names = " or ".join(str(history[id]) for id in heads) or "nothing"
    if HEAD_FILE.exists() and not faults:
        lines = HEAD_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
        if [line.partition(" ")[0] in heads for line in lines] != [True]:
            faults.append(
                f"{shown(HEAD_FILE)} should name {names}. Run {command('rebase')}."
            )
    if faults:
        raise Refused("\n".join(faults))
    print(f"The head is {names}." if heads else "There is no revision yet.")


# Rebasing


def rebase(history, several, named):
    """Put branches one after another until one head is left, and write head.txt.

    :raises Refused: with nothing written.
    """
    before, parents = history, {}
    while fork := None if several and not named else next(history.forks(), None):
        first, onto = choose(history, fork, named)
        parents[first] = onto
        moved = replace(history[first], parents=(onto,))
        history = History([*history.revisions.values(), moved])
        named = None
    if faults := list(history.faults()):
        raise Refused("\n".join(faults))
    files = {before[id].path: edited(before[id], parents[id]) for id in parents}

    for path, data in files.items():
        path.write_bytes(data)
        # Python goes by the size and the second: a compiled file could seem to be right.
        Path(cache_from_source(str(path))).unlink(missing_ok=True)
    for id, onto in parents.items():
        print(f"{history[id]}\n  now comes after {history[onto]}.")
    write_head(history)
    tell_databases(before, history, parents)


def choose(history, fork, named):
    """The first revision of the branch to move, and the head that it is to come after.

    :raises Refused: where it can't be told, or not be moved.
    """
    if named:
        forks = list(history.forks())
        for one, other in [*forks, *(pair[::-1] for pair in forks)]:
            if history.find(named) in history.branch(one, other):
                return first_of(history, one, other), other
        raise Refused(f"{named} is on no branch that could come after another.")
    one, other = fork
    if not is_younger(history, one, other):
        one, other = other, one
    return first_of(history, one, other), other


def first_of(history, head, other):
    """The first revision of a branch.

    :raises Refused: where the branch is no line.
    """
    branch = history.branch(head, other)
    for id in branch:
        if len(history[id].parents) > 1:
            raise Refused(
                f"{history[id]} joins branches, so {head} can't be put after {other}."
                f" Run {command('rebase', other)}, or `alembic merge heads`."
            )
    return next(id for id in branch if not branch.intersection(history[id].parents))


def is_younger(history, one, other):
    """Whether the branch of one head is to move, and not that of the other.

    What the main branch of the remote has may have been run, so it stays. Else the one
    moves that was begun last.

    :raises Refused: where that can't be told.
    """
    branches = [history.branch(one, other), history.branch(other, one)]
    mine, others = (is_published(history, branch) for branch in branches)
    if mine != others:
        return others
    mine, others = ([history[id].created for id in branch] for branch in branches)
    try:
        if min(mine) != min(others):
            return min(mine) > min(others)
    except TypeError:  # a date is missing, or one has a time zone and the other has not
        pass
    raise Refused(
        f"Can't tell by their Create Date which of {history[one]} and {history[other]} is"
        f" younger. Run {command('rebase', 'REVISION')} with the one to move."
    )


def is_published(history, branch):
    """Whether Git knows that a revision is in the main branch of the remote."""
    paths = [str(history[id].path) for id in branch]
    git = ["git", "ls-tree", "--name-only", "origin/HEAD", "--", *paths]
    try:
        done = subprocess.run(git, check=False, cwd=HERE, capture_output=True)
    except OSError:
        return False
    return done.stdout != b""


def edited(revision, parent):
    """The content of the file with another parent, and all else as it was.

    :raises Refused: where the parent is written in a way that is not known.
    """
    text, encoding = decoded(revision.path)
    tree = ast.parse(text)
    nodes = assigned(tree)
    node, old = nodes["down_revision"], "".join(revision.parents)
    start, end = place(text, node)
    if not isinstance(getattr(node, "value", None), str):  # None, or a tuple
        node, old = nodes["revision"], revision.id
    quoted = text[slice(*place(text, node))]
    text = text[:start] + quoted.replace(old, parent) + text[end:]
    if revision.doc:
        start, end = place(text, tree.body[0])
        doc = re.sub(
            r"^(\s*Revises:)[^\r\n]*",
            lambda found: f"{found[1]} {parent}",
            text[start:end],
            flags=re.MULTILINE,
        )
        text = text[:start] + doc + text[end:]
    if read_revision(revision.path, text).parents != (parent,):
        raise Refused(f"{revision}: set down_revision to {parent} by hand.")
    return text.encode(encoding)


def place(text, node):
    """Where the source of a node begins and ends in the text."""
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)

    def index(line, column):  # which is counted in bytes
        before = lines[line - 1].encode()[:column].decode()
        return sum(map(len, lines[: line - 1])) + len(before)

    first = index(node.lineno, node.col_offset)
    return first, index(node.end_lineno, node.end_col_offset)


def write_head(history):
    """Name the head in head.txt, as script.py.mako does; of several, the youngest."""
    heads = [history[id] for id in history.heads()]
    if not heads:
        HEAD_FILE.unlink(missing_ok=True)
        print("There is no revision.")
        return
    head = max(heads, key=lambda head: head.created.timestamp() if head.created else 0)
    line = f"{head.id} {head.doc}".splitlines()[0].strip()
    HEAD_FILE.write_text(f"{line}\n", encoding="utf-8", newline="\n")
    print(f"{shown(HEAD_FILE)} names {head}.")


def tell_databases(before, after, parents):
    """Print what a database needs that has run a revision which was moved.

    Alembic takes all that comes before its revision for done.
    """
    moves = sorted(parents.items(), key=lambda move: len(after.line(move[1])))
    needs = {}
    for id in sorted(after.revisions, key=lambda id: len(after.line(id))):
        done, steps = before.line(id), []
        for first, onto in moves:
            line = after.line(onto)
            if first in done:
                shared = after.heads(line & done)
                allowed = "" if shared else " -x allow-tables"
                steps.append(f"alembic stamp {' '.join(shared) or 'base'}")
                steps.append(f"alembic{allowed} upgrade {onto}")
                done |= line
        if steps:
            needs.setdefault(tuple(steps), []).append(id)
    for steps, ids in needs.items():
        print(
            f"\nA database where `alembic current` shows {' or '.join(ids)} has not run what"
            " now comes before it. Run there:"
        )
        for step in (
            *steps,
            f"alembic stamp {ids[0] if len(ids) == 1 else 'REVISION'}",
        ):
            print(f"  {step}")
        if len(ids) > 1:
            print("where REVISION is what `alembic current` showed at first.")
        if len(steps) == 2:
            onto = steps[1].split()[-1]
            print(f"Where it shows {onto} too, run only the last line, with --purge.")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "command", nargs="?", choices=["check", "rebase"], default="check"
    )
    parser.add_argument("revision", nargs="?")
    # An alembic.ini beside this file would be what Flask-Migrate has left.
    found = [path / "alembic.ini" for path in HERE.parents]
    found = next(filter(Path.is_file, found), HERE / "alembic.ini")
    parser.add_argument(
        "-c", dest="ini", default=os.environ.get("ALEMBIC_CONFIG", found)
    )
    given = parser.parse_args()
    sys.stdout.reconfigure(
        errors="backslashreplace"
    )  # a file's name may have any letters
    try:
        *places, several = read_ini(Path(given.ini).absolute())
        history = read_history(*places)
        if given.command == "rebase":
            rebase(history, several, given.revision)
        else:
            check(history, several)
    except (Refused, IniError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
