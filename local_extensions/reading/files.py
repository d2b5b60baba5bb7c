"""Lists the files of an application that are worth reading."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

MAX_FILES = 20_000  # Python files read
MAX_FOLDERS = 20_000
MAX_FILE = 1_000_000  # bytes; a larger file is generated code or data
MAX_READ = 64_000_000  # bytes of Python in all

SKIPPED = set(
    "site-packages dist-packages node_modules bower_components __pycache__ venv "
    "virtualenv tests test testing build dist".split()
)
VENDORED = re.compile(r"_?vendor\w*|third[-_]?party|externals?")
SPARE = {"docs", "doc", "examples", "example", "samples"}
ENVIRONMENT_MARKS = {"pyvenv.cfg", "conda-meta", "activate_this.py"}
TEST_FILE = re.compile(r"(test_.*|.*_test|tests?|conftest)\.py")
SETTINGS = re.compile(
    r"\.flaskenv|\.env(\..+)?|[\w.-]+\.env|Procfile(\..+)?|(.+\.)?[Dd]ockerfile(\..+)?"
    r"|(docker-)?compose.*\.ya?ml|(app|fly|render|Taskfile)\.(ya?ml|toml)|[Mm]akefile"
    r"|[Jj]ustfile|.+\.sh|.+\.service|supervisor.*\.conf|.*uwsgi.*|pyproject\.toml"
    r"|(entrypoint|start|boot|run)|tox\.ini|setup\.cfg|alembic\.ini|README.*"
)


@dataclass
class Files:
    """What a walk over the tree found, as posix paths relative to its root."""

    python: list[str] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)  # docs, examples
    settings: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)  # folders with Alembic's


def walk(root: str) -> Files:
    """List the files of an application, the shallow ones first."""
    files = Files()
    queue = [("", False)]
    for seen, (folder, spare) in enumerate(queue):
        if seen > MAX_FOLDERS:
            break
        names, folders = list_folder(os.path.join(root, folder))
        prefix = f"{folder}/" if folder else ""
        if folder and ENVIRONMENT_MARKS.intersection(names + folders):
            continue
        if is_alembic(root, prefix, names, folders):
            files.environments.append(folder or ".")
            if folder and is_only_alembic(folder, names):
                continue
            names.remove("env.py")
            folders = [name for name in folders if name != "versions"]
        for name in names:
            if name.endswith(".py"):
                found = files.spare if spare else files.python
                if len(found) < MAX_FILES and not TEST_FILE.fullmatch(name):
                    found.append(prefix + name)
            elif SETTINGS.fullmatch(name) and folder.count("/") < 3 and not spare:
                files.settings.append(prefix + name)
        queue += [
            (prefix + name, spare or name in SPARE)
            for name in folders
            if not is_skipped(name)
        ]
    return files


def list_folder(path: str) -> tuple[list[str], list[str]]:
    """The names of the files and of the folders in a folder, without symlinked ones."""
    names, folders = [], []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    entry.name.encode()
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif entry.is_file():
                        names.append(entry.name)
                except (OSError, UnicodeError):
                    continue
    except (OSError, ValueError):
        pass
    return sorted(names), sorted(folders)


def is_skipped(name: str) -> bool:
    """Whether a folder of this name holds nothing that belongs to the application."""
    return (
        name.startswith(".")
        or name in SKIPPED
        or VENDORED.fullmatch(name) is not None
        or "{{" in name
        or name.endswith((".egg-info", ".egg", ".dist-info"))
    )


def is_alembic(root: str, prefix: str, names: list[str], folders: list[str]) -> bool:
    """Whether the folder is an Alembic environment, and no template for one."""
    beside = "versions" in folders or "script.py.mako" in names
    return (
        "alembic.ini.mako" not in names
        and beside
        and "env.py" in names
        and b"alembic" in read(os.path.join(root, prefix, "env.py"))
    )


def is_only_alembic(folder: str, names: list[str]) -> bool:
    """Whether an environment is a folder of its own, not also a package with models."""
    called = folder.rpartition("/")[2].lower()
    return "__init__.py" not in names or "migration" in called or "alembic" in called


def read(path: str, limit: int = MAX_FILE) -> bytes:
    """The bytes of a file; none where it cannot be read or is too large."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError):
        return b""
    return data if len(data) <= limit else b""


def read_all(root: str, paths: list[str]) -> dict[str, bytes]:
    """The contents of files by their path, as much as may be read in all."""
    contents, left = {}, MAX_READ
    for path in paths:
        contents[path] = read(os.path.join(root, path), min(MAX_FILE, left))
        left -= len(contents[path])
    return contents
