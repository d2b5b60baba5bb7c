"""Which app and which db are the best, when there are several.

Each list of rules is read from the top: the first rule that tells two candidates apart
decides, and its words say why the other one was not taken.
"""

from __future__ import annotations

import ast

from ..findings import Found
from ..reading.code import End
from ..reading.syntax import assigned, dotted, executed, statements
from . import candidates as names
from .calls import made_by_factories
from .candidates import DATABASES, Candidate, Rule, distinct, place, ranked
from .models import arguments
from .reach import starts_server
from .tree import Tree

Bound = dict[str, set[str]]  # the dbs that are bound to an app, by the app


def rank_dbs(tree: Tree, app: Candidate | None, given: Found | None) -> list[Candidate]:
    """The dbs, the best first; engines only where there is nothing better.

    :param given: what the old env.py has as `target_metadata`.
    """
    reached = tree.reach.of(app.home, app.maker) if app else set()
    called = tree.reach.called_by(app.home, app.maker) if app else set()
    count = tree.roots.count
    dbs = [db for db in tree.dbs if db.kind in DATABASES] or tree.dbs
    is_given = given is not None and given.value in {db.value for db in dbs}

    def is_empty(db: Candidate) -> bool:
        return bool(app and db.filled_by) and db.filled_by not in called

    rules: list[Rule] = [
        (
            "the env.py that was here has another",
            lambda db: is_given and db.value != given.value,
        ),
        ("it is a script's or a test's", lambda db: db.is_decoy),
        (
            "the app does not import it",
            lambda db: bool(reached) and db.module.name not in reached,
        ),
        ("fewer models hang on it", lambda db: -count[tree.roots.owner(db.value)]),
        ("nothing gives it a value", is_empty),
        ("an object comes first", lambda db: db.value.endswith(")")),
        ("it lies deeper", lambda db: db.module.depth),
        ("another name is more usual", lambda db: place(names.DB_NAMES, db.name)),
        ("it comes later", lambda db: (db.module.path, db.line)),
    ]
    return distinct(ranked(dbs, rules))


def rank_apps(tree: Tree, db: Candidate | None, bound: Bound) -> list[Candidate]:
    """The apps, the best first.

    An object to which the db is bound at module level is better than its factory, which
    would make an app without db. Then come factories that can be called without
    arguments, then calls with literals that the code itself makes, then the objects of
    entry files (wsgi.py, app.py, ...), then all others.
    """
    used = used_factories(tree)
    for app in tree.objects:
        last = app.module.name.rpartition(".")[2]
        app.tier = names.ENTRY if last in names.ENTRIES else names.OBJECT
        if db is not None and db.value in bound.get(app.value, ()):
            app.tier = names.BOUND
    apps = [*made_by_factories(tree), *tree.objects]
    apps.sort(key=lambda app: (app.is_decoy, app.module.depth, app.tier))

    def has_no_db(app: Candidate) -> bool:
        reached = tree.reach.of(app.home, app.maker) if db is not None else set()
        return db is not None and db.module.name not in reached

    def is_inner(app: Candidate) -> bool:
        """Whether it is a factory that another one calls, with a name of its own."""
        is_used = app.maker is not None and app.maker.node in used
        return is_used and app.name not in names.APP_NAMES

    def entry(app: Candidate) -> int:
        is_entry = app.tier in (names.LITERAL, names.ENTRY)
        last = app.module.name.rpartition(".")[2]
        return place(names.ENTRIES, last) if is_entry else 0

    rules: list[Rule] = [
        ("it is a script's, a worker's or a test's", lambda app: app.is_decoy),
        ("importing it starts a server", lambda app: starts(tree, app)),
        ("it does not import the db", has_no_db),
        ("another one is more surely the whole app", lambda app: app.tier),
        ("another factory calls it", is_inner),
        ("another file is a more usual entry", entry),
        ("it lies deeper", lambda app: app.module.depth),
        ("another name is more usual", lambda app: place(names.APP_NAMES, app.name)),
        ("it comes later", lambda app: (app.module.path, app.line)),
    ]
    # A tree with more apps than that is no application: no use to weigh them all.
    return ranked(apps[:50], rules)


def starts(tree: Tree, app: Candidate) -> bool:
    """Whether importing this app starts a server."""
    home = tree.code.modules.get(app.home)
    return app.maker is None and home is not None and starts_server(home)


def used_factories(tree: Tree) -> set[ast.AST]:
    """The factories that another factory calls."""
    used = set()
    for node, maker in tree.makers.items():
        inner = tree.code.function_scope(maker.scope, node, maker.owner)
        for part in executed(maker.node.body):
            if not isinstance(part, ast.Call):
                continue
            for end in tree.code.follow(inner, dotted(part.func)):
                other = tree.maker_at(end)
                if other is not None and other is not maker:
                    used.add(other.node)
    return used


def bound_apps(tree: Tree) -> Bound:
    """The objects to which module-level code binds a db, with the dbs.

    That code may configure an app that another module makes: then the app is taken from
    the module of that code, where it is complete.
    """
    found: Bound = {}
    for module in tree.examined:
        for stmt, guarded in statements(module.tree.body):
            node = getattr(stmt, "value", None)
            if guarded or not isinstance(node, ast.Call):
                continue
            dbs = {f"{module.name}:{dotted(target)}" for target, *_ in assigned(stmt)}
            owner, _, method = dotted(node.func).rpartition(".")
            is_init = False
            if tree.kinds.of(node, module.scope) not in DATABASES:
                ends = tree.code.follow(module.scope, owner)
                dbs = {value_of(end) for end in ends if method == "init_app"}
                is_init = bool(dbs & {db.value for db in tree.dbs})
            for argument in arguments(node):
                for end in tree.code.follow(module.scope, dotted(argument)):
                    value = value_of(end)
                    is_imported = (
                        end.scope is not None and end.scope is not module.scope
                    )
                    if is_init and is_imported and tree.kinds.of_end(end) == "flask":
                        value = f"{module.name}:{dotted(argument)}"
                        tree.objects.append(
                            Candidate(
                                *(value, module, stmt.lineno, "flask"),
                                *(end.name.node if end.name else None, module.scope),
                            )
                        )
                    found.setdefault(value, set()).update(dbs)
    return found


def value_of(end: End) -> str:
    """What a name leads to, written as an answer."""
    module = end.scope.module.name if end.scope else ""
    return f"{module}:{end.key}" + (f".{end.rest}" if end.rest else "")
