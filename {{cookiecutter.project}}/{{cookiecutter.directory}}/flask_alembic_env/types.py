"""Column types that run as written, and enum types of PostgreSQL.

Alembic imports no type of the application. It creates an enum type with a new table,
not with a new column, does not compare its values, and never drops it. The library
alembic-postgresql-enum does more: if env.py imports it, nothing is done about enums.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator, TypeEngine

from .operations import Lines, Revision, log, parts_of

DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
DIALECTS = (mysql.dialect(), DIALECT, sqlite.dialect())
# What a type raises for a dialect that it was not written for.
ERRORS = (NotImplementedError, SQLAlchemyError, TypeError, ValueError)


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> Any:
    """Return the code for a type, or False if Alembic writes it, and import its names.

    If the repr() of the application's type does not make it again, or if nothing can
    import it, write the type that the database stores.
    """
    if kind != "type":
        return False
    imports: set[str] = autogen_context.imports
    own: Any = type(item)
    enum = enum_of(item)
    if enum is not None and not is_left_to_library():
        imports.add("from sqlalchemy.dialects import postgresql")
        return column_code(item, enum)
    for name in re.findall(r"(?<=[(= ])([A-Z]\w*)\(", repr(item)):
        if hasattr(sqlalchemy, name):  # as in JSONB(astext_type=Text())
            imports.add(f"from sqlalchemy import {name}")
    if own.__module__.startswith("sqlalchemy."):
        return False
    has_own_init = own.__init__ is not TypeDecorator.__init__
    has_own_repr = own.__repr__ is not TypeDecorator.__repr__
    is_hidden = isinstance(item, TypeDecorator) and has_own_init and not has_own_repr
    is_taken = own.__module__.partition(".")[0] in ("__main__", "op", "sa")
    if is_hidden or is_taken or own.__qualname__ != own.__name__:
        return stored_code(item, imports)
    imports.add(f"import {own.__module__}")
    return False


def stored_code(item: Any, imports: set[str]) -> str:
    """Return the code for the types that a type of the application stores."""
    stored = getattr(item, "impl_instance", item)
    code = public_code(stored, imports)
    for dialect in DIALECTS if stored is not item else ():
        with suppress(*ERRORS):
            variant = item.load_dialect_impl(dialect)
            if variant.compile(dialect) != stored.compile(dialect):
                variant_code = public_code(variant, imports)
                code += f".with_variant({variant_code}, {dialect.name!r})"
    return code


def public_code(item: Any, imports: set[str]) -> str:
    """Return the code for a type as the public class of SQLAlchemy that it is."""
    for kind in [each for each in type(item).__mro__ if issubclass(each, TypeEngine)]:
        found = re.match(r"sqlalchemy\.dialects\.(\w+)", kind.__module__)
        if hasattr(sys.modules[found[0]] if found else sqlalchemy, kind.__name__):
            if found:
                imports.add(f"from sqlalchemy.dialects import {found[1]}")
            shown = repr(item).replace(type(item).__name__, kind.__name__, 1)
            return f"{found[1] if found else 'sa'}.{shown}"
    raise CommandError(f"Cannot write the type {item!r}. Define it in a module")


def enum_of(type_: Any) -> postgresql.ENUM | None:
    """Return the enum type of PostgreSQL in which a type is stored."""
    found: Any = None
    with suppress(*ERRORS):
        found = type_.dialect_impl(DIALECT)
    while isinstance(found, TypeDecorator):
        found = found.impl_instance
    if isinstance(found, sqlalchemy.ARRAY):
        return enum_of(found.item_type)
    return found if isinstance(found, postgresql.ENUM) and found.name else None


def column_code(item: Any, enum: postgresql.ENUM) -> str:
    """Return the code for a column's enum type, which CREATE TABLE must not create."""
    values = ", ".join(map(repr, enum.enums))
    schema = f", schema={enum.schema!r}" if enum.schema else ""
    code = f"postgresql.ENUM({values}, name={enum.name!r}{schema}, create_type=False)"
    if isinstance(item.dialect_impl(DIALECT), sqlalchemy.ARRAY):
        code = f"sa.ARRAY({code})"
    is_whole = isinstance(item, (sqlalchemy.Enum, sqlalchemy.ARRAY, TypeDecorator))
    if not is_whole or getattr(item, "create_constraint", False):  # for the others
        return f"sa.{item!r}.with_variant({code}, 'postgresql')"
    return code


def enums_in(types: Iterable[Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name, with its schema, and the values of each enum type."""
    for type_ in types:
        enum = enum_of(type_)
        if enum is not None and enum.create_type:
            yield ".".join(filter(None, (enum.schema, enum.name))), enum.enums


def is_left_to_library() -> bool:
    """Return whether env.py imports alembic-postgresql-enum."""
    return "alembic_postgresql_enum" in sys.modules


def add_enum_values(revision: Revision) -> None:
    """Add the values that the models have and the database does not.

    PostgreSQL cannot remove or rename one: that takes a new type.
    """
    if is_left_to_library() or revision.context.dialect.name != "postgresql":
        return
    inspector: Any = sqlalchemy.inspect(revision.context.connection)
    default = inspector.default_schema_name
    there = {
        (each["schema"], each["name"]): each["labels"]
        for each in inspector.get_enums(schema="*")
    }
    for name, values in dict(enums_in(revision.types)).items():
        schema, _, last = name.rpartition(".")
        old = there.get((schema or default, last), values)
        gone = ", ".join(value for value in old if value not in values)
        lines = [
            add_value(name, value, values, old) for value in values if value not in old
        ]
        if gone:
            comment = f"REVIEW: type {name} keeps the values {gone}, which the"
            comment += " models do not have. alembic-postgresql-enum can remove or"
            comment += " rename them"
            log.warning("%s", comment)
            lines = [f"# {comment}", *lines] if lines else []
        if lines:
            condition = 'if op.get_context().dialect.name == "postgresql":'
            revision.upgrade.ops.insert(0, Lines(condition, *lines))


def add_value(name: str, value: str, values: list[str], old: list[str]) -> str:
    """Return the code that adds a value, before the next one that exists already."""
    later = values[values.index(value) + 1 :]
    places = [f" BEFORE {literal(each)}" for each in later if each in old]
    names = ".".join(
        DIALECT.identifier_preparer.quote(part) for part in name.split(".")
    )
    statement = f"ALTER TYPE {names} ADD VALUE IF NOT EXISTS {literal(value)}"
    return f"op.execute({statement + ''.join(places[:1])!r})"


def literal(value: str) -> str:
    """Return a text as SQL; in `op.execute()`, a colon starts a parameter."""
    return "'" + value.replace("'", "''").replace(":", "\\:") + "'"


def create_and_drop_enums(revision: Revision) -> None:
    """Create the types of new columns, and drop those that no column has any more."""
    if is_left_to_library():
        return
    changes = revision.upgrade
    parts = [part for part in parts_of(changes) if not isinstance(part, Lines)]
    new = list(enums_in(type_ for part in parts for type_ in types_after(part)))
    old = enums_in(type_ for part in parts for type_ in types_after(part.reverse()))
    used = Counter(name for name, _ in enums_in(revision.types))
    gained = Counter(name for name, _ in new)
    for name, values in sorted(dict(new).items()):
        if gained[name] == used[name]:  # all of its columns are new, and so is the type
            create, drop = enum_code(name, values)
            changes.ops.insert(0, Lines(create, undo=(drop,)))
    for name, values in sorted(dict(old).items()):
        if name not in used:
            create, drop = enum_code(name, values)
            changes.ops.append(Lines(drop, undo=(create,)))


def types_after(part: Any) -> list[Any]:
    """Return the types that columns get by an operation."""
    if isinstance(part, ops.CreateTableOp):
        return [column.type for column in part.to_table().c]
    if isinstance(part, ops.AddColumnOp):
        return [part.column.type]
    return [type_] if (type_ := getattr(part, "modify_type", None)) else []


def enum_code(name: str, values: list[str]) -> tuple[str, str]:
    """Return the code that creates a type, and that drops it; both look first."""
    schema, _, last = name.rpartition(".")
    enum = f"sa.{sqlalchemy.Enum(*values, name=last, schema=schema or None)!r}"
    arguments = "(op.get_bind(), checkfirst=True)"
    return f"{enum}.create{arguments}", f"{enum}.drop{arguments}"
