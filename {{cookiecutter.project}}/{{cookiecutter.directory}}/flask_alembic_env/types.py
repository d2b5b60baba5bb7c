"""Column types that run as written, and enum types of PostgreSQL.

Alembic does not compare the values of an enum, creates its type again with each table,
and never drops it. Here a revision creates a type once, adds values to it, and drops it
with its last column. The library alembic-postgresql-enum does more. If env.py imports
it, nothing is done here.
"""

import logging
import re
import sys
from collections import Counter
from contextlib import suppress
from typing import Any

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator

from .operations import OnPostgresql, Revision, parts_of

log = logging.getLogger("alembic.env")
DIALECT: Any = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
# What a type raises for a dialect that it was not written for.
ERRORS = (NotImplementedError, SQLAlchemyError, TypeError, ValueError)
DIALECTS = (mysql.dialect(), DIALECT, sqlite.dialect())
quote = DIALECT.identifier_preparer.quote
MODULES = {
    "sa": sqlalchemy,
    "postgresql": postgresql,
    "mysql": mysql,
    "sqlite": sqlite,
}
Key = tuple[str | None, str]  # the schema and name of an enum type
Enums = dict[Key, list[str]]  # the values of each


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> Any:
    """Return the code for a type, or False if Alembic writes it well."""
    if kind != "type":
        return False
    imports = autogen_context.imports
    enum, is_array = enum_of(item)
    if enum is not None and not is_left_to_library():
        imports.add("from sqlalchemy.dialects import postgresql")
        return enum_code(item, enum, is_array)
    module = type(item).__module__
    if module.startswith("sqlalchemy.dialects.postgresql"):
        # Alembic writes the types in these well only if it runs on PostgreSQL.
        imports.add("from sqlalchemy.dialects import postgresql")
        on_postgresql = PostgresqlImpl(DIALECT, None, True, None, None, {})
        return on_postgresql.render_type(item, autogen_context)
    has_prefix = autogen_context.opts["user_module_prefix"] is not None
    if has_prefix or module.startswith("sqlalchemy."):
        return False
    return own_type_code(item, autogen_context)


def own_type_code(item: Any, autogen_context: AutogenContext) -> str:
    """Return the code for a type that SQLAlchemy does not have, and import it.

    If calling its repr() would not make the same type, write the type that is stored.
    """
    kind: Any = type(item)
    shown = repr(item)
    has_own_init = kind.__init__ is not TypeDecorator.__init__
    has_own_repr = kind.__repr__ is not TypeDecorator.__repr__
    is_hidden = isinstance(item, TypeDecorator) and has_own_init and not has_own_repr
    is_nested = shown.count("(") > 1  # such as Document(astext_type=Text())
    is_taken = kind.__module__.partition(".")[0] in ("__main__", "op", "sa")
    if is_hidden or is_nested or is_taken or "<locals>" in kind.__qualname__:
        code = stored_code(item, autogen_context)
    else:
        autogen_context.imports.add(f"import {kind.__module__}")
        shown = shown.replace(kind.__name__, kind.__qualname__, 1)
        code = f"{kind.__module__}.{shown}"
    # There is no public name for these (SQLAlchemy 2.0, 2.1).
    for dialect, variant in item._variant_mapping.items():
        code += f".with_variant({type_code(variant, autogen_context)}, {dialect!r})"
    return code


def stored_code(item: Any, autogen_context: AutogenContext) -> str:
    """Return the code for what the databases store, as types of SQLAlchemy."""
    if not isinstance(item, TypeDecorator):
        return public_code(item, autogen_context)
    stored = item.impl_instance
    code = type_code(stored, autogen_context)
    for dialect in DIALECTS:
        with suppress(*ERRORS):
            variant = item.load_dialect_impl(dialect)
            if variant.compile(dialect) != stored.compile(dialect):
                variant_code = type_code(variant, autogen_context)
                code += f".with_variant({variant_code}, {dialect.name!r})"
    return code


def type_code(item: Any, autogen_context: AutogenContext) -> str:
    """Return the code for any type."""
    if isinstance(item, sqlalchemy.ARRAY):
        return f"sa.ARRAY({type_code(item.item_type, autogen_context)})"
    code = render_item("type", item, autogen_context)
    return str(code) if code else public_code(item, autogen_context)


def public_code(item: Any, autogen_context: AutogenContext) -> str:
    """Return the code for a type as the public class of SQLAlchemy that it is."""
    for kind in type(item).__mro__:
        for name, module in MODULES.items():
            if getattr(module, kind.__name__, None) is kind:
                if name != "sa":
                    imported = f"from sqlalchemy.dialects import {name}"
                    autogen_context.imports.add(imported)
                shown = repr(item).replace(type(item).__name__, kind.__name__, 1)
                return f"{name}.{shown}"
    raise CommandError(f"Cannot write the type {item!r}. Define it in a module")


def is_left_to_library() -> bool:
    """Return whether env.py imports alembic-postgresql-enum."""
    return "alembic_postgresql_enum" in sys.modules


def enum_of(item: Any) -> tuple[postgresql.ENUM | None, bool]:
    """Return the enum type of PostgreSQL for a type, and whether it is in an array."""
    found: Any = None
    with suppress(*ERRORS):
        found = item.dialect_impl(DIALECT)
    while isinstance(found, TypeDecorator):
        found = found.impl_instance
    if isinstance(found, sqlalchemy.ARRAY):
        return enum_of(found.item_type)[0], True
    is_enum = isinstance(found, postgresql.ENUM) and found.name is not None
    return (found if is_enum else None), False


def enum_code(item: Any, enum: postgresql.ENUM, is_array: bool) -> str:
    """Return the code for an enum type, which CREATE TABLE must not create."""
    values = ", ".join(map(repr, enum.enums))
    schema = f", schema={enum.schema!r}" if enum.schema else ""
    code = f"postgresql.ENUM({values}, name={enum.name!r}{schema}, create_type=False)"
    code = f"sa.ARRAY({code})" if is_array else code
    is_whole = isinstance(item, (sqlalchemy.Enum, sqlalchemy.ARRAY, TypeDecorator))
    if not is_whole or getattr(item, "create_constraint", False):  # for the others
        return f"sa.{item!r}.with_variant({code}, 'postgresql')"
    return code


def enums_of_models(revision: Revision) -> Enums:
    """Return the enum types that the models create."""
    enums: Enums = {}
    for table in revision.tables:
        for column in table.c:
            enum, _ = enum_of(column.type)
            if enum is not None and enum.create_type:
                enums[key_of(revision, enum)] = list(enum.enums)
    return enums


def key_of(revision: Revision, enum: Any) -> Key:
    """Return the schema and name of an enum type; the default schema is None."""
    default = revision.dialect.default_schema_name
    return (None if enum.schema == default else enum.schema, str(enum.name))


def enums_of_database(revision: Revision) -> Enums:
    """Return the enum types that a PostgreSQL database has."""
    if revision.dialect.name != "postgresql":
        return {}
    inspector: Any = sqlalchemy.inspect(revision.context.connection)
    found: Enums = {}
    for enum in inspector.get_enums(schema="*"):
        is_default = enum["schema"] == inspector.default_schema_name
        found[None if is_default else enum["schema"], enum["name"]] = enum["labels"]
    return found


def add_enum_values(revision: Revision) -> None:
    """Add the values that the models have and the database does not.

    PostgreSQL cannot remove or rename one: that takes a new type.
    """
    if is_left_to_library():
        return
    there = enums_of_database(revision)
    for key, values in enums_of_models(revision).items():
        old = there.get(key, values)
        new = [value for value in values if value not in old]
        add = f"ALTER TYPE {quoted(key)} ADD VALUE IF NOT EXISTS"
        statements = [f"{add} {literal(v)}{place_of(v, values, old)}" for v in new]
        if statements:
            revision.upgrade.ops.insert(0, OnPostgresql(statements))
        gone = [value for value in old if value not in values]
        if gone:
            log.warning(
                "REVIEW: type %s keeps the values %s, which the models do not have."
                " alembic-postgresql-enum can remove or rename them",
                *(key[1], ", ".join(gone)),
            )


def place_of(value: str, values: list[str], old: list[str]) -> str:
    """Return where a new value belongs: before the next one that exists already."""
    later = values[values.index(value) + 1 :]
    known = [each for each in later if each in old]
    return f" BEFORE {literal(known[0])}" if known else ""


def create_and_drop_enums(revision: Revision) -> None:
    """Create the types of new columns, and drop those that no column has any more."""
    if is_left_to_library():
        return
    changes = revision.upgrade
    parts = list(parts_of(changes))
    added = counted(revision, [type_ for part in parts for type_ in gained(part)])
    removed = counted(revision, [type_ for part in parts for type_ in lost(part)])
    columns = [column for table in revision.tables for column in table.c]
    used = counted(revision, [column.type for column in columns])
    models, there = enums_of_models(revision), enums_of_database(revision)
    for key in sorted(added.keys() & models.keys() - there.keys(), key=str):
        # On other databases, a type is new if all of its columns are.
        if revision.dialect.name == "postgresql" or added[key] == used[key]:
            create = [created(key, models[key])]
            changes.ops.insert(0, OnPostgresql(create, [dropped(key)]))
    for key in sorted(removed.keys() & there.keys() - models.keys(), key=str):
        changes.ops.append(OnPostgresql([dropped(key)], [created(key, there[key])]))
    changes.ops[:] = [each for op in changes.ops for each in with_casts(op)]


def gained(part: Any) -> list[Any]:
    """Return the types that columns get by an operation."""
    if isinstance(part, ops.CreateTableOp):
        return [column.type for column in part.to_table().c]
    if isinstance(part, ops.AddColumnOp):
        return [part.column.type]
    is_alter = isinstance(part, ops.AlterColumnOp) and part.modify_type is not None
    return [part.modify_type] if is_alter else []


def lost(part: Any) -> list[Any]:
    """Return the types that columns have no more after an operation."""
    return gained(part.reverse())


def counted(revision: Revision, types: list[Any]) -> Counter[Key]:
    """Return how many of the types are stored as which enum type."""
    enums = [enum_of(type_)[0] for type_ in types]
    return Counter(key_of(revision, enum) for enum in enums if enum is not None)


def with_casts(op: ops.MigrateOperation) -> list[ops.MigrateOperation]:
    """Return an operation with the casts to enums that PostgreSQL does not make."""
    before: list[ops.MigrateOperation] = []
    after: list[ops.MigrateOperation] = []
    for part in getattr(op, "ops", [op]):
        if not isinstance(part, ops.AlterColumnOp) or part.modify_type is None:
            continue
        if enum_of(part.modify_type)[0] or enum_of(part.existing_type)[0]:
            before.append(OnPostgresql(cast(part, part.modify_type)))
            after.append(OnPostgresql([], cast(part, part.existing_type)))
    return [*before, op, *after]


def cast(op: ops.AlterColumnOp, type_: Any) -> list[str]:
    """Return SQL that changes the type of a column and of its default, as texts."""
    if isinstance(type_, sqlalchemy.Enum) and not type_.name:  # of MySQL
        return []
    alter = f"ALTER COLUMN {quote(op.column_name)}"
    name = type_.compile(DIALECT)
    change = f"{alter} TYPE {name} USING {quote(op.column_name)}::text::{name}"
    default = str(getattr(op.existing_server_default, "arg", ""))
    if value := re.match("'([^']|'')*'", default):
        change += f", {alter} SET DEFAULT {value[0]}"
    table = quoted((op.schema, op.table_name))
    return [f"ALTER TABLE {table} {alter} DROP DEFAULT, {change}"]


def created(key: Key, values: list[str]) -> str:
    """Return SQL that creates an enum type."""
    return f"CREATE TYPE {quoted(key)} AS ENUM ({', '.join(map(literal, values))})"


def dropped(key: Key) -> str:
    """Return SQL that drops an enum type."""
    return f"DROP TYPE {quoted(key)}"


def literal(value: str) -> str:
    """Return a text as SQL."""
    return "'" + value.replace("'", "''") + "'"


def quoted(key: Key) -> str:
    """Return a name with its schema as SQL."""
    return ".".join(quote(name) for name in key if name)
