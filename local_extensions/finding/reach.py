"""Which modules run when a module is imported, and when a factory is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..reading.code import Code
from ..reading.kinds import Kinds
from ..reading.modules import Module, Scope
from ..reading.syntax import dotted, executed, statements
from .factories import Maker

IMPORTERS = ("import_module", "__import__", "import_string")


class Reach:
    """Which modules run when a module is imported, and when a factory is called."""

    def __init__(self, code: Code, kinds: Kinds):
        self.code = code
        self.kinds = kinds
        self.known: dict[tuple[str, ast.AST | None], set[str]] = {}
        self.functions: dict[tuple[str, ast.AST | None], set[ast.AST]] = {}
        self.effects: dict[Scope, tuple[list[str], list[str]]] = {}

    def of(self, name: str, maker: Maker | None) -> set[str]:
        """The modules that run when one is imported (and its factory is called)."""
        key = (name, maker.node if maker else None)
        if key not in self.known:
            scopes = []
            if maker is not None:
                scope = self.code.function_scope(maker.scope, maker.node, maker.owner)
                scopes = [scope]
            self.known[key], run = self.run(name, scopes)
            local = self.code.local.items()
            self.functions[key] = {node for node, scope in local if scope in run}
        return self.known[key]

    def called_by(self, name: str, maker: Maker | None) -> set[ast.AST]:
        """The functions that run when a module is imported (and its factory called)."""
        self.of(name, maker)
        return self.functions[name, maker.node if maker else None]

    def run(self, name: str, stack: list[Scope]) -> tuple[set[str], set[Scope]]:
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
            for called in calls:
                stack += self.called(scope, called)
        return reached, done

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
