"""Looks up what a name means in one Python file."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property

from ..layout import UNREADABLE, in_double_quotes
from ..reading.syntax import FUNCTIONS, targets


class Source:
    """A Python file, and where in it a name gets its value."""

    def __init__(self, path: str, data: bytes):
        self.path = path
        self.data = data
        self.is_ours = b"flask_alembic_env" in data  # written by this template before
        self.is_broken = False
        try:
            self.tree = ast.parse(data)
        except UNREADABLE:
            self.tree = ast.Module([], [])
            self.is_broken = True
        self.nodes = list(ast.walk(self.tree))
        self.calls = [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {
            child: node for node in self.nodes for child in ast.iter_child_nodes(node)
        }

    def where(self, node: ast.AST) -> str:
        return f"{self.path}:{node.lineno}"

    def above(self, node: ast.AST) -> list[ast.AST]:
        """The nodes around a node, up to the function that it is in, or the module."""
        found = []
        while node in self.parents:
            node = self.parents[node]
            found.append(node)
            if isinstance(node, FUNCTIONS):
                break
        return found

    def values(self, name: str) -> list[ast.expr]:
        """What a name is assigned in the file."""
        return [
            node.value
            for node in self.nodes
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr))
            and any(getattr(target, "id", "") == name for target in targets(node))
            and node.value is not None
        ]


@dataclass(eq=False)
class Given:
    """A keyword with its value, where it is given."""

    name: str
    node: ast.expr
    source: Source
    depends: bool = False  # on what is known at run time only

    @property
    def where(self) -> str:
        return self.source.where(self.node)

    @cached_property
    def literal(self) -> str:
        """The source of a plain literal, also by way of a name that is assigned once."""
        values = [self.node]
        if isinstance(self.node, ast.Name):
            values = self.source.values(self.node.id)
        try:
            (node,) = values
            value, code = ast.literal_eval(node), ast.unparse(node)
        except UNREADABLE:
            return ""
        return in_double_quotes(repr(value) if "\n" in code else code)

    @cached_property
    def code(self) -> str:
        return self.literal or in_double_quotes(ast.unparse(self.node))
