"""Finds what Alembic needs to know of a Flask application by reading its code.

`find(root)` answers: where the app is, where its db, which modules hold models. The
code is parsed, never imported.

Which app is the best, when there are several:

1. what FLASK_APP or `flask --app` names in .flaskenv, .env, then Procfile, Dockerfile
   or compose file, then elsewhere, the README last: migrations ran with it before;
2. what a server's command names (gunicorn, uwsgi, waitress). Where that is only the
   result of calling a factory, the factory: importing wsgi.py may start things;
3. an object to which the db is bound at module level: another one made by the same
   factory would be an app without db;
4. a factory that can be called without arguments, then one that the code itself calls
   with literals (these are filled in);
5. the object of an entry file (wsgi.py, app.py, run.py ...), then any other object.

From 3 on, what does not import the db comes after what does, and decoys (workers,
scripts, files that start a server when imported) come last. Among equals: the factory
that no other factory uses, the shallower path, the conventional name, the path's order.

Which db: the one that the app imports, then the one that most models hang on, then the
same rules. Engines count only where there is no SQLAlchemy object.
"""

from __future__ import annotations

import ast
import gc
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from .reading import (
    Code,
    End,
    Files,
    Kinds,
    Module,
    Name,
    Scope,
    assigned,
    dotted,
    executed,
    first,
    guess_source_roots,
    is_below,
    modules_of,
    read,
    read_all,
    returned,
    statements,
    walk,
)

# A file with none of these words has no part in the guess of the source root.
HOT = b"flask Flask SQLAlchemy sqlalchemy sqlmodel connexion .Model _app app".split()
# Files with these words may hold an app, a factory, a db or a declarative base.
MAKERS = (
    b"Flask Quart Eve OpenAPI connexion SQLAlchemy SQLA create_engine "
    b"create_async_engine engine_from_config declarative Declarative MetaData registry "
    b"create_app make_app"
).split()
# Files with these words may hold models or tables.
MODELS = b"__table Column column Mapped Model Table( table=True".split()
# How models look in a file that is beyond what can be parsed.
MODEL_LINES = re.compile(
    rb"^\s*__table(?:name)?__\s*=|\bTable\(|^\s*class .*Model\b.*:", re.MULTILINE
)
ENTRIES = (
    "wsgi app application main run manage autoapp asgi server serve runserver "
    "flask_app passenger_wsgi start index __main__"
).split()
# Files that are run, not imported.
RUN = set(
    "wsgi run manage asgi runserver passenger_wsgi __main__ conftest setup".split()
)
DECOY = re.compile(
    r"(^|/)(scripts?|tools?|bin|benchmarks?)/"
    r"|(^|/)([^/]*celery[^/]*|[^/]*worker|[^/]*workers|tasks|scheduler|cron|locustfile"
    r"|fabfile|noxfile|setup)\.py$"
)
DECOY_NAME = re.compile(
    r"(^_)|(^|_)(tests?|testing|celery|workers?|mock|fake|dummy|cli|tasks?|minimal)(_|$)"
)
APP_NAMES = ["app", "create_app", "application", "make_app", "create_application"]
DB_NAMES = ["db", "DB", "sqla", "database", "engine"]
DATABASES = ("db", "lite")
# Decorators under which a function still returns what it returns.
PASSING = {"cache", "lru_cache", "staticmethod", "classmethod", "typechecked", "wraps"}
# Tiers of apps, the best first.
BOUND, FACTORY, LITERAL, ENTRY, OBJECT = range(5)

VALUE = r"""(?:"([^"\n]+)"|'([^'\n]+)'|([\w./\\:-]+(?:\([^)\n]*\))?))"""
FLASK_APP = re.compile(
    r"""FLASK_APP["']?\]?(?:[ \t]*[=:][ \t]*|[ \t]+)(?:\$\{\w+:?-)?""" + VALUE
)
FLASK_OPTION = re.compile(r"\bflask\b[^\n|;&]*?[\s\"'](?:--app|-A)[ =]\"?" + VALUE)
SERVER = re.compile(
    r"\b(gunicorn|uwsgi|waitress-serve|hypercorn|uvicorn|mod_wsgi)\b"
    r"|^\s*(module|wsgi-file|wsgi)\s*="
)
SERVED = re.compile(
    r"""(?<![\w./:-])([A-Za-z_/][\w./]*)(?::([A-Za-z_][\w.]*(?:\([^)\n]*\))?))?"""
    r"""(?=["'\s\],]|$)"""
)
LOCATION = re.compile(r"""^\s*script_location\s*=\s*["']?([^"'\n]+)""", re.MULTILINE)
TOML_ALEMBIC = re.compile(r"^\[tool\.alembic\]\s*$(.*?)(?=^\[|\Z)", re.M | re.S)


@dataclass(frozen=True)
class Found:
    """An answer, and where it was read: `shop/__init__.py:12`."""

    value: str
    where: str


@dataclass(frozen=True)
class Findings:
    """All that was found in a tree; candidates are in order, the best first."""

    app: tuple[Found, ...] = ()
    db: tuple[Found, ...] = ()
    metadata: tuple[Found, ...] = ()
    models: tuple[str, ...] = ()
    directory: str | None = None
    source_root: str = ""
    is_flask: bool = False
    db_kind: str = ""  # of the first one: "db", "lite", "engine"; "" if not known
    db_is_early: bool = False  # importing the module of the first app imports it


def find(root: str | os.PathLike[str]) -> Findings:
    """Read the code below a folder and say what an environment for it needs."""
    root = os.fspath(root)
    files = walk(root)
    with warnings.catch_warnings(), collection_paused():
        warnings.simplefilter("ignore")  # of the user's code, such as "\d"
        findings = find_in(root, files, files.python)
        if not (findings.app or findings.db or findings.is_flask) and files.spare:
            findings = find_in(root, files, files.spare)
    return findings


@contextmanager
def collection_paused() -> Iterator[None]:
    """No garbage collection: it would walk over all syntax trees, again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def find_in(root: str, files: Files, python: list[str]) -> Findings:
    """Find in these files, first with the source root that their imports speak for."""
    contents = read_all(root, python)
    flat = Findings()
    for source_root in guess_source_roots(contents, HOT):
        search = Search(root, files, contents, source_root)
        findings = search.findings()
        if any(is_below(path, source_root) for path in search.chosen):
            return findings
        flat = flat if source_root else findings
    return flat


@dataclass
class Maker:
    """A function that returns an app."""

    value: str  # "shop:create_app"
    node: ast.FunctionDef
    scope: Scope  # in which it is defined
    owner: ast.ClassDef | None = None  # whose method it is
    used: bool = False  # another factory calls it

    def parameters(self) -> list[tuple[str, ast.expr | None]]:
        """The names of the parameters with their defaults."""
        given = self.node.args
        plain = [*given.posonlyargs, *given.args]
        if self.owner is not None and any(
            dotted(mark) == "classmethod" for mark in self.node.decorator_list
        ):
            plain = plain[1:]
        defaults = [None] * (len(plain) - len(given.defaults)) + given.defaults
        names = [argument.arg for argument in [*plain, *given.kwonlyargs]]
        return list(zip(names, [*defaults, *given.kw_defaults], strict=False))

    @property
    def needs_arguments(self) -> bool:
        return any(default is None for _, default in self.parameters())

    @property
    def misses_arguments(self) -> bool:
        """Whether its first parameter is None by default, with nothing done about it.

        `def create_app(config=None): ... app.config.from_object(config)` can be called
        without arguments, but then has no configuration.
        """
        name, default = next(iter(self.parameters()), ("", None))
        return (
            isinstance(default, ast.Constant)
            and default.value is None
            and not any(falls_back(node, name) for node in ast.walk(self.node))
        )


def falls_back(node: ast.AST, name: str) -> bool:
    """Whether a node says what holds when a parameter is not given."""
    if isinstance(node, ast.BoolOp):
        return isinstance(node.op, ast.Or) and dotted(node.values[0]) == name
    if isinstance(node, ast.Assign):
        return any(dotted(target) == name for target in node.targets)
    if isinstance(node, ast.If) and mentions(node.test, name):
        return bool(node.orelse) or is_missing(node.test)
    return isinstance(node, ast.IfExp) and mentions(node.test, name)


def mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def is_missing(test: ast.expr) -> bool:
    """`x is None`, `x == None` or `not x`."""
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], (ast.Is, ast.Eq))
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


@dataclass
class Candidate:
    """An answer with what is needed to rank it."""

    value: str
    module: Module  # in which it was read
    line: int
    kind: str
    node: ast.AST | None = None  # the expression that makes it, or its definition
    scope: Scope | None = None  # of that expression
    tier: int = OBJECT
    maker: Maker | None = None  # where it is a call of a factory
    where: str = ""  # where it is not the line of the module

    @property
    def found(self) -> Found:
        return Found(self.value, self.where or f"{self.module.path}:{self.line}")

    @property
    def name(self) -> str:
        return self.value.partition(":")[2].partition("(")[0]

    @property
    def home(self) -> str:
        """The module that the answer imports."""
        return self.value.partition(":")[0]

    @property
    def is_decoy(self) -> bool:
        last = self.name.rpartition(".")[2]
        return bool(DECOY.search(self.module.path) or DECOY_NAME.search(last))


class Search:
    """One look at the code, under one source root."""

    def __init__(
        self, root: str, files: Files, contents: dict[str, bytes], source_root: str
    ):
        self.root = root
        self.files = files
        self.source_root = source_root
        self.code = Code(modules_of(contents, source_root))
        self.modules = list(self.code.modules.values())
        self.by_path = {module.path: module for module in self.modules}
        self.kinds = Kinds(self.code)
        self.roots = Roots(self.code, self.kinds)
        self.reach = Reach(self.code, self.kinds)
        self.makers: dict[ast.AST, Maker] = {}
        self.objects: list[Candidate] = []
        self.dbs: list[Candidate] = []
        self.chosen: list[str] = []  # the files of the first app and db

    def findings(self) -> Findings:
        examined = self.examine_all()
        for candidate in self.dbs:
            self.roots.adopt(candidate)
        self.roots.read_models(self.modules)
        dbs = self.rank_dbs(None)
        apps = self.rank_apps(dbs[0] if dbs else None, examined)
        dbs = self.rank_dbs(apps[0] if apps else None)
        db = tuple(candidate.found for candidate in dbs) or self.roots.outside()
        metadata = self.metadata(dbs, db)
        for candidate in [*apps[:1], *dbs[:1]]:
            home = self.code.modules.get(candidate.home, candidate.module)
            self.chosen.append(home.path)
        return Findings(
            app=tuple(candidate.found for candidate in apps),
            db=db,
            metadata=metadata,
            models=self.unreached(apps[:1], db, metadata),
            directory=self.directory(),
            source_root=self.source_root,
            is_flask=bool(apps or self.makers or self.objects)
            or any(candidate.kind in DATABASES for candidate in dbs),
            db_kind=dbs[0].kind if dbs else "",
            db_is_early=bool(apps and dbs) and self.is_early(apps[0], dbs[0]),
        )

    # What there is

    def examine_all(self) -> list[Module]:
        """Note the apps, factories and dbs of each module that may hold one.

        The classes and functions found give their names to the next round: a module
        that uses them need not have any of the usual words in it.
        """
        examined: dict[str, Module] = {}
        words = MAKERS
        known: set[str] = set()
        for _ in range(4):
            names: set[str] = set()
            for module in self.modules:
                entry = module.name.rpartition(".")[2] in ENTRIES
                if module.name in examined or not (entry or module.has(words)):
                    continue
                examined[module.name] = module
                names |= self.examine(module)
            if not names - known:
                break
            words = [name.encode() for name in sorted(names - known)]
            known |= names
        return list(examined.values())

    def examine(self, module: Module) -> set[str]:
        """Note what a module holds; the names that lead to the modules that use it."""
        words = set()
        scope = module.scope
        for key, names in scope.names.items():
            for name in names:
                if name.kind == "value" and not name.guarded:
                    self.note_value(key, name, scope)
                elif name.kind == "function":
                    if self.note_function(key, name.node, scope, None):
                        words.add(key)
                elif name.kind == "class" and self.note_class(key, name, scope):
                    words.add(key)
        return words

    def note_value(self, key: str, name: Name, scope: Scope) -> None:
        """Note an object of a module, and what it holds."""
        if isinstance(name.node, (ast.Name, ast.Attribute)) and any(
            end.name is not None and not end.rest
            for end in self.code.follow(scope, dotted(name.node))
        ):
            return  # application = app: the same by another name
        kind = self.kinds.of_name(name, scope)
        self.note(key, kind, name, scope)
        for outer, node in self.kinds.classes(name.node, scope):
            for attribute, held in self.kinds.holds(outer, node).items():
                if kind != "flask" or held in DATABASES:
                    self.note(f"{key}.{attribute}", held, name, scope)

    def note(self, key: str, kind: str, name: Name, scope: Scope) -> None:
        if kind == "connexion":
            key, kind = f"{key}.app", "flask"
        module = scope.module
        value = f"{module.name}:{key}"
        candidate = Candidate(value, module, name.line, kind, name.node, scope)
        if kind == "flask" and not name.late:
            self.objects.append(candidate)
        elif kind in DATABASES or kind == "engine":
            self.dbs.append(candidate)
        elif kind in ("base", "metadata", "registry"):
            self.roots.bases.append(candidate)

    def note_function(
        self, key: str, node: ast.AST | None, scope: Scope, owner: ast.ClassDef | None
    ) -> bool:
        """Note a factory; whether the function makes anything of use."""
        if not isinstance(node, ast.FunctionDef):
            return False
        kind = self.kinds.of_function(node, scope, owner)
        passing = all(
            dotted(getattr(mark, "func", mark)).rpartition(".")[2] in PASSING
            for mark in node.decorator_list
        )
        if key == "__getattr__" and kind == "flask":
            for text in compared(node):
                self.note(text, kind, Name("value", node.lineno), scope)
        elif kind == "flask" and passing and not self.is_getter(node, scope):
            self.makers[node] = Maker(f"{scope.module.name}:{key}", node, scope, owner)
        return bool(kind)

    def is_getter(self, node: ast.FunctionDef, scope: Scope) -> bool:
        """Whether a function only returns an object that a module holds anyway."""
        inner = self.code.function_scope(scope, node)
        ends = [
            end
            for value in returned(node)
            for end in self.code.follow(inner, dotted(value))
        ]
        return bool(ends) and all(
            end.scope is not None
            and end.scope.parent is None
            and end.name is not None
            and not end.name.late
            for end in ends
        )

    def note_class(self, key: str, name: Name, scope: Scope) -> bool:
        """Note what a class holds and its methods make; whether it is of any use."""
        node = name.node
        if not isinstance(node, ast.ClassDef):
            return False
        if self.roots.is_base(node, scope):
            self.note(key, "base", name, scope)
            return False
        held = self.kinds.holds(scope, node)
        own = {dotted(target) for part in node.body for target, *_ in assigned(part)}
        for attribute in sorted(own & set(held)):
            self.note(f"{key}.{attribute}", held[attribute], name, scope)
        made = [
            self.note_function(f"{key}.{part.name}", part, scope, node)
            for part in node.body
            if isinstance(part, ast.FunctionDef)
            and {dotted(mark) for mark in part.decorator_list}
            & {"staticmethod", "classmethod"}
        ]
        return any(held.values()) or any(made) or bool(self.kinds.of_class(node, scope))

    # Which is best

    def rank_dbs(self, app: Candidate | None) -> list[Candidate]:
        """The dbs, the best first; engines only where there is nothing better."""
        reached = self.reach.of(app.home, app.maker) if app else set()
        dbs = [db for db in self.dbs if db.kind in DATABASES] or self.dbs

        def order(db: Candidate) -> tuple:
            return (
                db.is_decoy,
                bool(reached) and db.module.name not in reached,
                -self.roots.count[self.roots.owner(db.value)],
                db.module.depth,
                place(DB_NAMES, db.name),
                db.module.path,
                db.line,
            )

        return distinct(sorted(dbs, key=order))

    def rank_apps(
        self, db: Candidate | None, examined: list[Module]
    ) -> list[Candidate]:
        """The apps, the best first, by the rule that the module's docstring tells."""
        self.mark_used()
        bound = self.bound(examined)
        for candidate in self.objects:
            last = candidate.module.name.rpartition(".")[2]
            candidate.tier = ENTRY if last in ENTRIES else OBJECT
            if db is not None and db.value in bound.get(candidate.value, ()):
                candidate.tier = BOUND
        candidates = [*self.from_makers(examined), *self.objects]
        candidates.sort(key=lambda app: (app.is_decoy, app.module.depth, app.tier))

        def order(app: Candidate) -> tuple:
            entry = place(ENTRIES, app.module.name.rpartition(".")[2])
            known = place(APP_NAMES, app.name)
            return (
                app.is_decoy or self.starts(app),
                db is not None
                and db.module.name not in self.reach.of(app.home, app.maker),
                app.tier,
                app.maker is not None and app.maker.used and known == len(APP_NAMES),
                entry if app.tier in (LITERAL, ENTRY) else 0,
                app.module.depth,
                known,
                app.module.path,
                app.line,
            )

        # A tree with more apps than that is no application: no use to weigh them all.
        candidates = sorted(candidates[:50], key=order)
        return distinct([*self.named(bound), *candidates])

    def starts(self, app: Candidate) -> bool:
        """Whether importing this app starts a server."""
        home = self.code.modules.get(app.home)
        return app.maker is None and home is not None and starts_server(home)

    def mark_used(self) -> None:
        """Mark the factories that another factory calls."""
        for node, maker in self.makers.items():
            inner = self.code.function_scope(maker.scope, node, maker.owner)
            for part in executed(maker.node.body):
                if not isinstance(part, ast.Call):
                    continue
                for end in self.code.follow(inner, dotted(part.func)):
                    used = self.maker_at(end)
                    if used is not None and used is not maker:
                        used.used = True

    def bound(self, examined: list[Module]) -> dict[str, set[str]]:
        """The objects to which module-level code binds a db, with the dbs."""
        found: dict[str, set[str]] = {}
        for module in examined:
            for stmt, guarded in statements(module.tree.body):
                node = getattr(stmt, "value", None)
                if guarded or not isinstance(node, ast.Call):
                    continue
                dbs = {
                    f"{module.name}:{dotted(target)}" for target, *_ in assigned(stmt)
                }
                if self.kinds.of(node, module.scope) not in DATABASES:
                    owner, _, method = dotted(node.func).rpartition(".")
                    ends = self.code.follow(module.scope, owner)
                    dbs = {value_of(end) for end in ends if method == "init_app"}
                for argument in [*node.args, *(word.value for word in node.keywords)]:
                    for end in self.code.follow(module.scope, dotted(argument)):
                        found.setdefault(value_of(end), set()).update(dbs)
        return found

    def from_makers(self, examined: list[Module]) -> Iterator[Candidate]:
        """The apps that factories make, called with nothing or as the code does."""
        calls: dict[ast.AST, list[Candidate]] = {}
        for module in examined:
            for call, maker in self.calls_of_makers(module):
                given = literals(call)
                value = f"{maker.value}({given})" if given else ""
                made = Candidate(value, module, call.lineno, "flask", call)
                made.tier, made.maker = LITERAL, maker
                calls.setdefault(maker.node, []).append(made)
        for maker in self.makers.values():
            made_by_code = calls.get(maker.node, [])
            with_literals = [made for made in made_by_code if made.value]
            always = bool(made_by_code) and len(with_literals) == len(made_by_code)
            if not maker.needs_arguments and not (always and maker.misses_arguments):
                value, module = f"{maker.value}()", maker.scope.module
                made = Candidate(value, module, maker.node.lineno, "flask", maker.node)
                made.tier, made.maker = FACTORY, maker
                yield made
            yield from with_literals

    def calls_of_makers(self, module: Module) -> Iterator[tuple[ast.Call, Maker]]:
        """The calls of factories in a module, wherever they stand."""
        if not self.makers:
            return
        names = {re.split("[:.]", maker.value)[-1] for maker in self.makers.values()}
        imported: dict[str, str] = {}  # also those inside functions
        calls = []
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    target = f"{module.absolute(node)}.{alias.name}".lstrip(".")
                    imported[alias.asname or alias.name] = target
                    if alias.name in names:
                        names.add(alias.asname or alias.name)
            elif isinstance(node, ast.Call):
                calls.append(node)
        for node in calls:
            name = dotted(node.func)
            if name.rpartition(".")[2] not in names:
                continue
            ends = self.code.follow(module.scope, name)
            if not ends and name in imported:
                ends = self.code.absolute(imported[name])
            makers = [maker for end in ends if (maker := self.maker_at(end))]
            if makers:
                yield node, makers[0]

    def maker_at(self, end: End) -> Maker | None:
        """The factory to which a name leads, also a method of a class."""
        node = end.name.node if end.name is not None else None
        if not isinstance(node, ast.ClassDef):
            return None if end.rest or node is None else self.makers.get(node)
        methods = [part for part in node.body if getattr(part, "name", "") == end.rest]
        return self.makers.get(methods[0]) if methods else None

    # What settings name

    def named(self, bound: dict[str, set[str]]) -> list[Candidate]:
        """The apps that FLASK_APP, `flask --app` or a server's command names."""
        found = []
        for path in self.files.settings:
            folder, _, name = path.rpartition("/")
            readme = name.startswith("README")
            whole = read(os.path.join(self.root, path)).decode(errors="replace")
            for line, text in joined_lines(whole):
                if text.lstrip().startswith("#") and not readme:
                    continue
                app, server = self.named_in(text, folder), False
                if app is None and not readme:
                    app, server = self.served_in(text, folder, bound), True
                if app is not None:
                    order = (setting_order(name, server), path.count("/"), path, line)
                    found.append((order, replace(app, where=f"{path}:{line}")))
        found.sort(key=lambda pair: pair[0])
        return [app for _, app in found]

    def named_in(self, text: str, folder: str) -> Candidate | None:
        """The app that a line names for the flask command."""
        for match in [*FLASK_APP.finditer(text), *FLASK_OPTION.finditer(text)]:
            value = first(match.groups(""))
            path, *attribute = re.split(r":(?![\\/])", value.strip(), maxsplit=1)
            module = self.module_at(path, folder)
            if module is None:
                continue
            if attribute:
                app = self.attribute(module, attribute[0], trusted=True)
            else:
                app = self.only_app(module)
            if app is not None:
                return self.underlying(app) if self.starts(app) else app
        return None

    def served_in(
        self, text: str, folder: str, bound: dict[str, set[str]]
    ) -> Candidate | None:
        """The app that a server's command names in a line."""
        if not SERVER.search(text):
            return None
        chdir = re.search(r"--chdir[= ](\S+)", text)
        folder = os.path.join(folder, chdir[1]) if chdir else folder
        for match in sorted(SERVED.finditer(text), key=lambda match: not match[2]):
            module = self.module_at(match[1], folder)
            for name in [match[2]] if match[2] else ["application", "app"]:
                app = self.attribute(module, name) if module else None
                if app is not None:
                    tied = bound.get(app.value) and not self.starts(app)
                    return app if tied else self.underlying(app)
        return None

    def module_at(self, name: str, folder: str) -> Module | None:
        """The module that FLASK_APP or a server means by a path or a dotted name."""
        name = name.replace("\\", "/").rstrip("/")
        names = [name] if name.endswith(".py") else [name, name.replace(".", "/")]
        if name.startswith("/"):  # in a container: /app/wsgi.py
            parts = name.strip("/").split("/")
            names = ["/".join(parts[start:]) for start in range(len(parts))]
        for base in (folder, "", self.source_root):
            for name in names:
                path = os.path.normpath(os.path.join(base, name)).replace(os.sep, "/")
                for end in ("", ".py", "/__init__.py"):
                    if path + end in self.by_path:
                        return self.by_path[path + end]
        end = f"/{names[-1].removesuffix('.py')}.py"
        same = [module for module in self.modules if module.path.endswith(end)]
        return same[0] if len(same) == 1 else None

    def attribute(
        self, module: Module, text: str, trusted: bool = False
    ) -> Candidate | None:
        """The app that `name`, `name()` or `name('x')` is in a module.

        What the flask command is given is trusted to be an app, if it is there.
        """
        node = parse_expression(text)
        call = node if isinstance(node, ast.Call) else None
        name = dotted(call.func if call else node)
        given = literals(call) if call else ""
        if not name or given is None:
            return None
        value = f"{module.name}:{name}"
        for end in self.code.follow(module.scope, name):
            if end.name is not None and end.name.late:
                continue  # made only when a function is called
            maker = self.maker_at(end)
            kind = "connexion" if call else self.kinds.of_end(end)
            if maker is not None:
                if maker.needs_arguments and not given:
                    continue
                end_value = f"{value}({given})"
            elif call or kind not in ("flask", "connexion"):
                if not trusted or end.rest or (end.scope and end.name is None):
                    continue
                end_value = f"{value}({given})" if call else value
            else:
                end_value = f"{value}.app" if kind == "connexion" else value
            made_by = end.name.node if end.name else None
            app = Candidate(end_value, module, 1, "flask", made_by, end.scope)
            app.maker = maker
            return app
        lazy = [app for app in self.objects if app.value == value]
        return lazy[0] if lazy else None

    def only_app(self, module: Module) -> Candidate | None:
        """The app that the flask command finds in a module that it is given."""
        objects = {app.name: app for app in self.objects if app.module is module}
        for name in module.scope.names:
            app = self.attribute(module, name)
            if app is not None and app.maker is None:
                objects[name] = app
        for name in ("app", "application"):
            if name in objects:
                return objects[name]
        if len(objects) == 1:
            return next(iter(objects.values()))
        for name in ("create_app", "make_app"):
            app = self.attribute(module, name)
            if app is not None:
                return app
        for name in ("app", "application"):
            for meaning in module.scope.names.get(name, ()):
                if meaning.kind in ("value", "import"):
                    return self.attribute(module, name, trusted=True)
        return None

    def underlying(self, app: Candidate) -> Candidate:
        """The same app from where it is made, where an entry file only imports it or
        has it from a factory."""
        if app.maker is not None or app.scope is None:
            return app
        if isinstance(app.node, ast.Call):
            given = literals(app.node)
            for end in self.code.follow(app.scope, dotted(app.node.func)):
                maker = self.maker_at(end)
                if maker and given is not None and (given or not maker.needs_arguments):
                    module = maker.scope.module
                    value = f"{maker.value}({given})"
                    return replace(app, value=value, module=module, maker=maker)
        if app.scope.module is not app.module and app.scope.parent is None:
            for candidate in self.objects:
                if candidate.node is app.node:
                    return candidate
        return app

    # What else

    def metadata(
        self, dbs: list[Candidate], db: tuple[Found, ...]
    ) -> tuple[Found, ...]:
        """The metadata of the models, where the db has none or they hang on another."""
        roots, count = self.roots, self.roots.count
        others = {
            base.value: base
            for base in roots.bases
            if roots.owner(base.value) == base.value
        }
        has_metadata = bool(db) and (not dbs or dbs[0].kind == "db")
        if has_metadata:
            if count[roots.owner(db[0].value)] or not any(count[b] for b in others):
                return ()
            others = {value: base for value, base in others.items() if count[value]}

        def order(base: Candidate) -> tuple:
            path = base.module.path
            return (-count[base.value], base.is_decoy, base.module.depth, path)

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

    def unreached(
        self,
        apps: list[Candidate],
        db: tuple[Found, ...],
        metadata: tuple[Found, ...],
    ) -> tuple[str, ...]:
        """The modules with models of this metadata that nothing imports so far."""
        reached: set[str] = set()
        for app in apps:
            reached |= self.reach.of(app.home, app.maker)
        for found in [*db[:1], *metadata[:1]]:
            reached |= self.reach.of(found.value.partition(":")[0], None)
        target = (metadata or db)[0].value if metadata or db else ""
        wanted = {self.roots.owner(target.removesuffix(".metadata")), UNKNOWN}
        return tuple(
            sorted(
                module.name
                for module, roots in self.roots.models.items()
                if module.name not in reached
                and (not target or wanted & {self.roots.owner(root) for root in roots})
                and module.name.rpartition(".")[2] not in RUN
                and not DECOY.search(module.path)
                and not starts_server(module)
            )
        )

    def is_early(self, app: Candidate, db: Candidate) -> bool:
        """Whether the db is there once the module of the app is imported."""
        module, _, name = db.value.partition(":")
        home = self.code.modules.get(module)
        meanings = home.scope.names.get(name, []) if home is not None else []
        values = [meaning for meaning in meanings if meaning.kind == "value"]
        # A function that binds the name again makes the db, as in `global db`.
        is_made = bool(values) and not any(meaning.late for meaning in values)
        return is_made and module in self.reach.of(app.home, None)

    def directory(self) -> str | None:
        """The migrations folder: the one that is named, else the shallowest."""
        environments = sorted(self.files.environments, key=lambda e: (e.count("/"), e))
        for path in [*self.locations(), *self.migrate_directories(environments)]:
            path = os.path.normpath(path).replace(os.sep, "/")
            if path in environments:
                return path
            full = os.path.join(self.root, path)
            inside = not os.path.isabs(path) and path.split("/")[0] != ".."
            if inside and any(
                os.path.exists(os.path.join(full, name))
                for name in ("env.py", "versions", "script.py.mako")
            ):
                return path
        return environments[0] if environments else None

    def locations(self) -> Iterator[str]:
        """What alembic.ini and pyproject.toml name as script_location."""
        settings = sorted(self.files.settings, key=lambda path: path.count("/"))
        for path in settings:
            folder, _, name = path.rpartition("/")
            text = read(os.path.join(self.root, path)).decode(errors="replace")
            if name == "pyproject.toml":
                text = "\n".join(TOML_ALEMBIC.findall(text))
            elif name != "alembic.ini":
                continue
            for location in LOCATION.findall(text):
                location = location.strip().replace("%(here)s", ".")
                if re.fullmatch(r"[\w.]+:[\w./-]+", location):  # package:folder
                    package, _, inner = location.partition(":")
                    location = os.path.join(package.replace(".", "/"), inner)
                    yield os.path.join(self.source_root, location)
                yield os.path.join(folder, location)
                yield location

    def migrate_directories(self, environments: list[str]) -> Iterator[str]:
        """What Migrate(..., directory=...) names, as far as literals say it."""
        for module in self.modules:
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
                    for end in self.code.follow(module.scope, dotted(value)):
                        value = end.name.node if end.name else value
                    path = "/".join(texts(value)).strip("/")
                    if path:
                        yield path
                        yield from [e for e in environments if f"/{e}".endswith(path)]


UNKNOWN = "?"  # the root of models that hang on something which is not understood


class Roots:
    """On which db, declarative base or metadata models and tables hang."""

    def __init__(self, code: Code, kinds: Kinds):
        self.code = code
        self.kinds = kinds
        self.bases: list[Candidate] = []
        self.owners: dict[str, str] = {}  # "shop.base:Base" -> "shop:db"
        self.models: dict[Module, set[str]] = {}
        self.count: Counter[str] = Counter()
        self.places: dict[str, Found] = {}  # the first model of each root

    def adopt(self, db: Candidate) -> None:
        """Note the bases and the metadata that a db is made with: they are its own."""
        if isinstance(db.node, ast.Call) and db.kind in DATABASES:
            given = [*db.node.args, *(word.value for word in db.node.keywords)]
            for node in given:
                root = self.of(node, db.scope)
                if root:
                    self.owners[root] = db.value

    def adopt_bases(self) -> None:
        """Note the metadata that a base is made with: it is what its models hang on."""
        for base in self.bases:
            given: list[ast.AST] = []
            if isinstance(base.node, ast.Call):
                given = [word.value for word in base.node.keywords]
                given += [base.node.func] if base.kind == "base" else base.node.args
            elif isinstance(base.node, ast.ClassDef):
                for part in base.node.body:
                    given += [
                        value
                        for target, value, _ in assigned(part)
                        if dotted(target) in ("metadata", "registry")
                    ]
            for node in given:
                root = self.of(node, base.scope)
                if root and self.owner(root) != base.value:
                    self.owners.setdefault(base.value, root)

    def owner(self, root: str) -> str:
        """The db or metadata that a base belongs to in the end."""
        for _ in range(10):
            if root not in self.owners:
                break
            root = self.owners[root]
        return root

    def is_base(self, node: ast.ClassDef, scope: Scope) -> bool:
        """Whether a class is itself a declarative base."""
        if any(
            dotted(getattr(mark, "func", mark)).endswith("as_declarative")
            for mark in node.decorator_list
        ):
            return True
        names = [dotted(base) for base in node.bases]
        names += [dotted(word.value) for word in node.keywords]
        ends = [end for name in names for end in self.code.follow(scope, name)]
        return any(
            end.scope is None
            and re.search(r"\.(DeclarativeBase(NoMeta)?|DeclarativeMeta)$", end.key)
            for end in ends
        ) or any(self.kinds.of(base, scope) == "base" and not dotted(base)
                 for base in node.bases)  # fmt: skip

    def of(self, node: ast.AST | None, scope: Scope | None) -> str:
        """The root that an expression stands for or hangs on, "" if it is no such."""
        if scope is None:
            return ""
        if isinstance(node, ast.Call):
            node = node.func
        name = dotted(node)
        if not name and isinstance(node, ast.Attribute):
            return self.of(node.value, scope)
        key = ("root", name, scope)
        return self.kinds.once(
            key,
            lambda: first(self.of_end(end) for end in self.code.follow(scope, name)),
        )

    def of_end(self, end: End) -> str:
        if end.scope is None:
            return self.of_outside(end.key)
        if end.name is None:
            return ""
        node, value = end.name.node, f"{end.scope.module.name}:{end.key}"
        if isinstance(node, ast.ClassDef):
            held = end.rest.partition(".")[0]
            if held and self.kinds.held(end.scope, node, held) in DATABASES:
                return f"{value}.{held}"
            return self.of_class(node, end.scope)
        if end.name.kind != "value":
            return ""
        kind = self.kinds.of_name(end.name, end.scope)
        if kind in DATABASES:
            return value if end.rest in ("", "Model", "Table", "metadata") else ""
        if kind in ("base", "metadata", "registry"):
            return value
        for outer, cls in self.kinds.classes(node, end.scope):
            held = end.rest.partition(".")[0]
            if self.kinds.held(outer, cls, held) in DATABASES:
                return f"{value}.{held}"
        return self.of(node, end.scope)  # Model = db.Model

    def of_outside(self, name: str) -> str:
        """The root of something that an installed package holds."""
        if name == "sqlmodel.SQLModel":
            return "sqlmodel:SQLModel"
        owner, _, last = name.rpartition(".")
        module, _, db = owner.rpartition(".")
        outside = module and db in DB_NAMES and last in ("Model", "Table", "metadata")
        return f"{module}:{db}" if outside else ""

    def of_class(self, node: ast.ClassDef, scope: Scope) -> str:
        """What a class of the tree hangs on."""
        if self.is_base(node, scope):
            return f"{scope.module.name}:{node.name}"
        marks = [getattr(mark, "func", mark) for mark in node.decorator_list]
        mapped = [m.value for m in marks if isinstance(m, ast.Attribute)]
        return self.kinds.once(
            (node, "root"),
            lambda: first(self.of(base, scope) for base in [*node.bases, *mapped]),
        )

    def read_models(self, modules: list[Module]) -> None:
        """Read which modules hold models or tables, and on what these hang."""
        self.adopt_bases()
        for module in modules:
            if not module.has(MODELS):
                continue
            tree = module.tree
            if not module.is_parsed and MODEL_LINES.search(module.data):
                self.models[module] = {UNKNOWN}
            for stmt, _ in statements(tree.body):
                name, root = "", ""
                if isinstance(stmt, ast.ClassDef):
                    name, root = stmt.name, self.of_model(stmt, module.scope)
                elif isinstance(stmt, (ast.Assign, ast.AnnAssign, ast.Expr)):
                    root = self.of_table(stmt.value, module.scope)
                if not root:
                    continue
                where = Found(f"{module.name}:{name}", f"{module.path}:{stmt.lineno}")
                self.models.setdefault(module, set()).add(root)
                self.count[self.owner(root)] += 1
                self.places.setdefault(root, where)

    def of_model(self, node: ast.ClassDef, scope: Scope) -> str:
        """The root of a class that has a table, "" for any other class."""
        set_here = {dotted(t): v for part in node.body for t, v, _ in assigned(part)}
        abstract = set_here.get("__abstract__")
        if isinstance(abstract, ast.Constant) and abstract.value:
            return ""
        if self.is_base(node, scope):
            return ""
        root = self.of_class(node, scope)
        if root == "sqlmodel:SQLModel":
            return root if any(word.arg == "table" for word in node.keywords) else ""
        named = "__tablename__" in set_here or "__table__" in set_here
        return root or (UNKNOWN if named and node.bases else "")

    def of_table(self, node: ast.AST | None, scope: Scope) -> str:
        """The root of a table that a call makes."""
        if not isinstance(node, ast.Call):
            return ""
        name = dotted(node.func)
        if name.rpartition(".")[2] != "Table":
            return ""
        root = self.of(node.func, scope)
        if root:
            return root  # db.Table
        ends = self.code.follow(scope, name)
        if not any(end.scope is None and end.key.startswith("sqla") for end in ends):
            return ""
        given = [*node.args[1:2], *(w.value for w in node.keywords if w.arg)]
        return first(self.of(argument, scope) for argument in given) or UNKNOWN

    def outside(self) -> tuple[Found, ...]:
        """The dbs of installed packages on which models hang."""
        roots = [root for root in self.places if root.partition(":")[2] in DB_NAMES]
        roots = [root for root in roots if root.partition(":")[0] not in
                 self.code.modules]  # fmt: skip
        roots.sort(key=lambda root: (-self.count[root], root))
        return tuple(Found(root, self.places[root].where) for root in roots)

    def outside_metadata(self) -> list[Found]:
        """The metadata of models whose base is not of the tree."""
        found = []
        if "sqlmodel:SQLModel" in self.places:
            where = self.places["sqlmodel:SQLModel"].where
            found.append(Found("sqlmodel:SQLModel.metadata", where))
        model = self.places.get(UNKNOWN)
        if model is not None and not model.value.endswith(":"):
            found.append(Found(f"{model.value}.metadata", model.where))
        return found


class Reach:
    """Which modules run when a module is imported, and when a factory is called."""

    def __init__(self, code: Code, kinds: Kinds):
        self.code = code
        self.kinds = kinds
        self.known: dict[tuple[str, ast.AST | None], set[str]] = {}
        self.effects: dict[Scope, tuple[list[str], list[str]]] = {}

    def of(self, name: str, maker: Maker | None) -> set[str]:
        """The modules that run when one is imported (and its factory is called)."""
        key = (name, maker.node if maker else None)
        if key not in self.known:
            scopes = []
            if maker is not None:
                scope = self.code.function_scope(maker.scope, maker.node, maker.owner)
                scopes = [scope]
            self.known[key] = self.run(name, scopes)
        return self.known[key]

    def run(self, name: str, stack: list[Scope]) -> set[str]:
        reached: set[str] = set()
        self.enter(name, reached, stack)
        done: set[Scope] = set()
        while stack:
            scope = stack.pop()
            if scope in done:
                continue
            done.add(scope)
            imports, calls = self.effects_of(scope)
            for target in imports:
                self.enter(target, reached, stack)
            for name in calls:
                stack += self.called(scope, name)
        return reached

    def enter(self, name: str, reached: set[str], stack: list[Scope]) -> None:
        """Import a module with the packages above it; what is no module is passed."""
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            module = self.code.modules.get(".".join(parts[:count]))
            if module is not None and module.name not in reached:
                reached.add(module.name)
                stack.append(module.scope)

    def effects_of(self, scope: Scope) -> tuple[list[str], list[str]]:
        """What a module or function imports, and the names of what it calls."""
        if scope in self.effects:
            return self.effects[scope]
        imports, calls = [], []
        for node in executed(scope.body):
            if isinstance(node, ast.Import):
                imports += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = scope.module.absolute(node)
                imports += [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            elif isinstance(node, ast.Call) and (name := called_name(node)):
                calls.append(name)
                if name.rpartition(".")[2] in IMPORTERS:
                    imports += imported_text(node, scope.module)
        self.effects[scope] = imports, list(dict.fromkeys(calls))
        return self.effects[scope]

    def called(self, scope: Scope, name: str) -> Iterator[Scope]:
        """The functions of the tree that run when a name is called."""
        owner, _, method = name.partition(".")
        if owner in ("self", "cls") and scope.owner is not None:
            yield from self.methods(scope.owner, scope, method, 0)
            return
        for end in self.code.follow(scope, name):
            if end.scope is None or end.name is None:
                continue
            node = end.name.node
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield self.code.function_scope(end.scope, node)
            elif isinstance(node, ast.ClassDef):
                yield from self.methods(node, end.scope, end.rest or "__init__", 0)
            elif end.rest:
                for outer, cls in self.kinds.classes(node, end.scope):
                    yield from self.methods(cls, outer, end.rest, 0)

    def methods(
        self, node: ast.ClassDef, scope: Scope, name: str, depth: int
    ) -> Iterator[Scope]:
        """The method of a class, or else of the classes of the tree below it."""
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name == name:
                outer = scope.module.scope if scope.owner else scope
                yield self.code.function_scope(outer, part, node)
                return
        for base in node.bases if depth < 10 else ():
            for end in self.code.follow(scope, dotted(base)):
                inner = end.name.node if end.name is not None else None
                if isinstance(inner, ast.ClassDef) and inner is not node:
                    yield from self.methods(inner, end.scope, name, depth + 1)


def called_name(call: ast.Call) -> str:
    """The name of what is called; `Builder.build` for `Builder().build()` too."""
    name = dotted(call.func)
    if not name and isinstance(call.func, ast.Attribute):
        maker = call.func.value
        made = dotted(maker.func) if isinstance(maker, ast.Call) else ""
        name = f"{made}.{call.func.attr}" if made else ""
    return name


IMPORTERS = ("import_module", "__import__", "import_string")


def imported_text(node: ast.Call, module: Module) -> list[str]:
    """The module that import_module("...") names, where it is a literal."""
    first_given = node.args[0] if node.args else None
    if not isinstance(first_given, ast.Constant):
        return []
    name = first_given.value
    if not isinstance(name, str):
        return []
    level = len(name) - len(name.lstrip("."))
    relative = ast.ImportFrom(module=name.lstrip("."), names=[], level=level)
    return [module.absolute(relative).replace(":", ".")]


def starts_server(module: Module) -> bool:
    """Whether importing a module starts a server: app.run() without a guard."""
    if b"run" not in module.data and b"serve" not in module.data:
        return False
    for stmt, guarded in statements(module.tree.body):
        node = getattr(stmt, "value", None)
        if guarded or not isinstance(node, ast.Call):
            continue
        owner, _, called = dotted(node.func).rpartition(".")
        if called in ("run", "serve_forever", "run_forever") and owner:
            return True
        if called in ("serve", "run_simple"):
            return True
    return False


def literals(call: ast.Call) -> str | None:
    """The arguments of a call as text, None where one of them is no literal."""
    try:
        for node in [*call.args, *(word.value for word in call.keywords)]:
            ast.literal_eval(node)
        if any(word.arg is None for word in call.keywords):
            return None
        given = ", ".join(map(ast.unparse, [*call.args, *call.keywords]))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    safe = "{{" not in given and "{%" not in given and len(given) <= 200
    return given if safe else None


def parse_expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def value_of(end: End) -> str:
    """What a name leads to, written as an answer."""
    module = end.scope.module.name if end.scope else ""
    return f"{module}:{end.key}" + (f".{end.rest}" if end.rest else "")


def compared(function: ast.FunctionDef) -> list[str]:
    """The names that a module's __getattr__ knows."""
    return [
        constant.value
        for node in ast.walk(function)
        if isinstance(node, ast.Compare)
        for constant in ast.walk(node)
        if isinstance(constant, ast.Constant)
        and isinstance(constant.value, str)
        and constant.value.isidentifier()
    ]


def texts(node: ast.AST | None) -> list[str]:
    """The literal parts of a path: os.path.join(base, "db", "migrations")."""
    return [
        part.value.strip("/")
        for part in ast.walk(node) if node is not None
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]  # fmt: skip


def joined_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers; those that end in \\ with the next."""
    begun, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if begun else number
        line = re.sub(r"""["']\s*,\s*["']""", " ", begun + line)  # ["flask", "run"]
        if line.endswith("\\") and len(line) < 10_000:
            begun = line[:-1] + " "
            continue
        begun = ""
        yield start, line[:10_000]


def setting_order(name: str, server: bool) -> tuple[int, int]:
    """How strong it is that a file of settings names an app, the strongest first."""
    lower = name.lower()
    if name.startswith("README"):
        return 2, 0
    order = 4
    if name == ".flaskenv":
        order = 0
    elif name == ".env":
        order = 1
    elif ".env" in name:
        order = 2
    elif re.search("procfile|dockerfile|compose", lower):
        order = 3
    return int(server), order


def place(names: list[str], name: str) -> int:
    """The place of a name among the conventional ones, after them if it is none."""
    return names.index(name) if name in names else len(names)


def distinct(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates without those whose value came before."""
    firsts: dict[str, Candidate] = {}
    for candidate in candidates:
        firsts.setdefault(candidate.value, candidate)
    return list(firsts.values())
