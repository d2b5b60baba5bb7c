"""For env_autogenerate.py: a new column that is NOT NULL, in a table that may have rows.

They need a value. It is the default that the model has, if that is a value or SQL; or else
it is asked at a terminal, or given as an option:

    alembic -x default=user.age:0 revision --autogenerate ...

Then the column is added, filled, and gets NOT NULL. Without a value it is added as it is,
which fails where the table has rows, and a comment in the revision says so.
"""

import json
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from alembic.autogenerate import renderers
from alembic.operations import ops
from alembic.util import CommandError
from env_options import USED, answers, ask
from env_review import comment_on, dotted, of_kind
from sqlalchemy import ARRAY, JSON, Column, Enum, LargeBinary, cast, func, literal
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeDecorator

PLAIN = (bool, int, float, str)
BOOLEANS = {
    "true": True,
    "1": True,
    "yes": True,
    "false": False,
    "0": False,
    "no": False,
}
READERS = {
    bool: lambda text: BOOLEANS[text.lower()],
    datetime: lambda text: (
        func.now() if text == "now" else datetime.fromisoformat(text)
    ),
    date: lambda text: (
        func.current_date() if text == "now" else date.fromisoformat(text)
    ),
    time: time.fromisoformat,
    Decimal: Decimal,
    float: float,
    int: int,
    str: str,
    UUID: UUID,
}


class Fill(ops.MigrateOperation):
    """Give new columns their values in every row."""

    def __init__(self, table, values):
        self.table, self.values = table, values

    def reverse(self):
        return None


@renderers.dispatch_for(Fill)
def render_fill(autogen_context, fill):
    sa = autogen_context.opts["sqlalchemy_module_prefix"]
    op = autogen_context.opts["alembic_module_prefix"]
    parts = [repr(fill.table.table_name)]
    parts += [f"{sa}column({name!r})" for name in fill.values]
    if fill.table.schema:
        parts.append(f"schema={fill.table.schema!r}")
    pairs = []
    for name, value in fill.values.items():
        text = f"{op}inline_literal({value!r})"  # in --sql, too
        if not isinstance(value, PLAIN):
            text = f"{sa}literal_column({in_sql(value, autogen_context.dialect)!r})"
        pairs.append(f"{name!r}: {text}")
    values = "{" + ", ".join(pairs) + "}"
    return f"{op}execute({sa}update({sa}table({', '.join(parts)})).values({values}))"


def in_sql(expression, dialect):
    """An expression as the database writes it."""
    plain = type(dialect)(paramstyle="named")  # in the others a percent sign is doubled
    return str(
        expression.compile(dialect=plain, compile_kwargs={"literal_binds": True})
    )


class SetNotNull(ops.AlterColumnOp):
    def reverse(self):  # the downgrade drops the column
        return None


def fill_columns(migration_context, changes, may_ask=True):
    """Add NOT NULL columns in three steps, where it is known what they hold.

    :param may_ask: no for the downgrade, which brings dropped columns back.
    """
    for table in of_kind(changes, ops.ModifyTableOps):
        values, steps = {}, []
        for place, add in enumerate(table.ops):
            if isinstance(add, ops.AddColumnOp) and needs_value(add.column):
                value = value_of(migration_context, changes, table, add.column, may_ask)
                if value is not None:
                    values[add.column.name] = value
                    table.ops[place] = nullable(add)
                    steps.append(not_null(add))
        if values:
            place = changes.ops.index(table) + 1
            set_not_null = ops.ModifyTableOps(
                table.table_name, steps, schema=table.schema
            )
            changes.ops[place:place] = [Fill(table, values), set_not_null]


def needs_value(column):
    generated = column.server_default or column.identity or column.computed
    return not (column.nullable or column.primary_key or generated is not None)


def nullable(add):
    column = add.column
    loose = Column(column.name, column.type, nullable=True, comment=column.comment)
    return ops.AddColumnOp(add.table_name, loose, schema=add.schema)


def not_null(add):
    return SetNotNull(
        add.table_name,
        add.column.name,
        schema=add.schema,
        existing_type=add.column.type,
        existing_comment=add.column.comment,
        modify_nullable=False,
    )


def value_of(migration_context, changes, table, column, may_ask):
    """What the rows that are there get, or None."""
    name = dotted(table, column.name)
    given = answers("default").get(name)
    if given is not None:
        USED.add(("default", name))
        try:
            return parsed(given, column.type)
        except ValueError as error:
            raise CommandError(f"-x default={name}:{given}: {error}") from None
    value = default_of(column)
    if value is not None:
        with suppress(CompileError, NotImplementedError):
            if not isinstance(value, PLAIN):
                in_sql(value, migration_context.dialect)
            return value
    question = f"{name} is NOT NULL: which value do existing rows get?"
    value = None
    if may_ask:
        value = ask(question, lambda text: parsed(text, column.type))
    if value is None:
        text = f"fails if {table.table_name} has rows: begin again with -x default={name}:VALUE"
        comment_on(changes, table, text, aloud=may_ask)
    return value


def default_of(column):
    """The default of the model, unless a function makes another one for each row."""
    default = column.default
    if default is None or default.is_sequence or default.is_callable:
        return None
    if isinstance(column.type, JSON) and default.is_scalar:
        return json.dumps(default.arg)
    if isinstance(plain_type(column.type), LargeBinary):
        return None  # SQLAlchemy writes it wrong
    if default.is_clause_element or (
        is_plain(column.type) and isinstance(default.arg, PLAIN)
    ):
        return default.arg
    value = literal(default.arg, column.type)
    return cast(value, column.type) if isinstance(column.type, ARRAY) else value


def is_plain(type_):
    """Whether the database gets a value as Python has it, and not as the type turns it."""
    return not isinstance(type_, (Enum, TypeDecorator))


def plain_type(type_):
    """The type that is stored."""
    while isinstance(type_, TypeDecorator):
        type_ = type_.impl
    return type_


def parsed(text, type_):
    """The value that somebody has written, as the database stores it.

    :raises ValueError: with what to write instead.
    """
    type_ = plain_type(type_)
    if isinstance(type_, Enum):
        if text not in type_.enums:
            raise ValueError(f"Give one of {', '.join(type_.enums)}")
        return literal(text)
    try:
        kind = type_.python_type
    except NotImplementedError:
        kind = None
    if kind not in READERS:
        return literal(text)
    try:
        value = READERS[kind](text)
    except (ArithmeticError, KeyError, ValueError):
        raise ValueError(f"Give a value of type {kind.__name__}") from None
    return (
        value if isinstance(value, (*PLAIN, ClauseElement)) else literal(value, type_)
    )
