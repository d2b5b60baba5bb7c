"""Reads a tree of Python code without running it: its files, and what a name means.

Four layers, each used by the next: `walk` lists the files worth reading, `Module`
parses one of them on demand, `Code` follows a dotted name through assignments and
imports to the places where it is defined, `Kinds` says what an expression makes: a
Flask app, a SQLAlchemy object, an engine, a declarative base.
"""

from __future__ import annotations

import ast
import keyword
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

MAX_FILES = 20_000  # Python files read
MAX_FOLDERS = 20_000
MAX_FILE = 1_000_000  # bytes; a larger file is generated code or data
MAX_READ = 64_000_000  # bytes of Python in all
MAX_PARSED = 1_500_000  # bytes; of what is beyond it only the import lines are read
MAX_DOTS = 15  # a longer name is an import that leads to itself

SKIPPED = set(
    "site-packages dist-packages node_modules bower_components __pycache__ venv "
    "virtualenv tests test testing build dist vendor _vendor vendored third_party "
    "thirdparty".split()
)
SPARE = {"docs", "doc", "examples", "example", "samples"}
ENVIRONMENT_MARKS = {"pyvenv.cfg", "conda-meta", "activate_this.py"}
TEST_FILE = re.compile(r"(test_.*|.*_test|tests?|conftest)\.py")
SETTINGS = re.compile(
    r"\.flaskenv|\.env(\..+)?|[\w.-]+\.env|Procfile(\..+)?|(.+\.)?[Dd]ockerfile(\..+)?"
    r"|(docker-)?compose.*\.ya?ml|(app|fly|render|Taskfile)\.(ya?ml|toml)|[Mm]akefile"
    r"|[Jj]ustfile|.+\.sh|.+\.service|supervisor.*\.conf|.*uwsgi.*|pyproject\.toml"
    r"|(entrypoint|start|boot|run)|tox\.ini|setup\.cfg|alembic\.ini|README.*"
)
IMPORT_LINES = re.compile(
    rb"^(?:from[ \t]+[\w.]+[ \t]+import[ \t]+(?:\([^)]*\)|[^\n(\\]*)"
    rb"|import[ \t]+[^\n\\]*)",
    re.MULTILINE,
)
IMPORTED = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(\w+)", re.MULTILINE)


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
        or "{{" in name
        or name.endswith((".egg-info", ".egg", ".dist-info"))
    )


def is_alembic(root: str, prefix: str, names: list[str], folders: list[str]) -> bool:
    """Whether the folder is an Alembic environment."""
    beside = "versions" in folders or "script.py.mako" in names
    return (
        beside
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


@dataclass
class Name:
    """One meaning of a name in a scope."""

    kind: str  # "import", "value", "function", "class" or "parameter"
    line: int
    target: str = ""  # of an import: the absolute dotted name
    node: ast.AST | None = None  # of a value: its expression; else the definition
    index: int | None = None  # of a value that is unpacked: which one it is
    annotation: ast.expr | None = None
    guarded: bool = False  # below `if __name__ == "__main__"`
    late: bool = False  # a global that a function assigns


class Scope:
    """The names that a module or a function binds."""

    def __init__(
        self,
        module: Module,
        body: list[ast.stmt],
        parent: Scope | None = None,
        owner: ast.ClassDef | None = None,
    ):
        self.module = module
        self.body = body
        self.parent = parent
        self.owner = owner  # the class whose method this is
        self.names: dict[str, list[Name]] = {}
        self.stars: list[str] = []  # modules of `from module import *`
        self.collect(body)

    def collect(self, body: list[ast.stmt], late: bool = False) -> None:
        for node, guarded in statements(body):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    target = alias.name if alias.asname else alias.name.split(".")[0]
                    self.bind(alias.asname or target, Name("import", 0, target))
            elif isinstance(node, ast.ImportFrom):
                base = self.module.absolute(node)
                for alias in node.names:
                    if alias.name == "*":
                        self.stars.append(base)
                        continue
                    target = f"{base}.{alias.name}" if base else alias.name
                    name = Name("import", node.lineno, target)
                    self.bind(alias.asname or alias.name, name)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.bind(node.name, Name("function", node.lineno, node=node))
            elif isinstance(node, ast.ClassDef):
                self.bind(node.name, Name("class", node.lineno, node=node))
            else:
                for target, value, annotation in assigned(node):
                    self.bind_value(target, value, annotation, guarded, late)

    def bind(self, key: str, name: Name) -> None:
        self.names.setdefault(key, []).append(name)

    def bind_value(self, target, value, annotation, guarded, late) -> None:
        parts = [(target, None)]
        if isinstance(target, (ast.Tuple, ast.List)):
            parts = [(part, index) for index, part in enumerate(target.elts)]
        for part, index in parts:
            if key := dotted(part):
                line = part.lineno
                name = Name("value", line, "", value, index, annotation, guarded, late)
                self.bind(key, name)

    def add_globals(self) -> None:
        """Bind what functions assign to names that they declare global."""
        for node in ast.walk(self.module.tree):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            declared = [stmt for stmt, _ in statements(node.body)]
            names = {
                name
                for stmt in declared
                if isinstance(stmt, ast.Global)
                for name in stmt.names
            }
            for stmt in declared:
                for target, value, annotation in assigned(stmt):
                    if dotted(target) in names:
                        self.bind_value(target, value, annotation, False, True)


@dataclass(eq=False)
class Module:
    """One Python file: its dotted name, and its syntax tree when it is asked for."""

    name: str
    path: str
    data: bytes
    budget: list[int]  # bytes that may still be parsed, shared by all modules

    @property
    def is_package(self) -> bool:
        return self.path.endswith("__init__.py")

    @property
    def depth(self) -> int:
        return self.name.count(".")

    is_parsed = True

    def has(self, words: list[bytes]) -> bool:
        return any(word in self.data for word in words)

    @cached_property
    def tree(self) -> ast.Module:
        data = self.data
        if len(data) > self.budget[0]:
            self.is_parsed = False
            data = b"\n".join(IMPORT_LINES.findall(data))
        self.budget[0] -= len(data)
        try:
            return ast.parse(data)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return ast.Module(body=[], type_ignores=[])

    @cached_property
    def scope(self) -> Scope:
        scope = Scope(self, self.tree.body)
        if b"global " in self.data:
            scope.add_globals()
        return scope

    def absolute(self, node: ast.ImportFrom) -> str:
        """The absolute name of the module from which a statement imports."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        keep = len(parts) - node.level + (1 if self.is_package else 0)
        return ".".join([*parts[: max(keep, 0)], *filter(None, [node.module])])


class End(NamedTuple):
    """Where a dotted name leads: to a name of the tree, or out of it."""

    scope: Scope | None  # None: outside of the tree
    name: Name | None  # None: a module of the tree
    key: str  # the name's own, or the whole dotted name of something outside
    rest: str  # the attributes that are left


class Code:
    """The modules of a tree, and what their names mean."""

    def __init__(self, modules: list[Module]):
        self.modules = {module.name: module for module in reversed(modules)}
        self.local: dict[ast.AST, Scope] = {}

    def function_scope(
        self, scope: Scope, node: ast.AST, owner: ast.ClassDef | None = None
    ) -> Scope:
        """The scope of a function that is defined in the scope given."""
        if node not in self.local:
            inner = Scope(scope.module, node.body, scope, owner)
            arguments = node.args
            for argument in [
                *arguments.posonlyargs,
                *arguments.args,
                *arguments.kwonlyargs,
            ]:
                inner.bind(argument.arg, Name("parameter", node.lineno))
            for stmt, _ in statements(node.body):
                if isinstance(stmt, ast.Global):
                    for name in stmt.names:
                        inner.names.pop(name, None)
            self.local[node] = inner
        return self.local[node]

    def follow(self, scope: Scope, name: str) -> list[End]:
        """The places to which a dotted name leads, as seen from a scope."""
        try:
            return self.follow_on(scope, name, set()) if name else []
        except RecursionError:  # a chain of a thousand imports
            return []

    def follow_on(self, scope: Scope, name: str, seen: set) -> list[End]:
        head, _, rest = name.partition(".")
        while head not in scope.names and scope.parent is not None:
            scope = scope.parent
        if (id(scope), name) in seen or name.count(".") > MAX_DOTS:
            return []
        seen.add((id(scope), name))
        if rest and name in scope.names:  # app.db = SQLAlchemy(app)
            return [End(scope, meaning, name, "") for meaning in scope.names[name]]
        ends = []
        for meaning in scope.names.get(head, ()):
            if meaning.kind == "import":
                target = f"{meaning.target}.{rest}" if rest else meaning.target
                ends += self.absolute(target, seen)
            else:
                ends.append(End(scope, meaning, head, rest))
        if head not in scope.names:
            for star in scope.stars:
                ends += self.absolute(f"{star}.{name}", seen)
        return ends

    def absolute(self, name: str, seen: set | None = None) -> list[End]:
        """The places to which an absolute dotted name leads."""
        seen = set() if seen is None else seen
        module, rest = self.split(name)
        if module is None:
            return [End(None, None, name, "")]
        if rest:
            return self.follow_on(module.scope, rest, seen)
        parent, _, last = name.rpartition(".")
        if parent in self.modules and last in self.modules[parent].scope.names:
            ends = self.follow_on(self.modules[parent].scope, last, seen)
            if ends:  # the package's own attribute hides the module of this name
                return ends
        return [End(module.scope, None, "", "")]

    def split(self, name: str) -> tuple[Module | None, str]:
        """The longest module of the tree that a dotted name begins with, the rest."""
        parts = name.split(".")
        for count in range(len(parts), 0, -1):
            module = self.modules.get(".".join(parts[:count]))
            if module is not None:
                return module, ".".join(parts[count:])
        return None, name


def read_all(root: str, paths: list[str]) -> dict[str, bytes]:
    """The contents of files by their path, as much as may be read in all."""
    contents, left = {}, MAX_READ
    for path in paths:
        contents[path] = read(os.path.join(root, path), min(MAX_FILE, left))
        left -= len(contents[path])
    return contents


def modules_of(contents: dict[str, bytes], source_root: str) -> list[Module]:
    """The files that can be imported, under the names they are imported by."""
    modules, budget = [], [MAX_PARSED]
    for path, data in contents.items():
        name = module_name(path, source_root)
        if name is not None:
            modules.append(Module(name, path, data, budget))
    # Of two of one name Python imports the package, and what the source root holds.
    return sorted(
        modules,
        key=lambda m: (not is_below(m.path, source_root), m.depth, not m.is_package),
    )


def module_name(path: str, source_root: str) -> str | None:
    """The dotted name of a file, None where no import statement can name it."""
    if source_root and is_below(path, source_root):
        path = path[len(source_root) + 1 :]
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    if parts == ["__init__"]:
        return None
    good = all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
    return ".".join(parts) if good else None


def is_below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def guess_source_roots(contents: dict[str, bytes], hot: list[bytes]) -> list[str]:
    """The folders from which the code's own imports may start, the likeliest first.

    For each folder that is no package: how many files below it import something that
    lies in it, against how many import it as a package by its own name. `src` needs no
    import for it, only none against it. The root itself follows ("" for it), then a
    folder with a name that no import can name.
    """
    packages = {path.rpartition("/")[0] for path in contents if "__init__.py" in path}
    inside: dict[str, set[str]] = {}
    for path in contents:
        for folder in ["", *folders_above(path)]:
            below = path[len(folder) + 1 :] if folder else path
            name = below.partition("/")[0].removesuffix(".py")
            inside.setdefault(folder, set()).add(name)
    score: Counter[str] = Counter()
    for path, data in contents.items():
        if not any(word in data for word in hot):
            continue
        imported = {name.decode() for name in IMPORTED.findall(data)}
        own = imported - inside.get("", set())
        for folder in folders_above(path):
            if folder in packages:
                break
            named = folder.partition("/")[0] in imported
            score[folder] += bool(own & inside[folder]) - named
            score[folder] += folder == "src" and not named
    ranked = sorted(score, key=lambda name: (-score[name], name.count("/"), name))
    likely = [folder for folder in ranked if score[folder] > 0][:2]
    odd = [folder for folder in ranked if module_name(f"{folder}/x.py", "") is None]
    return [*likely, "", *odd[:1]]


def folders_above(path: str) -> list[str]:
    """The folders above a path, up to three levels below the root."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(min(len(parts), 3))]


def statements(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, bool]]:
    """Each statement of a body and of its blocks; whether a main guard is above it.

    The bodies of functions and classes are not entered.
    """
    stack = [(node, False) for node in reversed(body)]
    while stack:
        node, guarded = stack.pop()
        yield node, guarded
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        parts = [*getattr(node, "handlers", []), *getattr(node, "cases", [])]
        below = [*(part.body for part in parts)]
        below += [getattr(node, "orelse", []), getattr(node, "finalbody", [])]
        only_main = isinstance(node, ast.If) and is_main_guard(node.test)
        for block in reversed(below):
            stack += [(stmt, guarded) for stmt in reversed(block)]
        block = getattr(node, "body", [])
        stack += [(stmt, guarded or only_main) for stmt in reversed(block)]


def assigned(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr, ast.expr | None]]:
    """Each target of an assignment, with the value and the annotation."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield target, node.value, None
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.target, node.value, node.annotation
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            if item.optional_vars is not None:
                yield item.optional_vars, item.context_expr, None


IMPORTS = (ast.Import, ast.ImportFrom)
LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.alias, ast.operator)


def executed(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Each import and call that runs when a body runs, in no order.

    What a body only defines does not run; of a class the imports count.
    """
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Call, *IMPORTS)):
            yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            stack += node.decorator_list
        elif isinstance(node, ast.ClassDef):
            stack += node.decorator_list
            stack += [
                stmt for stmt, _ in statements(node.body) if type(stmt) in IMPORTS
            ]
        elif isinstance(node, ast.If) and is_never(node.test):
            stack += node.orelse
        elif not isinstance(node, ast.Lambda):
            children = ast.iter_child_nodes(node)
            stack += [child for child in children if not isinstance(child, LEAVES)]


def is_never(test: ast.expr) -> bool:
    """Whether a condition is false while the module is imported at run time."""
    return dotted(test).rpartition(".")[2] == "TYPE_CHECKING" or is_main_guard(test)


def is_main_guard(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.Eq)
        and "__name__" in (dotted(test.left), dotted(test.comparators[0]))
    )


def dotted(node: ast.AST | None) -> str:
    """`a.b.c` for such an expression (also `a.b[x].c`, `"a.b"`), else nothing."""
    parts: list[str] = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


# What an expression is. Kinds are short words: "flask" an app, "connexion" an object
# whose .app is one, "db" and "lite" a SQLAlchemy object with and without metadata,
# "engine", "metadata", "registry", "base", or "" for all else.


def kind_outside(name: str) -> str:
    """What calling (or subclassing) something makes that is not of the tree."""
    top, last = name.partition(".")[0], name.rpartition(".")[2]
    if top == "connexion":
        return "connexion" if last in ("App", "FlaskApp") else ""
    if last in ("FlaskAPI", "Quart", "Eve") or last.endswith("Flask"):
        return "flask"
    if last == "OpenAPI":
        return "flask" if top.startswith("flask") else ""
    if last == "SQLAlchemy" and top != "sqlalchemy" or name == "flask_appbuilder.SQLA":
        return "lite" if top == "flask_sqlalchemy_lite" else "db"
    if top not in ("sqlalchemy", "sqlmodel"):
        if re.fullmatch(r"(create|make|init)_(\w+_)?app(lication)?", last):
            return "flask" if "fastapi" not in name else ""
        return ""
    if last in ("declarative_base", "automap_base"):
        return "base"
    if last.endswith(("create_engine", "create_async_engine", "engine_from_config")):
        return "engine"
    return {"MetaData": "metadata", "registry": "registry"}.get(last, "")


class Kinds:
    """Says what the expressions of some code are."""

    def __init__(self, code: Code):
        self.code = code
        self.known: dict[tuple, str] = {}
        self.held_by: dict[ast.ClassDef, dict[str, str]] = {}

    def once(self, key: tuple, answer) -> str:
        """An answer by its key; nothing for a question that leads to itself."""
        if key not in self.known:
            self.known[key] = ""
            with suppress(RecursionError):
                self.known[key] = answer()
        return self.known[key]

    def of(self, node: ast.AST | None, scope: Scope) -> str:
        """What an expression is."""
        if not isinstance(
            node,
            (ast.Name, ast.Attribute, ast.Call, ast.IfExp, ast.BoolOp, ast.NamedExpr),
        ):
            return ""
        return self.once((node, scope), lambda: self.work_out(node, scope))

    def work_out(self, node: ast.AST, scope: Scope) -> str:
        if isinstance(node, ast.IfExp):
            return self.of(node.body, scope) or self.of(node.orelse, scope)
        if isinstance(node, ast.BoolOp):
            return first(self.of(value, scope) for value in node.values)
        if isinstance(node, ast.NamedExpr):
            return self.of(node.value, scope)
        if isinstance(node, ast.Call):
            return self.of_call(node, scope)
        if name := dotted(node):
            owner, _, attribute = name.partition(".")
            if owner in ("self", "cls") and scope.owner is not None:
                return self.held(scope.parent, scope.owner, attribute)
            return first(self.of_end(end) for end in self.code.follow(scope, name))
        if isinstance(node, ast.Attribute):  # create_app().app
            return attribute_of(self.of(node.value, scope), node.attr)
        return ""

    def of_end(self, end: End) -> str:
        """What a name is that is used as a value."""
        if end.scope is None or end.name is None:
            return ""
        if end.name.kind == "value":
            if not end.rest:
                return self.of_name(end.name, end.scope)
            kind = attribute_of(self.of_name(end.name, end.scope), end.rest)
            return kind or first(
                self.held(scope, node, end.rest)
                for scope, node in self.classes(end.name.node, end.scope)
            )
        if end.name.kind == "class" and end.rest:
            return self.held(end.scope, end.name.node, end.rest)
        return ""

    def of_name(self, name: Name, scope: Scope) -> str:
        """What a name is bound to."""
        if name.index is not None:
            return self.of_part(name, scope)
        kind = self.of(name.node, scope)
        if not kind and isinstance(name.node, (ast.Call, ast.Attribute)):
            kind = self.of_annotation(name.annotation, scope)
        return kind

    def of_part(self, name: Name, scope: Scope) -> str:
        """What one part of an unpacked value is."""
        if isinstance(name.node, (ast.Tuple, ast.List)):
            parts = name.node.elts
            return self.of(parts[name.index], scope) if name.index < len(parts) else ""
        if isinstance(name.node, ast.Call):
            for end in self.code.follow(scope, dotted(name.node.func)):
                if end.name is not None and end.name.kind == "function":
                    inner = self.code.function_scope(end.scope, end.name.node)
                    for node in returned(end.name.node):
                        if isinstance(node, ast.Tuple) and name.index < len(node.elts):
                            return self.of(node.elts[name.index], inner)
        return ""

    def of_annotation(self, node: ast.AST | None, scope: Scope) -> str:
        name = dotted(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        return first(self.of_callee(end) for end in self.follow_class(scope, name))

    def follow_class(self, scope: Scope, name: str) -> Iterator[End]:
        """Where a name leads that stands for a class, not for what a call returns."""
        for end in self.code.follow(scope, name) if name else ():
            outside = end.name is None and not re.search(r"(^|\.)[a-z_]+$", end.key)
            if outside or (end.name is not None and end.name.kind == "class"):
                yield end

    def of_call(self, node: ast.Call, scope: Scope) -> str:
        """What a call makes."""
        name = dotted(node.func)
        if not name:
            if not isinstance(node.func, ast.Attribute):
                return ""
            maker, method = node.func.value, node.func.attr  # Builder().build()
            return method_of(self.of(maker, scope), method) or first(
                self.of_method(cls, outer, method)
                for outer, cls in self.classes(maker, scope)
            )
        ends = self.code.follow(scope, name)
        kind = first(self.of_callee(end) for end in ends)
        if not kind and (name.endswith("cast") or any(map(self.passes, ends))):
            kind = first(self.of(value, scope) for value in node.args)
        return kind

    def of_callee(self, end: End) -> str:
        """What calling the thing at the end of a name makes."""
        if end.scope is None:
            return kind_outside(end.key)
        if end.name is None:
            return ""
        node = end.name.node
        if isinstance(node, ast.FunctionDef) and not end.rest:
            return self.of_function(node, end.scope)
        if isinstance(node, ast.ClassDef):
            if not end.rest:
                return self.of_class(node, end.scope)
            return self.of_method(node, end.scope, end.rest)
        if end.name.kind != "value":
            return ""
        if not end.rest:  # Base = declarative; make = create_app
            return first(
                self.of_callee(other)
                for other in self.code.follow(end.scope, dotted(node))
                if other != end
            )
        kind = method_of(self.of_name(end.name, end.scope), end.rest)
        return kind or first(
            self.of_method(node, scope, end.rest)
            for scope, node in self.classes(node, end.scope)
        )

    def of_class(self, node: ast.ClassDef, scope: Scope) -> str:
        """What an instance of a class of the tree is."""
        return self.once(
            (node, "instance"),
            lambda: first(
                self.of_callee(end)
                for base in node.bases
                for end in self.follow_class(scope, dotted(base))
            ),
        )

    def of_function(
        self, node: ast.FunctionDef, scope: Scope, owner: ast.ClassDef | None = None
    ) -> str:
        """What a function returns."""

        def answer() -> str:
            inner = self.code.function_scope(scope, node, owner)
            values = returned(node)
            kind = first(self.of(value, inner) for value in values)
            passed = [is_parameter(value, inner) for value in values]
            if kind or (values and all(passed)):
                return kind
            return self.of_annotation(node.returns, scope)

        return self.once((node, "returns"), answer)

    def of_method(self, node: ast.ClassDef, scope: Scope, name: str) -> str:
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name == name:
                return self.of_function(part, scope, node)
        return ""

    def passes(self, end: End) -> bool:
        """Whether a function returns a parameter of its own."""
        if end.name is None or not isinstance(end.name.node, ast.FunctionDef):
            return False
        inner = self.code.function_scope(end.scope, end.name.node)
        return any(is_parameter(node, inner) for node in returned(end.name.node))

    def classes(
        self, node: ast.AST | None, scope: Scope
    ) -> Iterator[tuple[Scope, ast.ClassDef]]:
        """The class of the tree of which a value is made."""
        if isinstance(node, ast.Call):
            for end in self.code.follow(scope, dotted(node.func)):
                if end.name is not None and end.name.kind == "class" and not end.rest:
                    yield end.scope, end.name.node

    def held(self, scope: Scope, node: ast.ClassDef, attribute: str) -> str:
        """What an attribute of a class or of its instances is."""
        return self.holds(scope, node).get(attribute, "")

    def holds(self, scope: Scope, node: ast.ClassDef) -> dict[str, str]:
        """The attributes of a class that are of any kind."""
        if node in self.held_by:
            return self.held_by[node]
        found = self.held_by[
            node
        ] = {}  # filled below: an attribute may ask for another
        for part in node.body:
            for target, value, _ in assigned(part):
                if kind := self.of(value, scope):
                    found[dotted(target)] = kind
            if not isinstance(part, ast.FunctionDef):
                continue
            if any("property" in dotted(mark) for mark in part.decorator_list):
                found[part.name] = self.of_function(part, scope, node)
            for stmt, _ in statements(part.body):
                for target, value, _ in assigned(stmt):
                    owner, _, name = dotted(target).partition(".")
                    if owner in ("self", "cls") and name:
                        inner = self.code.function_scope(scope, part, node)
                        if kind := self.of(value, inner):
                            found[name] = kind
        return found


def attribute_of(kind: str, attribute: str) -> str:
    """What an attribute is of an object of a kind."""
    return "flask" if (kind, attribute) == ("connexion", "app") else ""


def method_of(kind: str, method: str) -> str:
    """What a method makes of an object of a kind."""
    made = {("registry", "generate_base"), ("db", "make_declarative_base")}
    return "base" if (kind, method) in made else ""


def first(kinds: Iterable[str]) -> str:
    return next((kind for kind in kinds if kind), "")


def returned(function: ast.FunctionDef) -> list[ast.expr]:
    """What a function returns, the last first."""
    nodes = [
        node.value
        for node, _ in statements(function.body)
        if isinstance(node, ast.Return) and node.value is not None
    ]
    return nodes[::-1]


def is_parameter(node: ast.AST, scope: Scope) -> bool:
    """Whether an expression is a parameter of a function, as it was given."""
    meanings = scope.names.get(dotted(node), ())
    return bool(meanings) and all(name.kind == "parameter" for name in meanings)
