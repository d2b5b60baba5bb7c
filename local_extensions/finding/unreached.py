"""The modules with models that importing the app and its db does not import."""

from __future__ import annotations

import os
import re

from ..findings import Found
from ..reading.files import read
from ..reading.modules import Module
from .candidates import DECOY, Candidate
from .models import UNKNOWN
from .reach import starts_server
from .tree import Tree

# Files that are run, not imported.
RUN = set(
    "wsgi run manage asgi runserver passenger_wsgi __main__ conftest setup".split()
)
STALE = re.compile(r"(^|[._])(old|bak|backup|copy|legacy|orig|tmp|draft)([._]|\d*$)")


def reached_by(
    tree: Tree, apps: list[Candidate], answers: tuple[Found, ...]
) -> set[str]:
    """The modules that are imported with the app, its db and its metadata."""
    reached: set[str] = set()
    for app in apps:
        reached |= tree.reach.of(app.home, app.maker)
    for found in answers:
        reached |= tree.reach.of(found.value.partition(":")[0], None)
    return reached


def unreached(
    tree: Tree,
    reached: set[str],
    answers: tuple[Found, ...],
    old: Module | None,
    folders: list[str],
) -> tuple[tuple[str, ...], tuple[Found, ...]]:
    """The modules to import, and those that are left out with the reason.

    What the old env.py imports is imported. Otherwise a module is left out that makes a
    table which is made already: it is a copy. So is one whose tables no revision has
    while it has those of others: the application never had them in its database.

    :param answers: the first db, and the first metadata if it is not the db's own.
    :param folders: those of the revisions.
    """
    target = answers[-1].value if answers else ""
    wanted = {tree.roots.owner(target.removesuffix(".metadata")), UNKNOWN}
    models = [
        module
        for module, roots in tree.roots.models.items()
        if not target or wanted & {tree.roots.owner(root) for root in roots}
    ]
    known = tables_of(tree, [each for each in models if each.name in reached])
    forced = tree.reach.run("", [old.scope])[0] if old is not None else set()
    others = [each for each in models if each.name not in reached and is_module(each)]
    others.sort(key=lambda m: (m.name not in forced, is_stale(m), m.depth, m.name))
    words = words_of(tree.root, folders) if others else set()
    has_history = bool(words & tables_of(tree, models).keys())
    chosen, left_out = [], []
    for module in others:
        own = tree.roots.tables.get(module, {})
        twice = [name for name in own if name in known]
        is_unknown = has_history and own and not words & own.keys()
        why = "no revision has its tables" if is_unknown else ""
        if twice:
            why = f"its table {twice[0]} is in {known[twice[0]]}, too"
        if why and module.name not in forced:
            left_out.append(Found(module.name, module.path, why))
        else:
            chosen.append(module.name)
            known = {**tables_of(tree, [module]), **known}
    return tuple(sorted(chosen)), tuple(left_out)


def is_module(module: Module) -> bool:
    """Whether a file is there to be imported."""
    return (
        module.name.rpartition(".")[2] not in RUN
        and not DECOY.search(module.path)
        and not starts_server(module)
    )


def is_stale(module: Module) -> bool:
    return bool(STALE.search(module.name.lower()))


def tables_of(tree: Tree, modules: list[Module]) -> dict[str, str]:
    """The names of the tables in some modules, with the module."""
    return {
        table: module.name
        for module in modules
        for table in tree.roots.tables.get(module, {})
    }


def words_of(root: str, folders: list[str]) -> set[str]:
    """The words in all revisions."""
    words: set[str] = set()
    for folder in folders:
        full = os.path.join(root, folder)
        names = os.listdir(full) if os.path.isdir(full) else []
        for name in names:
            if name.endswith(".py"):
                text = read(os.path.join(full, name)).decode(errors="replace")
                words.update(re.findall(r"\w+", text))
    return words
