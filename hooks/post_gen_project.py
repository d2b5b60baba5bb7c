"""Says what was written, and what comes next. Runs in the project's folder."""

import filecmp
import json
from itertools import count
from pathlib import Path

answers = json.loads({{cookiecutter | tojson | tojson}})
files = [
    Path(name)
    for name in json.loads({{cookiecutter | environment_files | tojson | tojson}})
]
summary = json.loads({{cookiecutter | summary | tojson | tojson}})


def keep(copy):
    """Give the copy of a replaced file a name that is free, and return it."""
    for number in count(1):
        kept = copy.with_name(copy.name[:-1] + (f".{number}" if number > 1 else ""))
        if not kept.exists():
            copy.rename(kept)
            return kept
        if filecmp.cmp(copy, kept, shallow=False):
            copy.unlink()  # the very same file was kept before
            return kept


print(f"\nWritten to {answers['project']}:")
for file in files:
    copy = file.with_name(f"{file.name}.before~")
    kept = ""
    if copy.exists() and filecmp.cmp(file, copy, shallow=False):
        copy.unlink()  # made by pre_gen_project.py, and not needed
        kept = "  (as it was)"
    elif copy.exists():
        kept = f"  (yours is kept as {keep(copy)})"
    print(f"  {file.as_posix()}{kept}")

# Older versions of Alembic do not make this folder themselves.
Path(answers["directory"], "versions").mkdir(exist_ok=True)

print("For")
for line in summary["answers"]:
    print(f"  {line}")
if summary["settings"]:
    print("What the environment that was there had set:")
    for line in summary["settings"]:
        print(f"  {line}")

if answers["__starter"]:
    print(f"""
A small app was written with it. To run it:
  cd {answers["project"]}
  python -m venv .venv && . .venv/bin/activate
  pip install --upgrade pip && pip install --editable . --group dev
  alembic revision --autogenerate -m "create users"
  alembic upgrade head
  flask run""")
else:
    print("""
If one of these is wrong, correct the import lines in env.py. Next:
  pip install alembic
  alembic current                                    what the database has
  alembic revision --autogenerate -m "what changed"  write a revision
  alembic upgrade head                               run it""")
