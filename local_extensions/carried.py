"""The block of env.py with what is carried over from the env.py before it."""

import ast
import re
import sys
from collections.abc import Mapping
from textwrap import dedent
from typing import Any

from .imports import importing
from .layout import indented, laid_out, parts_of

# What env.py sets without being told.
OURS = {"compare_type": "True", "render_as_batch": "True"}
# The keywords of context.configure(...) that an owner sets.
OPTIONS = set(
    "alembic_module_prefix autogenerate_plugins batch_separator compare_server_default"
    " compare_type include_name include_object include_schemas mssql_batch_separator"
    " on_version_apply oracle_batch_separator process_revision_directives"
    " render_as_batch render_item sqlalchemy_module_prefix template_args"
    " transaction_per_migration transactional_ddl user_module_prefix version_table"
    " version_table_pk version_table_schema".split()
)
# What env.py has as well, under the same name and with the same meaning.
KNOWN = {"config", "context", "Any", "Path", "fileConfig", "sys"}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)


def carried_settings(directory: str, old: Mapping[str, Any]) -> str:
    """The lines of env.py that set what the environment before it had set.

    They end with the two empty lines that follow them in env.py.

    :param old: the settings as `configure`, with the code that they need.
    """
    configure = {k: v for k, v in old.get("configure", {}).items() if OURS.get(k) != v}
    imports, code = old.get("imports", ()), old.get("code", "")
    blocks = []
    if imports:
        blocks.append("\n".join([importing(directory), *indented(imports, 4)]))
    if code:
        is_plain = not re.search(r"^(async def|def|class|@)", code, re.MULTILINE)
        blocks.append(code if is_plain else f"\n{code}\n")
    if configure:
        update = "".join(f"{name}={value}, " for name, value in configure.items())
        parts = parts_of(ast.parse(f"update({update})", mode="eval").body)
        lines = [
            f"    {name}{laid_out(ast.unparse(node), 4, len(name))},"
            for name, node in parts
        ]
        blocks.append("\n".join(["settings.update(", *lines, ")"]))
    if not blocks:
        return "\n\n"
    text = "\n\n".join(blocks).strip("\n")
    return f"\n# From the env.py that was here before.\n{text}\n\n\n"


def copied_code(needed: Mapping[ast.stmt, Any]) -> str:
    """The code of statements as it stands, but for imports."""
    others = [stmt for stmt in needed if not isinstance(stmt, IMPORTS)]
    others.sort(key=lambda stmt: (needed[stmt].path, stmt.lineno))
    code, was_block = "", False
    for stmt in others:
        is_block = isinstance(stmt, (*FUNCTIONS, ast.ClassDef))
        space = "\n\n\n" if is_block or was_block else "\n"
        code += (space if code else "") + text_of(needed[stmt].data, stmt)
        was_block = is_block
    return code


def copied_imports(needed: Mapping[ast.stmt, Any]) -> list[str]:
    """The imports among statements, those of the standard library first."""
    imports = [stmt for stmt in needed if isinstance(stmt, IMPORTS)]
    lines = {line for stmt in imports for line in import_lines(stmt)}

    def order(line: str) -> tuple:
        kind, module = line.split()[:2]
        is_other = module.partition(".")[0] not in sys.stdlib_module_names
        return is_other, kind == "from", line.lower()

    return sorted(lines, key=order)


def import_lines(stmt: ast.Import | ast.ImportFrom) -> list[str]:
    """An import without the names that the new env.py imports as well."""
    names = [each for each in stmt.names if (each.asname or each.name) not in KNOWN]
    if isinstance(stmt, ast.Import):
        return [ast.unparse(ast.Import([each])) for each in names]
    return (
        [ast.unparse(ast.ImportFrom(stmt.module, names, stmt.level))] if names else []
    )


def text_of(data: bytes, stmt: ast.stmt) -> str:
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    marks = getattr(stmt, "decorator_list", [])
    start = min(part.lineno for part in [stmt, *marks])
    return dedent("\n".join(lines[start - 1 : stmt.end_lineno]))
