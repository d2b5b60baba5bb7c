"""Upgrade, downgrade and stamp: one process at a time, retried, and reported.

alembic -x lock=off upgrade head         without the run lock
alembic -x lock-wait=60 upgrade head     seconds to wait for the run lock (600)
alembic -x lock-timeout=2 upgrade head   seconds to wait for a table's lock (5)
alembic -x allow-tables upgrade head     even if tables exist and no revision has run
"""

import copy
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial, update_wrapper
from inspect import signature
from pathlib import Path
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.util import CommandError
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .application import first_line
from .databases import Database
from .locks import (
    blockers,
    is_lock_error,
    limited_waits,
    listening,
    locked_session,
    run_lock,
    wait_for_turn,
)
from .options import is_on, seconds_of
from .refusals import (
    refuse_lost_revisions,
    refuse_several_heads,
    refuse_unmanaged,
)
from .sqlite import one_transaction, refuse_cascades

log = logging.getLogger("alembic.env")
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each retry
READS = re.compile(r"\s*(SELECT|SHOW|DESC|EXPLAIN|SET|DO)", re.IGNORECASE)


def attempts(database: Database) -> Iterator[AbstractContextManager[Connection]]:
    """Yield connections to run the command on, until it succeeds.

    A command that only reads has one attempt, and no lock.
    """
    try:
        context.get_revision_argument()
    except KeyError:  # no target: it reads; not documented (Alembic 1.18 to 1.20)
        yield attempt(database, database.connect(), may_retry=False)
        return
    except CommandError:
        refuse_several_heads()
        raise
    for pause in PAUSES:
        yield attempt(database, connected_to_write(database), may_retry=True)
        if database.is_done:
            return
        time.sleep(pause)
    yield attempt(database, connected_to_write(database), may_retry=False)


@contextmanager
def attempt(
    database: Database, connected: AbstractContextManager[Connection], may_retry: bool
) -> Iterator[Connection]:
    """Connect, and explain an error of the database.

    If another session holds a lock, the attempt ends without an error, unless it is
    the last one or the database does not undo the revision.
    """
    try:
        with connected as connection:
            yield connection
        database.is_done = True
    except DBAPIError as error:
        advice = ""
        if is_lock_error(error):
            with suppress(DBAPIError), database.connect() as connection:
                for blocker in blockers(connection, error.statement or ""):
                    log.warning("Blocked by %s", blocker)
            if may_retry and database.is_undone:
                log.warning("Will try again: %s", first_line(error))
                return
            advice = ". End the session that blocks it, or give -x lock-timeout=SECONDS"
        command = context.config.cmd_opts
        if not command or command.raiseerr:
            raise
        name = database.revision or "The command"
        raise CommandError(
            f"{name} failed: {first_line(error)}. {outcome_of(database)}{advice}"
        ) from error
    except Exception as error:
        if database.revision and not isinstance(error, CommandError):
            log.error("%s failed. %s", database.revision, outcome_of(database))
        raise


@contextmanager
def connected_to_write(database: Database) -> Iterator[Connection]:
    """Connect with the run lock, in one transaction for each revision.

    On SQLite it is one for the whole command; MySQL commits each change by itself.
    """
    wait, timeout = seconds_of("lock-wait", 600), seconds_of("lock-timeout", 5)
    locks, given = is_on("lock", "on"), database.given
    if isinstance(given, Connection) and given.in_transaction():
        refuse_cascades(given)
        if locks and database.dialect == "postgresql":
            wait_for_turn(given, wait, keep=True)
        yield given
        return
    with ExitStack() as stack:
        if locks and database.dialect == "postgresql":
            engine = database.engine if given is None else given.engine
            stack.enter_context(run_lock(engine, wait))
        connection = stack.enter_context(database.connect())
        if database.dialect != "sqlite" and not isinstance(given, Connection):
            level = connection.default_isolation_level
            connection.execution_options(isolation_level=level)
        if database.dialect == "postgresql":
            stack.enter_context(limited_waits(connection, timeout))
        elif database.dialect == "mysql":
            stack.enter_context(locked_session(connection, locks, wait, timeout))
            stack.enter_context(watched(connection, database))
        elif database.dialect == "sqlite":
            stack.enter_context(one_transaction(connection, wait, timeout))
        elif locks:
            log.warning("No run lock on %s: run one process only", database.dialect)
        yield connection


def watched(connection: Connection, database: Database) -> AbstractContextManager[None]:
    """Notice what MySQL does not undo: a statement that has changed something."""

    def after(conn: Connection, cursor: Any, statement: str, *more: Any) -> None:
        if not READS.match(statement):
            database.is_undone = False

    return listening(connection, after_cursor_execute=after)


def outcome_of(database: Database) -> str:
    """Return what a failed command has kept."""
    if not database.is_undone:
        name = database.revision.partition(" ")[0]
        return (
            "It may have stopped half way: finish it by hand and run"
            f" `alembic stamp {name}`, or undo it by hand and run it again"
        )
    if database.dialect == "sqlite" or not database.total:
        return "Nothing was changed"
    done = max(database.number - 1, 0)
    return f"{done} of {database.total} revisions are done, and nothing of this one"


def steps_of(database: Database) -> Callable[..., Iterator[Any]]:
    """Return a function that gives Alembic the steps to run, and reports each."""

    def steps(heads: Any, migration_context: MigrationContext) -> Iterator[Any]:
        try:
            found = list(database.function(heads, migration_context))
        except CommandError:
            refuse_lost_revisions(heads)
            if database.command in ("check", "revision"):
                refuse_several_heads()
            raise
        if not heads and not context.is_offline_mode():
            refuse_unmanaged(database)
        if database.command in ("upgrade", "downgrade") and not found:
            log.info("Nothing to do: at %s", ", ".join(heads) or "base")
        database.total = len(found)
        for number, step in enumerate(found, 1):
            database.number = number
            yield reported(step, database) if isinstance(step, RevisionStep) else step

    return steps


def reported(step: RevisionStep, database: Database) -> RevisionStep:
    """Report a step, and return one that calls its function as the history wants it."""
    script: Any = step.revision
    path = Path(script.path)
    database.revision = f"{script.revision} ({path.name})"
    place = f"[{database.number}/{database.total}]"
    log.info("%s %s %s", place, script.revision, script.doc)
    database.is_undone = "autocommit_block" not in path.read_text(encoding="utf-8")
    own = copy.copy(step)  # Alembic's own keeps the function of the revision
    call = partial(call_revision, step.migration_fn, database)
    own.migration_fn = update_wrapper(call, step.migration_fn)
    return own


def call_revision(function: Callable[..., None], database: Database) -> None:
    """Call `upgrade` or `downgrade`, with the name of the database if it takes one.

    A revision whose functions take no name runs on the default database only. One that
    has no `upgrade_audit()` leaves out the bind audit.
    """
    if not signature(function).parameters:
        if not database.name:
            function()
        return
    direction = function.__name__
    parts = [name for name in function.__globals__ if name.startswith(f"{direction}_")]
    if not parts or f"{direction}_{database.engine_name}" in parts:
        function(database.engine_name)
