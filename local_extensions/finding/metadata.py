"""The metadata of the models, where the db has none or they hang on another."""

from __future__ import annotations

import ast
import os

from ..findings import Found
from ..reading.files import read
from ..reading.modules import Module
from ..reading.syntax import assigned, dotted, statements
from .candidates import DB_NAMES, Candidate
from .tree import Tree


def old_environment(tree: Tree, folder: str | None) -> Module | None:
    """The env.py that is there, if it is of another tool."""
    path = os.path.normpath(f"{folder}/env.py").replace(os.sep, "/")
    data = read(os.path.join(tree.root, path)) if folder is not None else b""
    is_ours = b"flask_alembic_env" in data
    return Module("env.py", path, data, [len(data)]) if data and not is_ours else None


def of_environment(tree: Tree, old: Module | None) -> Found | None:
    """What `target_metadata` hangs on in the env.py that is there."""
    for stmt, _ in statements(old.tree.body) if old is not None else ():
        for target, value, _ in assigned(stmt):
            root = tree.roots.of(value, old.scope) or of_library(value, old)
            if dotted(target) == "target_metadata" and root:
                return Found(root, f"{old.path}:{stmt.lineno}")
    return None


def of_library(value: ast.expr, old: Module) -> str:
    """The base in `from library import Base`, where `Base.metadata` is given."""
    name, _, rest = dotted(value).partition(".")
    for meaning in old.scope.names.get(name, ()):
        module, _, own = meaning.target.rpartition(".")
        if meaning.kind == "import" and module and rest == "metadata":
            return f"{module}:{own}"
    return ""


def metadata_of(
    tree: Tree, dbs: list[Candidate], db: tuple[Found, ...], given: Found | None
) -> tuple[Found, ...]:
    """The metadata, the best first; none where it is the db's own.

    :param given: what the old env.py has as `target_metadata`.
    """
    roots, count = tree.roots, tree.roots.count
    bases = {base.value: base for base in tree.bases}
    others = {
        value: base for value, base in bases.items() if roots.owner(value) == value
    }
    has_metadata = bool(db) and (not dbs or dbs[0].kind == "db")
    chosen = bases.get(roots.owner(given.value)) if given is not None else None
    if given is not None and is_of_library(tree, given):
        return (Found(f"{given.value}.metadata", given.where),)
    if has_metadata and chosen is None:
        if count[roots.owner(db[0].value)] or not any(count[b] for b in others):
            return ()
        others = {value: base for value, base in others.items() if count[value]}

    def order(base: Candidate) -> tuple:
        is_other = chosen is not None and base is not chosen
        path = base.module.path
        depth = base.module.depth
        return (is_other, -count[base.value], base.is_decoy, depth, path)

    found = [
        Found(
            base.value if base.kind == "metadata" else f"{base.value}.metadata",
            base.found.where,
        )
        for base in sorted(others.values(), key=order)
    ]
    if not has_metadata and not any(count[value] for value in others):
        found = [*roots.outside_metadata(), *found]
    return tuple(dict.fromkeys(found))


def is_of_library(tree: Tree, given: Found) -> bool:
    """Whether the old env.py has a base that is not of this tree, and no db."""
    module, _, name = given.value.partition(":")
    return module not in tree.code.modules and name not in DB_NAMES
