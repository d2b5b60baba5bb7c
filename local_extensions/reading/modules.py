"""Parses a Python file when its names are asked for."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from .syntax import assigned, dotted, statements

MAX_PARSED = 1_000_000  # bytes; of what is beyond it only the import lines are read
# Files with these are parsed whatever was before them.
ALWAYS = (b"Flask(", b"SQLAlchemy(", b"def create_app", b"_engine(", b"connexion")
IMPORT_LINES = re.compile(
    rb"^(?:from[ \t]+[\w.]+[ \t]+import[ \t]+(?:\([^)]*\)|[^\n(\\]*)"
    rb"|import[ \t]+[^\n\\]*)",
    re.MULTILINE,
)


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
    function: ast.AST | None = None  # of a global: the function that assigns it

    @property
    def late(self) -> bool:
        """Whether it has no value before a function is called."""
        return self.function is not None


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

    def collect(self, body: list[ast.stmt]) -> None:
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
                    self.bind_value(target, value, annotation, guarded)

    def bind(self, key: str, name: Name) -> None:
        self.names.setdefault(key, []).append(name)

    def bind_value(self, target, value, annotation, guarded, function=None) -> None:
        parts = [(target, None)]
        if isinstance(target, (ast.Tuple, ast.List)):
            parts = [(part, index) for index, part in enumerate(target.elts)]
        for part, index in parts:
            if key := dotted(part):
                known = (index, annotation, guarded, function)
                self.bind(key, Name("value", part.lineno, "", value, *known))

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
                        self.bind_value(target, value, annotation, False, node)


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
    is_broken = False

    def has(self, words: Iterable[bytes]) -> bool:
        return any(word in self.data for word in words)

    @cached_property
    def tree(self) -> ast.Module:
        data = self.data
        if len(data) > self.budget[0] and not self.has(ALWAYS):
            self.is_parsed = False
            data = b"\n".join(IMPORT_LINES.findall(data))
        self.budget[0] -= len(data)
        try:
            return ast.parse(data)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            self.is_broken = True
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
