"""Looks at statements and expressions, whatever they belong to."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)
BLOCKS = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try),
    *(ast.Match, getattr(ast, "TryStar", ast.Try)),  # since Python 3.11
)
LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.alias, ast.operator)


def statements(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, bool]]:
    """Each statement of a body and of its blocks; whether a main guard is above it.

    The bodies of functions and classes are not entered.
    """
    stack = [(node, False) for node in reversed(body)]
    while stack:
        node, guarded = stack.pop()
        yield node, guarded
        if not isinstance(node, BLOCKS):
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
    """Each target of an assignment, with the value and the annotation.

    An item is none: `engines["main"] = create_engine()` does not make `engines` one.
    """
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if not isinstance(target, ast.Subscript):
                yield target, node.value, None
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.target, node.value, node.annotation
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            if item.optional_vars is not None:
                yield item.optional_vars, item.context_expr, None


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
    """`a.b.c` for such an expression (also `a.b[x].c`), else nothing."""
    parts: list[str] = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


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


def constants(node: ast.AST | None) -> list[str]:
    """The strings in an expression, in their order."""
    return [
        part.value
        for part in (ast.walk(node) if node is not None else ())
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


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


def targets(node: ast.AST) -> list[ast.expr]:
    return getattr(node, "targets", None) or [getattr(node, "target", None)]


def binds(stmt: ast.stmt) -> set[str]:
    """The names that a statement binds."""
    if isinstance(stmt, IMPORTS):
        return {each.asname or each.name.partition(".")[0] for each in stmt.names}
    if isinstance(stmt, (*FUNCTIONS, ast.ClassDef)):
        return {stmt.name}
    return {getattr(target, "id", "") for target in targets(stmt)}
