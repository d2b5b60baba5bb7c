"""Which modules run when a module is imported, and when a factory is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..reading.code import Code
from ..reading.modules import Module, Scope
from ..reading.syntax import dotted, executed, statements
from ..reading.things import Kinds
from .factories import Maker

INIT = "__init__"
IMPORTERS = ("import_module", "__import__", "import_string")


class Reach:
    """Which modules run when a module is imported, and when a factory is called."""

    def __init__(self, code: Code, kinds: Kinds):
        self.code = code
        self.kinds = kinds
        self.known: dict[tuple[str, ast.AST | None], set[str]] = {}
        self.functions: dict[tuple[str, ast.AST | None], set[ast.AST]] = {}
        self.effects: dict[Scope, tuple[list[str], list[ast.Call]]] = {}

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
        entered: set[str] = set()
        while stack:
            scope = stack.pop()
            if scope in done:
                continue
            done.add(scope)
            imports, calls = self.effects_of(scope)
            for target in set(imports) - entered:
                self.enter(target, reached, stack)
            entered.update(imports)
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

    def effects_of(self, scope: Scope) -> tuple[list[str], list[ast.Call]]:
        """What a module or function imports, and what it calls."""
        if scope in self.effects:
            return self.effects[scope]
        imports: list[str] = []
        calls: dict[str, ast.Call] = {}
        for node in executed(scope.body):
            if isinstance(node, ast.Import):
                imports += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = scope.module.absolute(node)
                imports += [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            elif isinstance(node, ast.Call):
                name = dotted(node.func) or ast.dump(node.func)
                calls.setdefault(name, node)
                if name.rpartition(".")[2] in IMPORTERS:
                    imports += imported_text(node, scope.module)
        self.effects[scope] = imports, list(calls.values())
        return self.effects[scope]

    def called(self, scope: Scope, call: ast.Call) -> Iterator[Scope]:
        """The functions of the tree that run at a call."""
        for thing in self.kinds.things(call.func, scope):
            made = self.kinds.called(thing) if thing.what == "class" else []
            starts = [
                part for each in made for part in self.kinds.attribute(each, INIT)
            ]
            for each in [thing, *starts]:
                if each.what == "function":
                    yield self.code.function_scope(each.scope, each.node, each.owner)


def imported_text(node: ast.Call, module: Module) -> list[str]:
    """The module that import_module("...") names, where it is a literal."""
    name = getattr(node.args[0], "value", None) if node.args else None
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
