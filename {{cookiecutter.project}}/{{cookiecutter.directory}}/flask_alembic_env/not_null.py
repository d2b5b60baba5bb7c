"""What do existing rows get in a new column that is NOT NULL?

The model's default, if it is a value or SQL. Otherwise a person at the terminal is
asked, or an option gives it:

    alembic -x default=user.age:18 revision --autogenerate ...

The column is added with a server default, which the same revision drops again: no
database rewrites the table for that. Without a value there is a REVIEW comment.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy import JSON, Column, Enum, LargeBinary, Text, func, literal, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ClauseElement, TextClause
from sqlalchemy.types import TypeDecorator, TypeEngine

from .operations import Revision, dotted, of_kind, sql_of, warn
from .options import ask, pairs_of

# How an answer is read, by the Python type of the column.
READERS: dict[type, Callable[[str], object]] = {
    bool: lambda answer: {"true": True, "1": True, "false": False, "0": False}[answer],
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
}
PLAIN = (bool, int, float, Decimal, str)
ServerDefault = str | TextClause
NOW = {datetime: func.now(), date: func.current_date()}


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
            column = add.column
            if not needs_value(column):
                continue
            name = dotted(batch, column.name)
            default = value_for_rows(revision, name, column, may_ask)
            if default is None:
                option = f"-x default={name}:VALUE"
                reason = f"fails if {batch.table_name} has rows"
                warn(changes, batch, f"{reason}. To fill them, use {option}", may_ask)
                continue
            filled.append(with_default(add, default))
            batch.ops[batch.ops.index(add)] = drop_default(add)
        if filled:
            # A batch of its own: SQLite then adds the column without copying the table.
            first = ops.ModifyTableOps(batch.table_name, filled, schema=batch.schema)
            changes.ops.insert(changes.ops.index(batch), first)


def needs_value(column: Column[Any]) -> bool:
    """Return whether a table with rows refuses this column."""
    is_generated = column.server_default or column.identity or column.computed
    return not (column.nullable or column.primary_key or is_generated)


def with_default(add: ops.AddColumnOp, default: ServerDefault) -> ops.AddColumnOp:
    """Return the operation with a server default, on a copy of the model's column."""
    column = Column(
        add.column.name,
        add.column.type,
        nullable=False,
        server_default=default,
        comment=add.column.comment,
    )
    return ops.AddColumnOp(add.table_name, column, schema=add.schema)


def drop_default(add: ops.AddColumnOp) -> ops.AlterColumnOp:
    """Return the operation that drops the server default again."""
    return ops.AlterColumnOp(
        add.table_name,
        add.column.name,
        schema=add.schema,
        existing_type=add.column.type,
        existing_nullable=False,
        existing_comment=add.column.comment,
        modify_server_default=None,
    )


def value_for_rows(
    revision: Revision, name: str, column: Column[Any], may_ask: bool
) -> ServerDefault | None:
    """Return the server default for existing rows, or None if nobody knows it."""
    value = pairs_of("default").get(name)
    default = None
    if value is not None:
        try:
            return as_default(revision, column, parsed(value, column.type))
        except ValueError as error:
            raise CommandError(f"-x default={name}:{value}: {error}") from None
    if column.default is not None and not column.default.is_callable:
        default = as_default(revision, column, getattr(column.default, "arg", None))
    if default is not None or not may_ask:
        return default

    def read(answer: str) -> str:
        parsed(answer, column.type)
        return answer

    question = f"{name} is NOT NULL. Value for existing rows (Enter: decide later):"
    answer = ask(question, read)
    return as_default(revision, column, parsed(answer, column.type)) if answer else None


def parsed(answer: str, type_: TypeEngine[Any]) -> object:
    """Return the value that a person has written, as the database stores it.

    :raises ValueError: with what to write instead.
    """
    stored = stored_type(type_)
    if isinstance(stored, Enum):
        if answer not in stored.enums:
            raise ValueError(f"give one of {', '.join(stored.enums)}")
        return literal(answer)
    try:
        kind = stored.python_type
    except NotImplementedError:
        return literal(answer)
    if answer == "now" and kind in NOW:
        return NOW[kind]
    read = READERS.get(kind, kind if kind in (int, float, Decimal) else str)
    try:
        value = read(answer)
    except (ArithmeticError, KeyError, ValueError):
        raise ValueError(f"give a value of type {kind.__name__}") from None
    return value if isinstance(value, PLAIN) else literal(value, stored)


def as_default(
    revision: Revision, column: Column[Any], value: Any
) -> ServerDefault | None:
    """Return a value as a server default, or None if it has no form in SQL."""
    stored = stored_type(column.type)
    if isinstance(stored, LargeBinary) or value is None:
        return None
    if isinstance(stored, JSON) and not isinstance(value, ClauseElement):
        value = literal(json.dumps(value))
    is_plain = not isinstance(column.type, (Enum, TypeDecorator, Text))
    # In quotes, every database reads it. Alembic loses a quote at either end.
    if is_plain and isinstance(value, PLAIN) and str(value) == str(value).strip("'"):
        return str(int(value) if isinstance(value, bool) else value)
    if not isinstance(value, ClauseElement):
        value = literal(value, column.type)
    with suppress(SQLAlchemyError, NotImplementedError):
        sql = sql_of(value, revision.dialect).replace(":", "\\:")
        # MySQL wants brackets for all but plain values.
        return text(f"({sql})")
    return None


def stored_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type that the database stores."""
    while isinstance(type_, TypeDecorator):
        type_ = type_.impl_instance
    return type_
