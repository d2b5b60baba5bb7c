"""For env.py: runs the commands that change the database (upgrade, downgrade, stamp).

They run in one process at a time, each revision in the strongest transaction that the
database has, and without waiting long for the locks of other sessions. Options:

    alembic -x lock=off upgrade head         don't take the run lock
    alembic -x lock-wait=60 upgrade head     seconds to wait for the run lock (600)
    alembic -x lock-timeout=2 upgrade head   seconds to wait for a table's lock (5)
    alembic -x allow-tables upgrade head     tables may be there before the first revision
"""

import logging
import os
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import sqlalchemy
from alembic import context
from alembic.script.revision import MultipleHeads
from alembic.util import CommandError
from env_lock import lock_in_transaction, lock_of_session, run_lock
from env_options import flag, option, seconds
from env_progress import Progress, explain_half_way
from env_sqlite import one_transaction, refuse_cascades
from env_waits import blockers, is_lock_error, limits
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

log = logging.getLogger("alembic.env")
# Seconds between the tries, where a table's lock is not to be had.
PAUSES = (1, 2, 4, 8)

GIVE_UP = (
    "Nothing was done by this revision. End what is in the way, or wait longer with"
    " -x lock-timeout=SECONDS. (On SQLite, a revision that writes by db.session is in its"
    " own way: it has to use op.get_bind().)"
)


def changes_database():
    """Tell upgrade, downgrade and stamp, which have a target, from what only reads.

    :raises CommandError: where the target is `head`, and there are several heads.
    """
    try:
        context.get_revision_argument()
    except KeyError:  # not documented, but the same since Alembic 1.13 (seen: 1.20)
        return False
    except CommandError as error:
        if isinstance(error.__cause__, MultipleHeads):
            raise CommandError(several_heads(error.__cause__)) from None
        raise
    return True


def several_heads(error):
    """What to say where there is more than one head, and what to do then."""
    scripts = context.script.get_revisions(error.heads)
    names = [f"{each.revision} ({os.path.basename(each.path)})" for each in scripts]
    tool = Path(__file__).with_name("one_head.py")
    if tool.is_relative_to(Path.cwd()):
        tool = tool.relative_to(Path.cwd())
    text = f"There is more than one head: {' and '.join(names)}. Nothing was done. "
    meant = context.config.get_main_option("several_heads", "")
    if meant.lower() not in ("true", "yes", "on", "1"):
        text += (
            f"If nobody meant this, run `python {tool.as_posix()} rebase`, which puts one"
            " after the other, or `alembic merge heads`. If all are meant, "
        )
    return f"{text}upgrade to {error.argument}s"


def change(database, migrate):
    """Call `migrate` with the database, and with options for `context.configure`."""
    wait, timeout = seconds("lock-wait", 600), seconds("lock-timeout", 5)
    lock = option("lock", "on")
    if lock not in ("on", "off", True, False):
        raise CommandError(f"-x lock={lock}: write on or off")
    locks = lock in ("on", True)
    given = database.given
    if isinstance(given, Connection) and given.in_transaction():
        if given.dialect.name == "sqlite":
            refuse_cascades(given)
        elif locks:
            lock_in_transaction(given, wait)
        return migrate(database, connection=given)

    engine = given.engine if given is not None else database.engine
    with run_lock(engine, wait) if locks else nullcontext():
        for pause in (*PAUSES, None):
            with database.connect() as connection:
                run = partial(migrate, database, connection=connection)
                with lock_of_session(connection, wait) if locks else nullcontext():
                    if attempt(connection, run, wait, timeout, is_last=pause is None):
                        return None
            time.sleep(pause)


def attempt(connection, run, wait, timeout, is_last):
    """Run the command, and tell whether it is done.

    :raises DBAPIError: for what another try does not mend.
    """
    progress = Progress()
    progress.listen(event.listen, connection)
    try:
        with no_autocommit(connection):
            if connection.dialect.name == "sqlite":
                with one_transaction(connection, wait, timeout) as guard:
                    run(
                        transactional_ddl=True,
                        on_version_apply=[guard.after_step, progress.after_step],
                    )
            else:
                with limits(connection, timeout):
                    run(
                        transaction_per_migration=True,
                        on_version_apply=progress.after_step,
                    )
    except Exception as error:
        in_the_way = isinstance(error, DBAPIError) and is_lock_error(error)
        for session in blockers(connection, error) if in_the_way else ():
            log.warning("In the way: %s", session)
        if not in_the_way or progress.committed:
            explain_half_way(error, progress)
            raise
        if is_last:
            raise CommandError(f"Gave up: {error.orig}. {GIVE_UP}") from error
        log.warning("Will try again: %s", error.orig)
        return False
    finally:
        progress.listen(event.remove, connection)
    return True


@contextmanager
def no_autocommit(connection):
    """Use transactions, even if the app's engine commits each statement by itself."""
    given = connection.get_execution_options().get("isolation_level")
    raw = connection.connection.dbapi_connection
    # The drivers of PostgreSQL have this attribute, whoever has set it.
    commits = given == "AUTOCOMMIT" or getattr(raw, "autocommit", None) is True
    if commits:
        usual = connection.default_isolation_level
        connection.execution_options(isolation_level=usual)
    try:
        yield
    finally:
        if commits and not connection.invalidated:
            connection.rollback()
            connection.execution_options(isolation_level="AUTOCOMMIT")


def refuse_existing_tables(metadata):
    """Stop an upgrade of a database that has the app's tables, but no revision.

    :raises CommandError: nothing is stamped without a word.
    """
    migration = context.get_context()
    if not changes_database() or context.is_offline_mode():
        return
    # Only stamp passes a tuple; there is no public name for the command (Alembic 1.20).
    stamps = isinstance(migration.opts["destination_rev"], tuple)
    if stamps or flag("allow-tables") or migration.get_current_heads():
        return
    inspector = sqlalchemy.inspect(migration.connection)
    schemas = {table.schema for table in metadata.tables.values()}
    there = {
        (schema, name)
        for schema in schemas
        for name in inspector.get_table_names(schema)
    }
    wanted = migration.opts.get("include_object") or (lambda *_: True)
    tables = [
        key
        for key, table in metadata.tables.items()
        if (table.schema, table.name) in there
        and wanted(table, table.name, "table", False, None)
    ]
    if tables:
        way_out = (
            "If they are as some revision makes them, run `alembic stamp REVISION`;"
            " otherwise upgrade an empty database"
        )
        if not context.is_transactional_ddl():
            first = " or ".join(context.script.get_bases())
            way_out += (
                f". If revision {first} stopped half way, undo by hand what it did, or"
                f" finish it and run `alembic stamp {first}`"
            )
        raise CommandError(
            f"The database has tables of the app ({', '.join(sorted(tables)[:5])}), but"
            f" no revision is recorded in it. {way_out}"
        )
