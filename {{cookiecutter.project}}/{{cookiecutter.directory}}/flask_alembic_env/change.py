"""Upgrade, downgrade and stamp: one process at a time, retried, and reported.

alembic -x lock=off upgrade head         without the run lock
alembic -x lock-wait=60 upgrade head     seconds to wait for the run lock (600)
alembic -x lock-timeout=2 upgrade head   seconds to wait for a table's lock (5)
alembic -x allow-tables upgrade head     although tables exist before the first one
"""

import copy
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, update_wrapper
from inspect import signature
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic import context
from alembic.runtime.migration import RevisionStep
from alembic.script.revision import MultipleHeads
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .application import first_line
from .databases import Database
from .locks import (
    blockers,
    is_lock_error,
    limited,
    lock_caller,
    run_lock,
    session_lock,
    usual_isolation,
)
from .options import is_on, seconds_of, value_of
from .sqlite import one_transaction, refuse_cascades

log = logging.getLogger("alembic.env")
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each retry
READS = re.compile(r"\s*(SELECT|SHOW|DESC|EXPLAIN|SET|PRAGMA|DO)", re.IGNORECASE)


def changes_database() -> bool:
    """Return whether the command is upgrade, downgrade or stamp, which have a target.

    :raises CommandError: if the target is `head` and there are several heads.
    """
    try:
        context.get_revision_argument()
    except KeyError:  # no target; not documented (Alembic 1.18 to 1.20)
        return False
    except CommandError as error:
        if not isinstance(error.__cause__, MultipleHeads):
            raise
        scripts = context.script.get_revisions("heads")
        names = [
            f"{each.revision} ({Path(each.path).name})" for each in scripts if each
        ]
        raise CommandError(
            f"There are {len(names)} heads: {' and '.join(names)}. Nothing was done."
            " Join them with `alembic merge heads`, or use `heads` if you want several"
        ) from None
    return True


def steps_of(database: Database) -> Callable[..., Iterator[Any]]:
    """Return a function that gives Alembic the steps to run, and reports each."""

    def steps(heads: Any, migration_context: Any) -> Iterator[Any]:
        found = list(database.function(heads, migration_context))
        database.progress.total = len(found)
        for number, step in enumerate(found, 1):
            yield prepared(step, number, database)

    return steps


def prepared(step: Any, number: int, database: Database) -> Any:
    """Report a step, and return one that calls its function as the history wants it."""
    progress = database.progress
    progress.number = number
    progress.has_changed = progress.is_behind_commit = progress.is_committed = False
    if not isinstance(step, RevisionStep):
        return step  # of `alembic stamp`
    script = step.revision
    progress.revision = f"{script.revision} ({Path(script.path).name})"
    log.info("[%d/%d] %s %s", number, progress.total, script.revision, script.doc)
    own = copy.copy(step)  # Alembic's own keeps the function of the revision
    call = partial(call_revision, step.migration_fn, database)
    own.migration_fn = update_wrapper(call, step.migration_fn)
    return own


def call_revision(function: Callable[..., None], database: Database) -> None:
    """Call `upgrade` or `downgrade`, with the name of the database if it takes one.

    A function without that argument is from before the application had binds: it is for
    the default database. One that has no function for a bind does nothing for it.
    """
    if not signature(function).parameters:
        if not database.name:
            function()
        return
    direction = function.__name__
    parts = [name for name in function.__globals__ if name.startswith(f"{direction}_")]
    if not parts or f"{direction}_{database.engine_name}" in parts:
        function(database.engine_name)


def attempts(database: Database) -> Iterator[AbstractContextManager[Connection]]:
    """Yield connections to run the command on, until it succeeds.

    A command that only reads has one attempt, and no lock.
    """
    if not changes_database():
        yield database.connect()
        return
    for pause in (*PAUSES, None):
        database.progress.is_done = False
        yield attempt(database, is_last=pause is None)
        if database.progress.is_done or pause is None:
            return
        time.sleep(pause)


@contextmanager
def attempt(database: Database, is_last: bool) -> Iterator[Connection]:
    """Connect with the run lock, in the strongest transaction that the database has.

    If another session holds a lock, the attempt ends without an error, unless it is
    the last one or a part of the revision is committed.
    """
    wait, timeout = seconds_of("lock-wait", 600), seconds_of("lock-timeout", 5)
    lock = value_of("lock", "on")
    if lock not in ("on", "off"):
        raise CommandError(f"-x lock={lock}: write on or off")
    given = database.given
    if isinstance(given, Connection) and given.in_transaction():
        refuse_cascades(given)
        if lock == "on":
            lock_caller(given, wait)
        yield given
        database.progress.is_done = True
        return
    engine = given.engine if given is not None else database.engine
    before = run_lock(engine, wait) if lock == "on" else nullcontext()
    with before, database.connect() as connection, watched(connection, database):
        after = session_lock(connection, wait) if lock == "on" else nullcontext()
        transactions = limited(connection, timeout)
        if connection.dialect.name == "sqlite":
            transactions = one_transaction(connection, wait, timeout)
        try:
            with after, usual_isolation(connection), transactions:
                yield connection
            database.progress.is_done = True
        except Exception as error:
            explain(database, connection, error, is_last)


@contextmanager
def watched(connection: Connection, database: Database) -> Iterator[None]:
    """Notice whether a part of the present revision can no longer be undone."""
    progress = database.progress
    is_transactional = connection.dialect.name in ("postgresql", "sqlite")

    def before_execute(*arguments: Any) -> None:
        progress.is_committed |= progress.is_behind_commit

    def after_execute(conn: Any, cursor: Any, statement: str, *more: Any) -> None:
        progress.has_changed |= not READS.match(statement)
        progress.is_committed |= progress.has_changed and not is_transactional

    def commit(conn: Any) -> None:
        progress.is_behind_commit |= progress.has_changed

    listeners: list[tuple[str, Any]] = [
        ("before_cursor_execute", before_execute),
        ("after_cursor_execute", after_execute),
        ("commit", commit),
    ]
    for name, listener in listeners:
        event.listen(connection, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners:
            event.remove(connection, name, listener)


def explain(
    database: Database, connection: Connection, error: Exception, is_last: bool
) -> None:
    """Return if another attempt can help; otherwise raise the error, explained.

    The `alembic` command shows an error of the database in one line.
    """
    progress = database.progress
    is_locked = is_lock_error(error)
    if is_locked:
        for session in blockers(connection, error):
            log.warning("Blocked by %s", session)
        if not is_last and not progress.is_committed:
            log.warning("Will try again: %s", first_line(error))
            return
    outcome = outcome_of(database)
    if is_locked:
        outcome += ". End the session that blocks it, or give -x lock-timeout=SECONDS"
    command = context.config.cmd_opts
    if isinstance(error, DBAPIError) and command and not command.raiseerr:
        name = progress.revision or "The command"
        raise CommandError(f"{name} failed: {first_line(error)}. {outcome}") from error
    if progress.revision and not isinstance(error, CommandError):
        log.error("%s failed. %s", progress.revision, outcome)
    raise error


def outcome_of(database: Database) -> str:
    """Return what a failed command has kept."""
    progress = database.progress
    if progress.is_committed:
        name = progress.revision.partition(" ")[0]
        return (
            "It may have stopped half way: finish it by hand and run"
            f" `alembic stamp {name}`, or undo it by hand and run it again"
        )
    if database.engine.dialect.name == "sqlite":
        return "Nothing was changed"
    done = max(progress.number - 1, 0)
    return f"{done} of {progress.total} revisions are done, and nothing of this one"


def refuse_unmanaged(database: Database) -> None:
    """Stop an upgrade of a database that has tables of the models, but no revision.

    :raises CommandError: unless `-x allow-tables` is given.
    """
    migration = context.get_context()
    if (
        database.command != "upgrade"
        or is_on("allow-tables")
        or migration.get_current_heads()
    ):
        return
    inspector = sqlalchemy.inspect(context.get_bind())
    include: Any = migration.opts.get("include_object")
    tables = [
        table.key
        for table in database.tables
        if inspector.has_table(table.name, table.schema)
        and include(table, table.name, "table", False, None)
    ]
    if not tables:
        return
    advice = ""
    if database.engine.dialect.name in ("mysql", "mariadb"):
        first = " or ".join(context.script.get_bases())
        advice = (
            f" If revision {first} stopped half way, undo by hand what it did, or"
            f" finish it and run `alembic stamp {first}`."
        )
    raise CommandError(
        f"The database has tables of the application ({', '.join(sorted(tables)[:5])}),"
        " but no revision is recorded in it. Nothing was done. If the tables are"
        f" those of a revision, run `alembic stamp REVISION`.{advice} To upgrade all"
        " the same, give -x allow-tables"
    )
