"""Functions that return an app, and with what they can be called."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..findings import Found
from ..reading.modules import Scope
from ..reading.syntax import dotted


@dataclass
class Maker:
    """A function that returns an app."""

    value: str  # "shop:create_app"
    node: ast.FunctionDef
    scope: Scope  # in which it is defined
    owner: ast.ClassDef | None = None  # whose method it is

    @property
    def found(self) -> Found:
        where = f"{self.scope.module.path}:{self.node.lineno}"
        return Found(f"{self.value}({ast.unparse(self.node.args)})", where)

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
