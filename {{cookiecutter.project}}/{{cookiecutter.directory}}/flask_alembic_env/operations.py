"""Operations that Alembic does not have, and ways to look into a list of operations."""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Table
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ClauseElement

log = logging.getLogger("alembic.env")
Kind = TypeVar("Kind", bound=ops.MigrateOperation)


@dataclass
class Revision:
    """A revision that is about to be written, as far as one database is concerned."""

    context: MigrationContext
    tables: list[Table]  # of the models
    upgrade: ops.UpgradeOps
    downgrade: ops.DowngradeOps

    @property
    def dialect(self) -> Dialect:
        """The dialect of the database."""
        return self.context.dialect


class Comment(ops.MigrateOperation):
    """A line for the reviewer of a revision."""

    def __init__(self, text: str) -> None:
        self.text = f"REVIEW: {text}"

    def reverse(self) -> ops.MigrateOperation:
        """Return an empty comment: what is said is about one direction."""
        return Comment("")


@renderers.dispatch_for(Comment)
def render_comment(autogen_context: AutogenContext, comment: Comment) -> str:
    """Return the code for a comment."""
    return f"# {comment.text}"


class OnPostgresql(ops.MigrateOperation):
    """Statements that PostgreSQL alone needs, with those that undo them."""

    dialects = '== "postgresql"'

    def __init__(self, up: Iterable[str], down: Iterable[str] = ()) -> None:
        self.up = list(up)
        self.down = list(down)

    def reverse(self) -> ops.MigrateOperation:
        """Return the statements in the other direction."""
        return type(self)(self.down, self.up)

    def to_diff_tuple(self) -> tuple[str, ...]:
        """Return what `alembic check` shows."""
        return ("execute", *self.up)


class OnMysql(OnPostgresql):
    """Statements that MySQL and MariaDB alone need."""

    dialects = 'in ("mysql", "mariadb")'


@renderers.dispatch_for(OnPostgresql)
def render_statements(autogen_context: AutogenContext, op: OnPostgresql) -> list[str]:
    """Return the code for the statements."""
    # A colon before a word would start a parameter.
    texts = [re.sub(r"(?<!:):(?=\w)", r"\\:", statement) for statement in op.up]
    return [
        f"if op.get_context().dialect.name {op.dialects}:",
        *(f"op.execute({text!r})" for text in texts),
        "",  # ends the block: Alembic indents the lines of a list
    ]


def of_kind(container: ops.OpContainer, kind: type[Kind]) -> list[Kind]:
    """Return the operations of a kind that are directly in a container."""
    return [op for op in container.ops if isinstance(op, kind)]


def parts_of(container: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    """Yield all operations, also those inside of a batch."""
    for op in container.ops:
        if isinstance(op, ops.ModifyTableOps):
            yield from op.ops
        else:
            yield op


def dotted(op: Any, *names: str) -> str:
    """Return the name of a table or of its column: `user`, `sales.user.name`."""
    return ".".join(name for name in (op.schema, op.table_name, *names) if name)


def warn(
    changes: ops.OpContainer, op: ops.MigrateOperation, text: str, aloud: bool = True
) -> None:
    """Put a comment before an operation, and log it too."""
    comment = Comment(text)
    if aloud:
        log.warning("%s", comment.text)
    changes.ops.insert(changes.ops.index(op), comment)


def remove_empty(changes: ops.OpContainer) -> None:
    """Remove what does nothing: empty batches, and comments that were reversed."""
    for batch in of_kind(changes, ops.ModifyTableOps):
        batch.ops = [part for part in batch.ops if does_something(part)]
    changes.ops[:] = [op for op in changes.ops if does_something(op)]


def does_something(op: ops.MigrateOperation) -> bool:
    """Return whether a revision is better with this operation than without it."""
    if isinstance(op, ops.ModifyTableOps):
        return bool(op.ops)
    if isinstance(op, ops.AlterColumnOp):
        return op.has_changes() or op.modify_name is not None
    if isinstance(op, OnPostgresql):
        return bool(op.up)
    return not isinstance(op, Comment) or op.text != "REVIEW: "


def sql_of(expression: ClauseElement, dialect: Dialect) -> str:
    """Return an expression as SQL, with its values in it."""
    kind: Any = type(dialect)
    named = kind(paramstyle="named")  # the others double a percent sign
    options = {"literal_binds": True, "include_table": False}
    return str(expression.compile(dialect=named, compile_kwargs=options))
