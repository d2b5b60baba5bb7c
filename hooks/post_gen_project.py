"""Says what was written, and what comes next. Runs in the project's folder."""

import filecmp
import os
import sys
from itertools import count

answers = {{cookiecutter | literal}}
files = {{cookiecutter | environment_files | literal}}
summary = {{cookiecutter | summary | literal}}


def keep(copy):
    """Give the copy of a replaced file a name that is free, and return it."""
    for number in count(1):
        kept = copy[:-1] + (f".{number}" if number > 1 else "")
        if not os.path.exists(kept):
            os.rename(copy, kept)
            return kept
        if filecmp.cmp(copy, kept, shallow=False):
            os.remove(copy)  # the very same file was kept before
            return kept


if not summary:
    sys.exit()  # cruft updates the project, and this is a copy to compare

print(f"\nWritten to {answers['project']}:")
helpers = f"{answers['directory']}/flask_alembic_env/"
for file in files:
    copy = f"{file}.before~"
    kept = ""
    if os.path.exists(copy) and filecmp.cmp(file, copy, shallow=False):
        os.remove(copy)  # made by pre_gen_project.py, and not needed
        kept = "  (as it was)"
    elif os.path.exists(copy):
        kept = f"  (yours is kept as {keep(copy)})"
    if "yours" in kept or not file.startswith(helpers):
        print(f"  {file}{kept}")
print(f"  {helpers}  (helpers: an update of the template replaces them)")

# Older versions of Alembic do not make this folder themselves.
os.makedirs(os.path.join(answers["directory"], "versions"), exist_ok=True)

print("For")
for line in summary["answers"]:
    print(f"  {line}")
if summary["settings"]:
    print("What the environment that was there had set:")
    for line in summary["settings"]:
        print(f"  {line}")

server = """
  cp .env.example .env
  docker compose up --detach --wait db    # or put the URL of your own server into .env"""
if answers["database"] == "sqlite":
    server = ""

if answers["__starter"]:
    print(f"""
A small app was written with it. To run it:
  cd {answers["project"]}
  python -m venv .venv && . .venv/bin/activate
  pip install --upgrade pip && pip install --editable . --group dev{server}
  alembic revision --autogenerate -m "create users"
  alembic upgrade head
  flask run""")
else:
    print(f"""
If one of these is wrong, correct the import lines in env.py. Next:
  pip install alembic
  alembic current                                    what the database has
  alembic revision --autogenerate -m "what changed"  write a revision
  alembic upgrade head                               run it
If you measure coverage, leave the helpers out, under [tool.coverage.run]:
  omit = ["*/{helpers}*"]""")
