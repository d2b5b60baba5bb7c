"""What autogenerate's steps share: the revision, lines of code in it, and names."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Table

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
    def types(self) -> list[Any]:
        """The types of all columns of the models."""
        return [column.type for table in self.tables for column in table.c]


class Lines(ops.MigrateOperation):
    """Lines of code, such as a comment, and those that undo them."""

    def __init__(self, *lines: str, undo: tuple[str, ...] = ()) -> None:
        self.lines = lines
        self.undo = undo

    def reverse(self) -> ops.MigrateOperation:
        """Return the lines in the other direction."""
        return Lines(*self.undo, undo=self.lines)

    def to_diff_tuple(self) -> tuple[str, ...]:
        """Return what `alembic check` shows."""
        return ("execute", *self.lines)


@renderers.dispatch_for(Lines)
def render_lines(autogen_context: AutogenContext, op: Lines) -> list[str]:
    """Return the lines. Alembic indents them; an empty one ends an `if`."""
    is_block = any(line.endswith(":") for line in op.lines)
    return [*op.lines, ""] if is_block else [*op.lines]


def comment_on(
    changes: ops.OpContainer, op: ops.MigrateOperation, text: str, aloud: bool = True
) -> None:
    """Put a comment before an operation, and log it too."""
    if aloud:
        log.warning("REVIEW: %s", text)
    changes.ops.insert(changes.ops.index(op), Lines(f"# REVIEW: {text}"))


def of_kind(container: ops.OpContainer, kind: type[Kind]) -> list[Kind]:
    """Return the operations of a kind that are directly in a container."""
    return [op for op in container.ops if isinstance(op, kind)]


def parts_of(container: ops.OpContainer) -> Iterator[Any]:
    """Yield all operations, also those inside of a batch."""
    for op in container.ops:
        yield from getattr(op, "ops", [op])


def dotted(op: Any, *names: str) -> str:
    """Return the name of a table or of its column: `user`, `sales.user.name`."""
    return ".".join(name for name in (op.schema, op.table_name, *names) if name)
