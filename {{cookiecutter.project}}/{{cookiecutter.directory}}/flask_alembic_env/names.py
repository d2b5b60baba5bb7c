"""Names for constraints that have none in the models.

A constraint without a name cannot be dropped on SQLite. If the metadata has a naming
convention, SQLAlchemy has named them; the others get the names that PostgreSQL gives.
"""

import re
from typing import Any
from zlib import crc32

import sqlalchemy
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import Constraint

from .operations import OnMysql, Revision, dotted, of_kind, sql_of

KINDS = (CheckConstraint, ForeignKeyConstraint, UniqueConstraint)
ADDED = (
    ops.CreateCheckConstraintOp,
    ops.CreateForeignKeyOp,
    ops.CreateUniqueConstraintOp,
)
MAX_BYTES = 63  # of a name in PostgreSQL
# What a batch calls the constraints that have no name in SQLite.
CONVENTION = {
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
}


class NamingBatch(ops.ModifyTableOps):
    """A batch that drops constraints which have no name in SQLite."""


@renderers.dispatch_for(NamingBatch)
def render_naming_batch(autogen_context: AutogenContext, op: NamingBatch) -> list[str]:
    """Return the code for a batch that names what has no name."""
    plain = ops.ModifyTableOps(op.table_name, op.ops, schema=op.schema)
    head, *lines = renderers.dispatch(plain)(autogen_context, plain)
    convention = f", naming_convention={CONVENTION!r}) as batch_op:"
    return [head.replace(") as batch_op:", convention), *lines]


def name_constraints(revision: Revision) -> None:
    """Name what the upgrade adds or drops without a name."""
    changes = revision.upgrade
    for create in of_kind(changes, ops.CreateTableOp):
        name_in_table(create, revision)
    for batch in of_kind(changes, ops.ModifyTableOps):
        add_column_checks(batch, revision)
        for part in batch.ops:
            if isinstance(part, ADDED) and not part.constraint_name:
                part.constraint_name = name_of(part.to_constraint(), set())
        drops = of_kind(batch, ops.DropConstraintOp)
        unnamed = [part for part in drops if not part.constraint_name]
        for part in unnamed:
            part.constraint_name = name_of(part.to_constraint(), set())
        if unnamed:
            place = changes.ops.index(batch)
            named = NamingBatch(batch.table_name, batch.ops, schema=batch.schema)
            changes.ops[place] = named


def name_in_table(create: ops.CreateTableOp, revision: Revision) -> None:
    """Name the constraints of a new table. CHECKs of a column become the table's."""
    table = create.to_table()  # a copy
    for column in table.c:
        for check in column_checks(column):
            column.constraints.remove(check)
            table.append_constraint(copy_of(check, revision))
    # There is no public name for the CHECK of a Boolean or Enum (SQLAlchemy 2.0, 2.1).
    constraints = [each for each in table.constraints if not each._type_bound]
    taken: set[str] = set()
    for constraint in sorted(constraints, key=described):
        if isinstance(constraint, KINDS) and not isinstance(constraint.name, str):
            constraint.name = name_of(constraint, taken)
    create.columns = [*table.c, *constraints]


def add_column_checks(batch: ops.ModifyTableOps, revision: Revision) -> None:
    """Add the CHECKs of new columns, which Alembic leaves out."""
    taken: set[str] = set()
    for add in of_kind(batch, ops.AddColumnOp):
        for check in column_checks(add.column):
            copy = copy_of(check, revision)
            Table(batch.table_name, MetaData(), copy, schema=batch.schema)
            if not isinstance(copy.name, str):
                copy.name = name_of(copy, taken, [add.column.name])
            batch.ops.append(ops.CreateCheckConstraintOp.from_constraint(copy))


def column_checks(column: Any) -> list[CheckConstraint]:
    """Return the CHECKs that are written in a column."""
    return [each for each in column.constraints if isinstance(each, CheckConstraint)]


def copy_of(check: CheckConstraint, revision: Revision) -> CheckConstraint:
    """Return a CHECK that does not belong to the application's table."""
    written = getattr(check.sqltext, "text", None)
    sql = written or sql_of(check.sqltext, revision.dialect)
    return CheckConstraint(text(sql), name=check.name)


def described(constraint: Constraint) -> str:
    """Return what constraints are sorted by, so that their names do not change."""
    sql = str(getattr(constraint, "sqltext", ""))
    return f"{type(constraint).__name__} {sql} {columns_of(constraint)}"


def columns_of(constraint: Any) -> list[str]:
    """Return the columns that the name of a constraint has."""
    if not isinstance(constraint, CheckConstraint):
        return [column.name for column in constraint.columns]
    sql = re.sub("'[^']*'", "", str(constraint.sqltext))
    columns = constraint.table.c.keys()
    used = [each for each in columns if re.search(rf"\b{re.escape(each)}\b", sql)]
    return used if len(used) == 1 else []


def name_of(constraint: Any, taken: set[str], columns: list[str] | None = None) -> str:
    """Return a name as PostgreSQL gives it, such as `user_email_key`."""
    endings = dict(zip(KINDS, ("check", "fkey", "key"), strict=True))
    ending = endings[type(constraint)]
    parts = [constraint.table.name, *(columns or columns_of(constraint)), ending]
    name = "_".join(parts)
    if len(name.encode()) > MAX_BYTES:
        name = f"{name[:40]}_{crc32(name.encode()):08x}_{ending}"
    number = 0
    while (free := f"{name}{number or ''}") in taken:
        number += 1
    taken.add(free)
    return free


def drop_indexes_of_foreign_keys(revision: Revision) -> None:
    """Drop the index that MySQL makes for a foreign key, and keeps without the key."""
    if revision.dialect.name not in ("mysql", "mariadb"):
        return
    inspector: Any = sqlalchemy.inspect(revision.context.connection)
    changes = revision.upgrade
    of_models = {index.name for table in revision.tables for index in table.indexes}
    with_new_keys = {
        dotted(batch)
        for batch in of_kind(changes, ops.ModifyTableOps)
        if of_kind(batch, ops.CreateForeignKeyOp)
    }
    for batch in of_kind(changes, ops.ModifyTableOps):
        place = {"table_name": batch.table_name, "schema": batch.schema}
        if not inspector.has_table(**place):
            continue  # it is created in this revision
        indexes = {
            index["name"]: index["column_names"]
            for index in inspector.get_indexes(**place)
        }
        changed = {getattr(part, "column_name", None) for part in batch.ops}
        there = {column["name"] for column in inspector.get_columns(**place)}
        keys = of_kind(batch, ops.CreateForeignKeyOp)
        drops = of_kind(batch, ops.DropConstraintOp)
        if dotted(batch) in with_new_keys:
            drops = []  # a new key may use the index
        for drop in drops:
            name, columns = drop.constraint_name, columns_of(drop.to_constraint())
            is_key = drop.constraint_type == "foreignkey" and name not in of_models
            if is_key and indexes.get(name) == columns and not changed & {*columns}:
                statements = index_statements(batch, str(name), columns)
                changes.ops.append(OnMysql(*statements))
        for key in keys:
            columns = list(key.local_cols)
            has_index = any(each[:1] == columns[:1] for each in indexes.values())
            if not has_index and there >= {*columns}:
                statements = index_statements(batch, str(key.constraint_name), columns)
                changes.ops.insert(0, OnMysql([], statements[0]))


def index_statements(
    batch: ops.ModifyTableOps, name: str, columns: list[str]
) -> tuple[list[str], list[str]]:
    """Return SQL that drops an index of MySQL, and SQL that creates it."""
    table = ".".join(f"`{part}`" for part in (batch.schema, batch.table_name) if part)
    names = ", ".join(f"`{column}`" for column in columns)
    drop = f"ALTER TABLE {table} DROP INDEX `{name}`"
    return [drop], [f"ALTER TABLE {table} ADD INDEX `{name}` ({names})"]
