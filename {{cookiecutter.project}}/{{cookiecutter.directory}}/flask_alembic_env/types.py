"""Column types that run as written, and enum types of PostgreSQL.

Alembic does not compare the values of an enum, creates its type again with each table,
and never drops it. Here a revision creates a type once, adds values to it, and drops it
with its last column. alembic-postgresql-enum does more; if env.py imports it, nothing is
done here.
"""

import logging
import sys
from contextlib import suppress
from typing import Any

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator, TypeEngine

from .operations import OnPostgresql, Revision, dotted, parts_of

log = logging.getLogger("alembic.env")
DIALECT: Any = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
DIALECTS = (mysql.dialect(), DIALECT, sqlite.dialect())
quote = DIALECT.identifier_preparer.quote
MODULES = {"sa": sqlalchemy, "postgresql": postgresql, "mysql": mysql, "sqlite": sqlite}
Key = tuple[str | None, str]  # the schema and name of an enum type
Enums = dict[Key, list[str]]  # the values of each
Columns = list[tuple[str, Any]]  # names and types


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> Any:
    """Return the code for a type, or False if Alembic writes it well."""
    if kind != "type" or autogen_context.opts["user_module_prefix"] is not None:
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
    if module.startswith("sqlalchemy."):
        return False
    return own_type_code(item, autogen_context)


def own_type_code(item: Any, autogen_context: AutogenContext) -> str:
    """Return the code for a type that SQLAlchemy does not have, and import it.

    If calling its repr() would not make the same type, write the type that is stored.
    """
    kind, shown = type(item), repr(item)
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
        with suppress(SQLAlchemyError, NotImplementedError, TypeError, ValueError):
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


def enum_of(item: TypeEngine[Any]) -> tuple[postgresql.ENUM | None, bool]:
    """Return PostgreSQL's enum type that a type is stored as, and whether in an array."""
    found: Any = item.dialect_impl(DIALECT)
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
    is_check = getattr(item, "create_constraint", False)  # on other databases
    if is_check or not isinstance(item, (sqlalchemy.Enum, sqlalchemy.ARRAY, TypeDecorator)):
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
    default = inspector.default_schema_name
    return {
        (None if enum["schema"] == default else enum["schema"], enum["name"]): enum[
            "labels"
        ]
        for enum in inspector.get_enums(schema="*")
    }


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
        statements = [
            f"ALTER TYPE {quoted(key)} ADD VALUE IF NOT EXISTS {literal(value)}"
            f"{place_of(value, values, old)}"
            for value in new
        ]
        if statements:
            revision.upgrade.ops.insert(0, OnPostgresql(statements))
        gone = [value for value in old if value not in values]
        if gone:
            log.warning(
                "REVIEW: type %s keeps the values %s, which the models do not have."
                " alembic-postgresql-enum can remove or rename them",
                key[1],
                ", ".join(gone),
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
    models, there = enums_of_models(revision), enums_of_database(revision)
    added: dict[Key, set[str]] = {}
    removed: set[Key] = set()
    for part in parts_of(changes):
        for name, enum in enums_in(added_columns(part)):
            added.setdefault(key_of(revision, enum), set()).add(name)
        removed |= {
            key_of(revision, enum) for _, enum in enums_in(removed_columns(part))
        }
    for key in sorted(added.keys() & models.keys() - there.keys(), key=str):
        # On other databases, a type is new if all of its columns are.
        if revision.dialect.name == "postgresql" or added[key] >= users_of(
            revision, key
        ):
            create = [created(key, models[key])]
            changes.ops.insert(0, OnPostgresql(create, [dropped(key)]))
    for key in sorted(removed & there.keys() - models.keys(), key=str):
        changes.ops.append(OnPostgresql([dropped(key)], [created(key, there[key])]))
    changes.ops[:] = [each for op in changes.ops for each in with_casts(op)]


def added_columns(part: Any) -> Columns:
    """Return the names and types of the columns that get a type by an operation."""
    if isinstance(part, ops.CreateTableOp):
        return [
            (dotted(part, column.name), column.type) for column in part.to_table().c
        ]
    if isinstance(part, ops.AddColumnOp):
        return [(dotted(part, part.column.name), part.column.type)]
    if isinstance(part, ops.AlterColumnOp) and part.modify_type is not None:
        return [(dotted(part, part.column_name), part.modify_type)]
    return []


def removed_columns(part: Any) -> Columns:
    """Return the names and types of the columns that lose a type by an operation."""
    if isinstance(part, ops.DropTableOp):
        return [
            (dotted(part, column.name), column.type) for column in part.to_table().c
        ]
    if isinstance(part, ops.DropColumnOp):
        return [(dotted(part, part.column_name), part.to_column().type)]
    if isinstance(part, ops.AlterColumnOp) and part.modify_type is not None:
        return [(dotted(part, part.column_name), part.existing_type)]
    return []


def enums_in(columns: Columns) -> list[tuple[str, postgresql.ENUM]]:
    """Return the names and enum types of the columns that have one."""
    found = [(name, enum_of(type_)[0]) for name, type_ in columns]
    return [(name, enum) for name, enum in found if enum is not None]


def users_of(revision: Revision, key: Key) -> set[str]:
    """Return the columns of the models that have an enum type."""
    columns = [(str(column), column.type) for t in revision.tables for column in t.c]
    return {name for name, enum in enums_in(columns) if key_of(revision, enum) == key}


def with_casts(op: ops.MigrateOperation) -> list[ops.MigrateOperation]:
    """Return an operation with the casts to enums that PostgreSQL does not make."""
    before: list[ops.MigrateOperation] = []
    after: list[ops.MigrateOperation] = []
    for part in getattr(op, "ops", [op]):
        if isinstance(part, ops.AlterColumnOp) and part.modify_type is not None:
            for _, enum in enums_in(added_columns(part)):
                before.append(OnPostgresql([cast(part, enum)]))
            for _, enum in enums_in(removed_columns(part)):
                after.append(OnPostgresql([], [cast(part, enum)]))
    return [*before, op, *after]


def cast(op: ops.AlterColumnOp, enum: postgresql.ENUM) -> str:
    """Return SQL that changes a column to an enum type. It drops the default."""
    column, name = quote(op.column_name), quoted((enum.schema, str(enum.name)))
    table = quoted((op.schema, op.table_name))
    alter = f"ALTER TABLE {table} ALTER COLUMN {column}"
    return f"{alter} DROP DEFAULT, ALTER COLUMN {column} TYPE {name} USING {column}::text::{name}"


def created(key: Key, values: list[str]) -> str:
    return f"CREATE TYPE {quoted(key)} AS ENUM ({', '.join(map(literal, values))})"


def dropped(key: Key) -> str:
    return f"DROP TYPE {quoted(key)}"


def literal(value: str) -> str:
    """Return a text as SQL."""
    return "'" + value.replace("'", "''") + "'"


def quoted(key: Key) -> str:
    """Return a name with its schema as SQL."""
    return ".".join(quote(name) for name in key if name)
