"""What the user is told after a bake."""

import os
import re

from . import pins
from .project import folder, found, taken

OLD_TOOL = re.compile(rb"\s*(?:from|import)\s+flask_(?:migrate|alembic)\b")
OLD_PACKAGE = re.compile(rb"[\s\"']*flask[-_](?:migrate|alembic)\b", re.IGNORECASE)


def told(answers) -> list[str]:
    """The lines, in blocks that each have a heading."""
    blocks = {
        "Found:": answers_found(answers),
        "Taken over:": settings(answers, carried=True),
        "Not taken over. Look at each, and copy into env.py what is still needed:": (
            settings(answers, carried=False)
        ),
        "Left of the tool that was here, to be removed when all works:": (
            remains(answers)
        ),
        "Next:": next_steps(answers),
    }
    return [
        line
        for heading, lines in blocks.items()
        if lines
        for line in (heading, *(f"  {line}" for line in lines))
    ]


def answers_found(answers) -> list[str]:
    """Each answer, where it was found, and what was not taken."""
    findings = found(answers)
    lines = []
    for name in ("app", "db", "metadata"):
        value = answers[name]
        candidates = getattr(findings, name)
        places = [each.where for each in candidates if each.value == value]
        if (name, value) != ("metadata", "db.metadata"):
            where = f"  ({places[0]})" if places else ""
            lines.append(f"{name:9} {value}{where}")
        others = [each for each in candidates if each.value != value]
        for each in others[:3] if places else ():
            why = f": {each.why}" if each.why else ""
            lines.append(f"{'':9} not {each.value} ({each.where}){why}")
    if answers["models"]:
        lines.append(f"models    {answers['models']}")
    for each in findings.left_out:
        lines.append(f"{'':9} not {each.value}: {each.why}")
    return lines


def settings(answers, carried: bool) -> list[str]:
    """What the old environment had set, with its place."""
    old = taken(answers)
    lines = []
    if old.broken and not carried:
        lines.append(f"{old.broken}: this Python can't parse it, and it was not read")
    for each in old.settings:
        if each.carried == carried:
            code = f"{each.name} = {each.code}" if each.name else each.code
            lines.append(f"{each.where}  {code}")
    return lines


def remains(answers) -> list[str]:
    """What a project has of Flask-Migrate or Flask-Alembic."""
    root = folder(answers)
    lines = [
        f"{module.path}:{number}  {line.decode(errors='replace').strip()}"
        for module in found(answers).modules
        if module.has((b"flask_migrate", b"flask_alembic"))
        for number, line in enumerate(module.data.splitlines(), 1)
        if OLD_TOOL.match(line)
    ]
    if not lines:
        return []
    files = [*pins.requirement_files(root), root / "pyproject.toml", root / "Pipfile"]
    for file in files:
        text = file.read_bytes() if file.is_file() else b""
        for number, line in enumerate(text.splitlines(), 1):
            if OLD_PACKAGE.match(line):
                name = file.relative_to(root).as_posix()
                lines.append(
                    f"{name}:{number}  {line.decode(errors='replace').strip()}"
                )
    for name in ("alembic.ini", "README"):
        if (root / answers["directory"] / name).is_file():
            lines.append(f"{answers['directory']}/{name}")
    return lines


def next_steps(answers) -> list[str]:
    """The commands to type, and what the project's own tools need."""
    root = folder(answers)
    steps = [] if "alembic" in pins.dependencies(root) else ["pip install alembic"]
    if taken(answers).keeps_style:
        steps.append("alembic current    # the revision that the database has")
    else:
        steps.append('alembic revision --autogenerate -m "first"')
    text = b"".join(
        (root / name).read_bytes()
        for name in (".coveragerc", "pyproject.toml", "setup.cfg", "tox.ini")
        if (root / name).is_file()
    )
    if b"[run]" in text or b"coverage" in text:
        omit = os.path.join("*", answers["directory"], "flask_alembic_env", "*")
        steps.append(f'leave the helpers out of coverage: omit = ["{omit}"]')
    return steps
