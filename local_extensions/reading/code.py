"""Follows a dotted name through assignments and imports to where it is defined."""

from __future__ import annotations

import ast
from typing import NamedTuple

from .modules import Module, Name, Scope
from .syntax import statements

MAX_DOTS = 15  # a longer name is an import that leads to itself


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
