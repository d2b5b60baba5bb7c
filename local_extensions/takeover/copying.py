"""Brings along the code that a value needs: functions, imports, assignments."""

from __future__ import annotations

import ast
import builtins
import sys

from ..answers import TAKEN
from ..carried import KNOWN
from ..reading.syntax import FUNCTIONS, IMPORTS, binds, constants
from .source import Source

KNOWN_IN_FUNCTIONS = {"current_app", "target_metadata"}

Needed = dict[ast.stmt, Source]


def collect(source: Source, node: ast.AST, needed: Needed) -> bool:
    """Add the statements that some code needs; whether all of them can be copied.

    A name can be copied if it is bound once, at the top of the file or in the function
    that uses it, by an import, a function, or a value that can be copied in turn.
    """
    known = KNOWN_IN_FUNCTIONS if isinstance(node, FUNCTIONS) else set()
    areas = [area for area in source.above(node) if hasattr(area, "body")]
    for name in free_names(node) - KNOWN - known - set(dir(builtins)):
        bound = [stmt for area in areas for stmt in area.body if name in binds(stmt)]
        statements = {*bound} or {s for s in source.tree.body if name in binds(s)}
        if len(statements) != 1 or name in TAKEN:
            return False
        for stmt in [*statements, *decorated_by(source, name)]:
            if stmt in needed:
                continue
            needed[stmt] = source
            if not (is_safe(source, stmt) and collect(source, stmt, needed)):
                return False
    return True


def decorated_by(source: Source, name: str) -> list[ast.stmt]:
    """The functions that are registered with an object, as in @writer.rewrites(...)."""
    marked = [
        (s, m) for s in source.tree.body for m in getattr(s, "decorator_list", ())
    ]
    return [stmt for stmt, mark in marked if name in free_names(mark)]


def is_safe(source: Source, stmt: ast.stmt) -> bool:
    """Whether a statement can run in env.py.

    An import of the application's own code would import the application.
    """
    if isinstance(stmt, IMPORTS) and not source.path.endswith("env.py"):
        module = getattr(stmt, "module", None) or stmt.names[0].name
        return module.partition(".")[0] in sys.stdlib_module_names
    return "migrate" not in constants(stmt)  # extensions["migrate"], to be removed


def free_names(node: ast.AST) -> set[str]:
    """The names that are used in some code and not bound in it."""
    if isinstance(node, IMPORTS):
        return set()
    nodes = list(ast.walk(node))
    own = {part.arg for part in nodes if isinstance(part, ast.arg)}
    own |= {part.name for part in nodes if isinstance(part, FUNCTIONS)}
    names = [part for part in nodes if isinstance(part, ast.Name)]
    own |= {part.id for part in names if not isinstance(part.ctx, ast.Load)}
    return {part.id for part in names} - own
