"""For env_autogenerate.py: comments for the one who reviews a revision."""

import logging

from alembic.autogenerate import renderers
from alembic.operations import ops
from sqlalchemy import Enum, String

log = logging.getLogger("alembic.env")


class Comment(ops.MigrateOperation):
    """A line for the reader of a revision, which does nothing."""

    def __init__(self, text):
        self.text = f"REVIEW: {text}"

    def reverse(self):
        return None


@renderers.dispatch_for(Comment)
def render_comment(autogen_context, comment):
    return f"# {comment.text}"


def comment_on(changes, op, text, aloud=True):
    """Put a comment before an operation, and say the same to the one who is there now."""
    comment = Comment(text)
    if aloud:
        log.warning("%s", comment.text)
    changes.ops.insert(changes.ops.index(op), comment)


def dotted(op, column=None):
    """The name of an operation's table, or of a column of it: `user`, `sales.user.name`."""
    return ".".join(name for name in (op.schema, op.table_name, column) if name)


def of_kind(operations, kind):
    """Those of a kind among operations, or directly within one that holds others."""
    return [op for op in getattr(operations, "ops", operations) if isinstance(op, kind)]


def parts(changes):
    """The operations, with those on one table each by itself."""
    for op in changes.ops:
        yield from getattr(op, "ops", [op])


def remove_empty(changes):
    """Leave out the operations on a table of which nothing is left."""
    changes.ops[:] = [op for op in changes.ops if getattr(op, "ops", True)]


def mark_risks(migration_context, changes):
    """Mark what loses data, and what locks or rewrites a table that is there already."""
    new = {dotted(op) for op in of_kind(changes, ops.CreateTableOp)}
    locks = migration_context.dialect.name == "postgresql"
    marked = []
    for op in changes.ops:
        if isinstance(op, ops.DropTableOp):
            marked.append(Comment(f"table {dotted(op)} is lost"))
        if isinstance(op, ops.ModifyTableOps) and dotted(op) not in new:
            texts = [text for part in op.ops for text in risks_of(part, locks)]
            marked += [Comment(text) for text in texts]
        marked.append(op)
    changes.ops[:] = marked


def risks_of(op, locks):
    if isinstance(op, ops.DropColumnOp):
        yield f"column {dotted(op, op.column_name)} is lost"
    elif isinstance(op, ops.AlterColumnOp):
        name = dotted(op, op.column_name)
        if op.modify_type is not None and not holds_all(op):
            yield f"{name} changes its type: values may not fit, the table is rewritten"
        if op.modify_nullable is False and op.existing_nullable:
            yield f"{name} gets NOT NULL: fails where it is NULL, locks the table to look"
    elif isinstance(op, ops.CreateIndexOp) and locks:
        yield f"writes to {dotted(op)} wait for {op.index_name}: if it is big, CONCURRENTLY"


def holds_all(op):
    """Whether a text only becomes longer, or an enum gets values, which costs nothing."""
    old, new = op.existing_type, op.modify_type
    if isinstance(old, Enum) and isinstance(new, Enum):
        return set(old.enums) <= set(new.enums)
    if not isinstance(old, String) or not isinstance(new, String):
        return False
    return old.length is not None and (new.length is None or new.length >= old.length)
