"""Reads which libraries a project depends on, and in which versions.

Versions that the environment does not work with are refused before anything is written.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .answers import Refused

try:
    import tomllib
except ImportError:  # Python 3.10
    try:
        import tomli as tomllib
    except ImportError:
        tomllib = None

# The oldest versions that the environment works with, and how to write the names.
LOWEST = {
    "alembic": ("Alembic", (1, 18)),
    "flask": ("Flask", (3, 0)),
    "flask-sqlalchemy": ("Flask-SQLAlchemy", (3, 1)),
    "python": ("Python", (3, 10)),
    "sqlalchemy": ("SQLAlchemy", (2, 0)),
}
BROKEN = {"alembic": ("1.19.0", "1.19.1")}

REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?\s*([^;#@\s][^;#)]*)?"
)
CLAUSE = re.compile(r"(===?|~=|<=|<|\^|~|)\s*v?(\d+(?:\.\d+)*)(\.\*)?")


class Pin(NamedTuple):
    """A dependency, as a file of the project has it."""

    file: str
    name: str
    versions: str  # ">=1.4,<2", or "" for any

    @property
    def key(self) -> str:
        return re.sub(r"[-_.]+", "-", self.name).lower()


def refuse_old(root: Path) -> None:
    """Refuse a project whose own files pin a version that is too old.

    :raises Refused: for the first file in which all pins of a library are too old.
    """
    pins = [pin for pin in [*declared(root), *locked(root)] if pin.key in LOWEST]
    for pin in pins:
        others = [each for each in pins if each[:1] == pin[:1] and each.key == pin.key]
        if not all(map(is_refused, others)):
            continue
        name, lowest = LOWEST[pin.key]
        broken = " and ".join(BROKEN.get(pin.key, ()))
        needed = f"{name} {'.'.join(map(str, lowest))} or newer"
        needed += f" (not {broken})" if broken else ""
        raise Refused(
            f"{pin.file} pins {pin.name}{pin.versions}; flask-alembic-env needs"
            f" {needed}. Nothing was written."
        )


def is_refused(pin: Pin) -> bool:
    """Whether a pin allows no version that the environment works with."""
    _, lowest = LOWEST[pin.key]
    if "||" in pin.versions:
        return False
    clauses = [CLAUSE.fullmatch(part.strip()) for part in pin.versions.split(",")]
    return any(
        is_below(lowest, *clause.groups())
        or (clause[1] in ("==", "===") and clause[2] in BROKEN.get(pin.key, ()))
        for clause in clauses
        if clause is not None
    )


def is_below(
    lowest: tuple[int, ...], operator: str, text: str, star: str | None
) -> bool:
    """Whether all versions that a clause allows are below the lowest."""
    version = tuple(map(int, text.split(".")))
    if operator == "<":
        return strip_zeros(version) <= strip_zeros(lowest)
    if operator == "^":  # of Poetry: up to the next first number that is not 0
        place = next((i for i, part in enumerate(version) if part), len(version) - 1)
        version = version[: place + 1]
    elif operator == "~":  # of Poetry: up to the next second number
        version = version[:2]
    elif operator == "~=":
        version = version[:-1]
    elif not star:  # one version
        return strip_zeros(version) < strip_zeros(lowest)
    return version < lowest[: len(version)]


def strip_zeros(version: tuple[int, ...]) -> tuple[int, ...]:
    """A version that compares with others: 2 is 2.0."""
    while version and not version[-1]:
        version = version[:-1]
    return version


def dependencies(root: Path) -> set[str]:
    """The names of the libraries that a project says it depends on."""
    return {pin.key for pin in declared(root)}


def requirement_files(root: Path) -> list[Path]:
    return sorted([*root.glob("*requirements*.txt"), *root.glob("requirements/*.txt")])


def declared(root: Path) -> Iterator[Pin]:
    """The dependencies in requirements files, pyproject.toml and Pipfile."""
    for file in requirement_files(root):
        name = file.relative_to(root).as_posix()
        for line in text_of(file).splitlines():
            if line[:1].isalnum():
                yield from of_requirement(name, line.partition(" --")[0].rstrip(" \\"))
    project = toml_of(root / "pyproject.toml")
    for path in (
        ("project", "dependencies"),
        ("project", "optional-dependencies", "*"),
        ("dependency-groups", "*"),
        ("tool", "uv", "dev-dependencies"),
        ("tool", "pdm", "dev-dependencies", "*"),
        ("tool", "hatch", "envs", "*", "dependencies"),
    ):
        for texts in values_at(project, path):
            for text in texts if isinstance(texts, list) else ():
                if isinstance(text, str):
                    yield from of_requirement("pyproject.toml", text)
    for versions in values_at(project, ("project", "requires-python")):
        yield Pin("pyproject.toml", "python", shortened(versions))
    for path in (
        ("dependencies",),
        ("dev-dependencies",),
        ("group", "*", "dependencies"),
    ):
        for table in values_at(project, ("tool", "poetry", *path)):
            yield from of_table("pyproject.toml", table)
    pipfile = toml_of(root / "Pipfile")
    for path in ("packages", "dev-packages"):
        for table in values_at(pipfile, (path,)):
            yield from of_table("Pipfile", table)


def locked(root: Path) -> Iterator[Pin]:
    """The versions in lock files."""
    try:
        lock = json.loads(text_of(root / "Pipfile.lock"))
    except ValueError:
        lock = {}
    for path in ("default", "develop"):
        for table in values_at(lock, (path,)):
            yield from of_table("Pipfile.lock", table)
    for name in ("poetry.lock", "uv.lock"):
        for packages in values_at(toml_of(root / name), ("package",)):
            for package in packages if isinstance(packages, list) else ():
                if isinstance(package, dict) and "version" in package:
                    pin = f"=={package['version']}"
                    yield Pin(name, str(package.get("name")), pin)


def of_requirement(file: str, text: str) -> Iterator[Pin]:
    """The dependency in a line such as `SQLAlchemy[asyncio]>=1.4,<2 ; extra == "x"`."""
    if match := REQUIREMENT.match(text):
        yield Pin(file, match[1], shortened(match[2] or ""))


def of_table(file: str, table: Any) -> Iterator[Pin]:
    """The dependencies in a table of names, as Poetry and Pipenv have them."""
    for name, value in table.items() if isinstance(table, dict) else ():
        versions = value.get("version") if isinstance(value, dict) else value
        if isinstance(versions, str):
            is_one = re.fullmatch(r"\d[\w.]*", versions) is not None
            yield Pin(file, name, ("==" if is_one else "") + shortened(versions))


def shortened(versions: Any) -> str:
    return "".join(str(versions).split())


def values_at(table: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """What is at a path in nested tables, where `*` stands for each key."""
    if not path:
        yield table
    elif isinstance(table, dict):
        keys = list(table) if path[0] == "*" else [path[0]]
        for key in keys:
            if key in table:
                yield from values_at(table[key], path[1:])


def text_of(file: Path) -> str:
    """The text of a file, empty where it can't be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def toml_of(file: Path) -> dict[str, Any]:
    """What a TOML file holds, nothing where it can't be read."""
    try:
        return tomllib.loads(text_of(file)) if tomllib is not None else {}
    except ValueError:
        return {}
