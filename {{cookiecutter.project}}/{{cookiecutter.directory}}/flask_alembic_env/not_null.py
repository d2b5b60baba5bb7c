"""What do existing rows get in a new column that is NOT NULL?

The model's default, if it is a value or SQL. Otherwise a person at the terminal is
asked, or an option gives it:

    alembic -x default=user.age:18 revision --autogenerate ...

The column is added with a server default, which the same revision drops again: no
database rewrites the table for that. Without a value there is a REVIEW comment.
"""

import json
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ClauseElement, TextClause
from sqlalchemy.types import TypeEngine

from .operations import Revision, comment_on, dotted, of_kind
from .options import ask, pairs_of

# How an answer is read.
READERS: tuple[tuple[type, Any], ...] = (
    (sa.Boolean, {"true": True, "1": True, "false": False, "0": False}.__getitem__),
    (sa.Integer, int),
    (sa.Numeric, Decimal),
    (sa.DateTime, datetime.fromisoformat),
    (sa.Date, date.fromisoformat),
    (sa.Uuid, UUID),
)
PLAIN = (bool, int, float, Decimal, str)


def fill_new_columns(revision: Revision) -> None:
    """Add NOT NULL columns with a default for existing rows, then drop the default."""
    fill(revision, revision.upgrade, may_ask=True)


def fill_old_columns(revision: Revision) -> None:
    """Do the same in the downgrade, for columns that it brings back."""
    fill(revision, revision.downgrade, may_ask=False)


def fill(revision: Revision, changes: ops.OpContainer, may_ask: bool) -> None:
    """Fill the NOT NULL columns that an upgrade or a downgrade adds."""
    for batch in of_kind(changes, ops.ModifyTableOps):
        filled: list[ops.MigrateOperation] = []
        for add in of_kind(batch, ops.AddColumnOp):
            column, name = add.column, dotted(batch, add.column.name)
            is_filled = column.server_default or column.identity or column.computed
            if column.nullable or column.primary_key or is_filled:
                continue
            default = value_for_rows(revision, name, column, may_ask)
            if default is None:
                risk = f"fails if {batch.table_name} has rows. To fill them, use"
                comment_on(changes, batch, f"{risk} -x default={name}:VALUE", may_ask)
                continue
            copy = sa.Column(
                column.name,
                column.type,
                nullable=False,
                server_default=default,
                comment=column.comment,
            )
            filled.append(ops.AddColumnOp(add.table_name, copy, schema=add.schema))
            batch.ops[batch.ops.index(add)] = ops.AlterColumnOp(
                add.table_name,
                column.name,
                schema=add.schema,
                existing_type=column.type,
                existing_nullable=False,
                existing_comment=column.comment,
                modify_server_default=None,
            )
        if filled:
            # A batch of its own: SQLite then adds the column without copying the table.
            first = ops.ModifyTableOps(batch.table_name, filled, schema=batch.schema)
            changes.ops.insert(changes.ops.index(batch), first)


def value_for_rows(
    revision: Revision, name: str, column: sa.Column[Any], may_ask: bool
) -> str | TextClause | None:
    """Return the server default for existing rows, or None if nobody knows it."""
    given, default = pairs_of("default").get(name), column.default
    if given is None and default is not None and not default.is_callable:
        return as_default(revision, getattr(default, "arg", None), column.type)
    if given is None and may_ask:
        question = f"{name} is NOT NULL. Value for existing rows (Enter: decide later):"
        given = ask(question, lambda answer: value_of(answer, column.type))
    try:
        value = value_of(given, column.type) if given else None
    except ValueError as error:
        raise CommandError(f"-x default={name}:{given}: {error}") from None
    return as_default(revision, value, column.type)


def value_of(answer: str, type_: TypeEngine[Any]) -> Any:
    """Return the value that a person has written, or raise ValueError."""
    if answer == "now" and isinstance(type_, (sa.Date, sa.DateTime)):
        return sa.func.now()
    if isinstance(type_, sa.Enum) and answer not in type_.enums:
        raise ValueError(f"give one of {', '.join(type_.enums)}")
    if isinstance(type_, (sa.Enum, sa.TypeDecorator)):
        return sa.literal(answer)  # as it is stored
    for kind, read in READERS:
        if isinstance(type_, kind):
            try:
                return read(answer)
            except (ArithmeticError, LookupError, ValueError):
                raise ValueError(f"give a value of type {type_}") from None
    return answer


def as_default(
    revision: Revision, value: Any, type_: TypeEngine[Any]
) -> str | TextClause | None:
    """Return a value as a server default, or None if it has no form in SQL."""
    if value is None or isinstance(type_, sa.LargeBinary):
        return None
    if isinstance(type_, sa.JSON) and not isinstance(value, ClauseElement):
        value = sa.literal(json.dumps(value))
    is_plain = not isinstance(type_, (sa.Enum, sa.TypeDecorator, sa.Text))
    # In quotes, every database reads it. Alembic loses a quote at either end.
    if is_plain and isinstance(value, PLAIN) and str(value) == str(value).strip("'"):
        return str(int(value) if isinstance(value, bool) else value)
    if not isinstance(value, ClauseElement):
        value = sa.literal(value, type_)
    kind: Any = type(revision.context.dialect)
    dialect = kind(paramstyle="named")  # the others double a percent sign
    options = {"literal_binds": True, "include_table": False}
    with suppress(SQLAlchemyError, NotImplementedError):
        sql = str(value.compile(dialect=dialect, compile_kwargs=options))
        # MySQL wants brackets for all but plain values.
        return sa.text(f"({sql})".replace(":", "\\:"))
    return None
