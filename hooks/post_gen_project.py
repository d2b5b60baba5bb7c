"""Says what was written, and what comes next. Runs in the project's folder."""

import os
import sys
from itertools import count

answers = {{cookiecutter | literal}}
files = {{cookiecutter | environment_files | literal}}
summary = {{cookiecutter | summary | literal}}


def is_same(file, other):
    with open(file, "rb") as first, open(other, "rb") as second:
        return first.read() == second.read()


def keep(copy):
    """Give the copy of a replaced file a name that is free, and return it."""
    for number in count(1):
        kept = copy[:-1] + (f".{number}" if number > 1 else "")
        if not os.path.exists(kept):
            os.rename(copy, kept)
            return kept
        if is_same(copy, kept):
            os.remove(copy)  # the very same file was kept before
            return kept


def ignored():
    """The files that Git would leave out of a commit."""
    import subprocess  # slow to import, and a new project does not need it

    command = ["git", "check-ignore", "--", *files]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return []  # no Git
    found = done.stdout.splitlines()
    folder = f"{answers['directory']}/"
    inside = {file for file in files if file.startswith(folder)}
    if inside <= set(found):
        found = [file for file in found if file not in inside] + [folder]
    return found


if not summary:
    sys.exit()  # cruft updates the project, and this is a copy to compare

written = []
for file in files:
    copy = f"{file}.before~"
    if os.path.exists(copy) and is_same(file, copy):
        os.remove(copy)  # made by pre_gen_project.py, and not needed
    elif os.path.exists(copy):
        written.append(f"  yours is kept as {keep(copy)}")

# Older versions of Alembic do not make this folder themselves.
os.makedirs(os.path.join(answers["directory"], "versions"), exist_ok=True)

if not answers["__starter"]:
    written += [f"  Git ignores {file}: let .gitignore except it" for file in ignored()]
print(f"\nWritten to {answers['project']}: alembic.ini, {answers['directory']}/")
print("\n".join([*written, *summary["lines"]]))
