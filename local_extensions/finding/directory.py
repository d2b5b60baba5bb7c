"""The folder of the migrations."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator

from ..reading.files import read
from ..reading.syntax import constants, dotted
from .tree import Tree

LOCATION = re.compile(r"""^\s*script_location\s*=\s*["']?([^"'\n]+)""", re.MULTILINE)
TOML_ALEMBIC = re.compile(r"^\[tool\.alembic\]\s*$(.*?)(?=^\[|\Z)", re.M | re.S)
ENVIRONMENT = "environment"  # the folder beside revisions, if they don't lie below it
REVISION = re.compile(rb"^down_revision\b.*=", re.MULTILINE)


def directory(tree: Tree, histories: list[str]) -> str | None:
    """The migrations folder: the one that is named, else the shallowest.

    A folder with revisions and without env.py is one, too.
    """
    environments = sorted(
        tree.files.environments,
        key=lambda e: (not has_versions(tree.root, e), e.count("/"), e),
    )
    for path in [*locations(tree), *migrate_directories(tree, environments)]:
        path = os.path.normpath(path).replace(os.sep, "/")
        if path in environments:
            return path
        full = os.path.join(tree.root, path)
        inside = not os.path.isabs(path) and path.split("/")[0] != ".."
        if inside and any(
            os.path.exists(os.path.join(full, name))
            for name in ("env.py", "versions", "script.py.mako")
        ):
            return path
    return [*environments, *histories, None][0]


def has_versions(root: str, environment: str) -> bool:
    return os.path.isdir(os.path.join(root, environment, "versions"))


def revision_folders(revisions: list[str]) -> list[str]:
    """The folders of revisions, the one with most of them first."""
    folders = [path.rpartition("/")[0] for path in revisions]
    return sorted(set(folders), key=lambda name: (-folders.count(name), name))


def environment_of(folder: str) -> str:
    """Where the environment of a folder with revisions is, or is to be.

    The revisions of Flask-Alembic lie in a folder with no other below it. What Alembic
    finds there is taken for a revision: env.py has to lie elsewhere.
    """
    parent, _, name = folder.rpartition("/")
    return (parent or ".") if name == "versions" else f"{folder}/{ENVIRONMENT}"


def has_revisions(path: str) -> bool:
    """Whether revisions lie in a folder itself."""
    names = os.listdir(path) if os.path.isdir(path) else []
    files = [os.path.join(path, name) for name in names if name.endswith(".py")]
    return any(is_revision(read(file)) for file in files)


def is_revision(data: bytes) -> bool:
    return b"down_revision" in data and REVISION.search(data) is not None


def revisions_in(root: str, directory: str) -> str:
    """The folder with the revisions; the one above is that of Flask-Alembic."""
    for folder in (f"{directory}/versions", directory.removesuffix(f"/{ENVIRONMENT}")):
        if folder != directory and has_revisions(os.path.join(root, folder)):
            return folder
    return ""


def locations(tree: Tree) -> Iterator[str]:
    """What alembic.ini and pyproject.toml name as script_location."""
    settings = sorted(tree.files.settings, key=lambda path: path.count("/"))
    for path in settings:
        folder, _, name = path.rpartition("/")
        text = read(os.path.join(tree.root, path)).decode(errors="replace")
        if name == "pyproject.toml":
            text = "\n".join(TOML_ALEMBIC.findall(text))
        elif name != "alembic.ini":
            continue
        for location in LOCATION.findall(text):
            location = location.strip().replace("%(here)s", ".")
            if re.fullmatch(r"[\w.]+:[\w./-]+", location):  # package:folder
                package, _, inner = location.partition(":")
                location = os.path.join(package.replace(".", "/"), inner)
                yield os.path.join(tree.source_root, location)
            yield os.path.join(folder, location)
            yield location


def migrate_directories(tree: Tree, environments: list[str]) -> Iterator[str]:
    """What Migrate(..., directory=...) names, as far as literals say it."""
    for module in tree.modules:
        if b"igrate" not in module.data or b"directory" not in module.data:
            continue
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            called = dotted(node.func).rpartition(".")[2]
            for word in node.keywords:
                if word.arg != "directory" or called not in ("Migrate", "init_app"):
                    continue
                value = word.value
                for end in tree.code.follow(module.scope, dotted(value)):
                    value = end.name.node if end.name else value
                texts = [text.strip("/") for text in constants(value)]
                path = "/".join(texts).strip("/")
                if path:
                    yield path
                    yield from [e for e in environments if f"/{e}".endswith(path)]
