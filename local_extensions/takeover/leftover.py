"""Lists the statements of the old env.py that no stock env.py has."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ..carried import OPTIONS, OURS
from ..findings import Findings
from ..reading.syntax import IMPORTS, binds, constants, dotted, targets
from .keywords import is_configure, options_in
from .source import Given, Source

FRAMEWORK = {"alembic", "sqlalchemy", "flask", "flask_sqlalchemy", "flask_migrate"}
LOGS = set("debug info warning error exception critical print pprint".split())


def stock() -> set[str]:
    """The statements in env.py of each version of Flask-Migrate and Alembic."""
    text = (Path(__file__).parent / "stock.txt").read_text(encoding="utf-8")
    return set(text.splitlines())


def leftover(env: Source, findings: Findings) -> list[ast.stmt]:
    """What is left for the owner to look at, in the order of the lines."""
    if env.is_ours:
        return []
    found = not_stock(env.tree.body, stock())
    return [stmt for stmt in found if not is_harmless(stmt, env, findings)]


def is_special(given: Given, env: Source, findings: Findings) -> bool:
    """Whether an option is not as in stock files or in our own env.py."""
    if given.literal in (OURS.get(given.name), "None"):
        return False
    functions = {getattr(node, "name", ""): node for node in given.source.nodes}
    function = functions.get(dotted(given.node))
    if given.name != "process_revision_directives" or function is None:
        return True
    found = not_stock(function.body, stock())
    return not all(is_harmless(stmt, env, findings) for stmt in found)


def not_stock(body: list[ast.stmt], known: set[str]) -> Iterator[ast.stmt]:
    """The statements of a body that are in no stock file.

    A block is entered if something in it is stock: otherwise it is told as a whole.
    """
    for stmt in body:
        if ast.unparse(stmt) in known or is_configure(stmt):
            continue
        inside = [node for node in ast.walk(stmt) if isinstance(node, ast.stmt)][1:]
        if any(ast.unparse(node) in known or is_configure(node) for node in inside):
            handlers = [part.body for part in getattr(stmt, "handlers", [])]
            more = [getattr(stmt, name, []) for name in ("orelse", "finalbody")]
            for block in [stmt.body, *handlers, *more]:
                yield from not_stock(block, known)
        else:
            yield stmt


def is_harmless(stmt: ast.stmt, env: Source, findings: Findings) -> bool:
    """Whether nothing is lost without a statement."""
    value = getattr(stmt, "value", None)
    if isinstance(stmt, ast.If):
        return all(is_harmless(part, env, findings) for part in stmt.body + stmt.orelse)
    if isinstance(stmt, IMPORTS):
        return not is_bare(stmt, env) or is_known(stmt, findings)
    options = (each for node in ast.walk(stmt) for each in options_in(env, node))
    if any(name in OPTIONS for _, name, _ in options):
        return True  # read by keywords.py
    if "target_metadata" in [dotted(target) for target in targets(stmt)]:
        return bool(dotted(value))  # read by finding/metadata.py
    name = dotted(getattr(value, "func", None))
    if name.startswith("sys.path."):
        return not any(re.search(r"[^./]", t) for t in constants(value) if t != "src")
    if name.endswith("load_dotenv"):
        return all(re.search(r"(^|/)\.(flask)?env$", t) for t in constants(value))
    is_docstring = isinstance(stmt, ast.Expr) and isinstance(value, ast.Constant)
    is_log = name.rpartition(".")[2] in LOGS
    return is_docstring or is_log or isinstance(stmt, ast.Pass)


def is_bare(stmt: ast.stmt, env: Source) -> bool:
    """Whether an import is made for what it does: nothing uses its names."""
    used = {node.id for node in env.nodes if isinstance(node, ast.Name)}
    return not binds(stmt) & used


def is_known(stmt: ast.stmt, findings: Findings) -> bool:
    """Whether the new env.py imports the same, or need not."""
    module = getattr(stmt, "module", None)
    names = {f"{module}.{each.name}" if module else each.name for each in stmt.names}
    tops = {name.partition(".")[0] for name in names}
    known = {*findings.imported, *FRAMEWORK, *sys.stdlib_module_names}
    return bool(({*names, module} & findings.imported) or tops <= known)


def is_extension(stmt: ast.stmt, env: Source) -> bool:
    """Whether it imports a library that changes Alembic: alembic_postgresql_enum."""
    names = [each.name for each in stmt.names] if isinstance(stmt, ast.Import) else []
    return is_bare(stmt, env) and any(re.search("alembic[._]", name) for name in names)
