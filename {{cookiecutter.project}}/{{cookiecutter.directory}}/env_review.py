"""For env_autogenerate.py: comments for the one who reviews a revision."""

import logging

from alembic.autogenerate import renderers
from alembic.operations import ops
from sqlalchemy import String

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


def comment_on(changes, op, text):
    """Put a comment before an operation, and say the same to the one who is there now."""
    comment = Comment(text)
    log.warning("%s", comment.text)
    changes.ops.insert(changes.ops.index(op), comment)


def dotted(op, column=None):
    """The name of an operation's table, or of a column of it: `user`, `sales.user.name`."""
    return ".".join(name for name in (op.schema, op.table_name, column) if name)


def mark_risks(migration_context, changes):
    """Mark what loses data, and what locks or rewrites a table that is there already."""
    dialect = migration_context.dialect.name
    marked = []
    for op in changes.ops:
        marked += [Comment(text) for text in risks_of(op, dialect)]
        marked.append(op)
    changes.ops[:] = marked


def risks_of(op, dialect):
    if isinstance(op, ops.DropTableOp):
        yield f"table {dotted(op)} is lost"
    for part in getattr(op, "ops", ()):
        if isinstance(part, ops.DropColumnOp):
            yield f"column {dotted(part, part.column_name)} is lost"
        elif isinstance(part, ops.AlterColumnOp):
            name = dotted(part, part.column_name)
            if part.modify_type is not None and not is_longer_text(part):
                yield f"the type of {name} changes: its values may not fit, its table is rewritten"
            if part.modify_nullable is False and part.existing_nullable:
                yield f"{name} gets NOT NULL: fails where it is NULL, locks the table to look"
        elif isinstance(part, ops.CreateIndexOp) and is_blocking(part, dialect):
            yield f"{part.index_name} locks {dotted(part)}: if it is big, CONCURRENTLY"


def is_blocking(op, dialect):
    return dialect == "postgresql" and not op.kw.get("postgresql_concurrently")


def is_longer_text(op):
    """Whether a column of text may only become longer, which costs nothing."""
    old, new = op.existing_type, op.modify_type
    if not isinstance(old, String) or not isinstance(new, String):
        return False
    return old.length is not None and (new.length is None or new.length >= old.length)
