"""For env.py: tells how far a command is, and where it has stopped."""

import logging
import re
import time
from contextlib import suppress
from traceback import walk_tb

from alembic import context
from env_application import add_note

log = logging.getLogger("alembic.env")
READS = re.compile(r"\s*(SELECT|SHOW|DESC|EXPLAIN|SET|PRAGMA)", re.IGNORECASE)


class Progress:
    """Counts the revisions that are done, and what the present one has changed for good."""

    def __init__(self):
        self.done = 0
        self.total = None
        self.since = time.monotonic()
        self.executed = 0  # statements of the present revision
        self.committed = False  # whether a part of it can't be undone any more

    def listen(self, change, connection):
        change(connection, "after_cursor_execute", self.after_execute)
        change(connection, "commit", self.at_commit)
        change(connection, "rollback", self.at_rollback)

    def after_execute(self, connection, cursor, statement, *_):
        if not READS.match(statement):
            self.executed += 1
            self.committed |= not context.is_transactional_ddl()

    def at_commit(self, connection):
        self.committed |= self.executed > 0

    def at_rollback(self, connection):
        self.executed = 0

    def after_step(self, ctx, step, heads, run_args):
        """Alembic calls this when a revision is done and recorded (on_version_apply)."""
        if not step.is_stamp:
            self.done += 1
            if self.done == 1:
                self.total = self.count(ctx, step, heads)
            now = time.monotonic()
            log.info(
                "[%s] %s %s (%.1f s)",
                f"{self.done}/{self.total}" if self.total else self.done,
                step.up_revision_id,
                step.up_revision.doc,
                now - self.since,
            )
            self.since = now
        self.executed, self.committed = 0, False

    def count(self, ctx, step, heads):
        """How many revisions the command runs, seen from the first of them, or None."""
        target = ctx.opts["destination_rev"]
        if re.search(r"[+-]\d+$", target):
            return None  # it was counted from where the database was before
        with suppress(Exception):  # what is only told must not stop a migration
            # As Alembic itself does it: the keywords are not documented (1.20).
            if step.is_upgrade:
                left = context.script.iterate_revisions(
                    target, tuple(heads), implicit_base=True
                )
            else:
                left = context.script.iterate_revisions(
                    tuple(heads), target, select_for_downgrade=True
                )
            return 1 + len(list(left))
        return None


def explain_half_way(error, progress):
    """Add to an error which revision it has stopped, where that can't be undone."""
    names = [
        frame.f_globals["revision"]
        for frame, _ in walk_tb(error.__traceback__)
        if {"revision", "down_revision"} <= frame.f_globals.keys()
    ]
    if progress.committed or (names and not context.is_transactional_ddl()):
        name = names[0] if names else "REVISION (the last one named above)"
        add_note(
            error,
            f"Revision {name} may have stopped half way, and the database can't undo what"
            " it did. See what of it is there. Finish it by hand and run"
            f" `alembic stamp {name}`, or undo it by hand and run it again.",
        )
