"""What do existing rows get in a new column that is NOT NULL?

The model's default, if it is a value or SQL. Otherwise a person at the terminal is
asked, or an option gives it:

    alembic -x default=user.age:18 revision --autogenerate ...

The column is added with a server default, which the same revision drops again: no
database rewrites the table for that. Without a value there is a REVIEW comment.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy import JSON, Column, Enum, LargeBinary, Text, literal, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ClauseElement, TextClause
from sqlalchemy.types import TypeDecorator, TypeEngine

from .operations import Revision, dotted, of_kind, sql_of, warn
from .options import ask, pairs_of

BOOLEANS = {"true": "1", "yes": "1", "1": "1", "false": "0", "no": "0", "0": "0"}
# How an answer is read, by the Python type of the column.
READERS: dict[type, Callable[[str], object]] = {
    bool: lambda answer: BOOLEANS[answer.lower()],
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
    Decimal: Decimal,
    float: float,
    int: int,
    str: str,
    UUID: lambda answer: UUID(answer).hex,
}
NOW = {datetime: "CURRENT_TIMESTAMP", date: "(CURRENT_DATE)"}
ServerDefault = str | TextClause


def fill_new_columns(revision: Revision) -> None:
    """Add NOT NULL columns with a default for existing rows, then drop the default."""
    changes = revision.upgrade
    for batch in of_kind(changes, ops.ModifyTableOps):
        filled: list[ops.MigrateOperation] = []
        for add in of_kind(batch, ops.AddColumnOp):
            column = add.column
            if not needs_value(column):
                continue
            name = dotted(batch, column.name)
            default = value_for_rows(revision, name, column)
            if default is None:
                option = f"-x default={name}:VALUE"
                reason = (
                    f"fails if {batch.table_name} has rows. To fill them, use {option}"
                )
                warn(changes, batch, reason)
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
    revision: Revision, name: str, column: Column[Any]
) -> ServerDefault | None:
    """Return the value that existing rows get, or None if nobody knows it."""
    given = pairs_of("default").get(name)
    if given is not None:
        try:
            return as_default(given, column.type)
        except ValueError as error:
            raise CommandError(f"-x default={name}:{given}: {error}") from None
    default = default_of_model(revision, column)
    if default is not None:
        return default

    def read(answer: str) -> str:
        as_default(answer, column.type)
        return answer

    question = f"{name} is NOT NULL. Value for existing rows (Enter: decide later):"
    answer = ask(question, read)
    return as_default(answer, column.type) if answer else None


def as_default(answer: str, type_: TypeEngine[Any]) -> ServerDefault:
    """Return the server default for what a person has written.

    :raises ValueError: with what to write instead.
    """
    stored = stored_type(type_)
    if isinstance(stored, Enum):
        if answer not in stored.enums:
            raise ValueError(f"give one of {', '.join(stored.enums)}")
        return answer
    try:
        kind = stored.python_type
    except NotImplementedError:
        kind = str
    if answer == "now" and kind in NOW:
        return text(NOW[kind])
    try:
        value = READERS.get(kind, str)(answer)
    except (ArithmeticError, KeyError, ValueError):
        raise ValueError(f"give a value of type {kind.__name__}") from None
    return as_literal(str(value), stored)


def default_of_model(revision: Revision, column: Column[Any]) -> ServerDefault | None:
    """Return the default of the model, unless a function makes one for each row."""
    default = column.default
    if default is None or isinstance(stored_type(column.type), LargeBinary):
        return None
    value = getattr(default, "arg", None)
    if isinstance(value, ClauseElement):
        return text(f"({sql_of(value, revision.dialect)})")
    if not default.is_scalar:
        return None
    if isinstance(value, bool) and not isinstance(column.type, TypeDecorator):
        return str(int(value))  # as every database reads it
    with suppress(SQLAlchemyError, NotImplementedError):
        bound = literal(value, column.type)
        return from_sql(sql_of(bound, revision.dialect), stored_type(column.type))
    return None


def from_sql(sql: str, type_: TypeEngine[Any]) -> ServerDefault:
    """Return a server default for SQL such as `'x'` or `1`."""
    if sql.startswith("'") and sql.endswith("'"):
        return as_literal(sql[1:-1].replace("''", "'"), type_)
    return text(f"({sql})")


def as_literal(value: str, type_: TypeEngine[Any]) -> ServerDefault:
    """Return the server default for a text; MySQL wants brackets for long ones."""
    is_long = isinstance(type_, (JSON, Text))
    if is_long or value.startswith("'") or value.endswith("'"):
        quoted = value.replace("'", "''").replace(":", "\\:")
        return text(f"('{quoted}')")
    return value


def stored_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type that the database stores."""
    while isinstance(type_, TypeDecorator):
        type_ = type_.impl_instance
    return type_
