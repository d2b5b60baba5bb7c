"""For env.py: one process at a time migrates a database, and the others wait their turn.

The lock is taken before the current revision is read, so that whoever has waited sees
what was done meanwhile. It ends with its connection: that of a process that dies, too.
"""

import logging
import time
from contextlib import contextmanager, nullcontext, suppress

from alembic.util import CommandError
from env_databases import connected
from sqlalchemy.exc import DBAPIError

log = logging.getLogger("alembic.env")
PAUSE = 0.2  # seconds between two tries

# PostgreSQL's lock lasts as long as a transaction, and not a session: so it works through
# a PgBouncer that pools transactions. That transaction idles, and must be allowed to.
# https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
POSTGRESQL = {
    "try": """
        SELECT pg_try_advisory_xact_lock(27422255623596387),
        (SELECT count(set_config(name, '0', true)) FROM pg_settings WHERE name IN
        ('idle_in_transaction_session_timeout', 'transaction_timeout'))""",
    "holder": """
        SELECT concat('pid ', pid, ', user ', usename, ', since ', xact_start)
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND granted
        AND (classid::bigint << 32) + objid::bigint = 27422255623596387
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
}
# MySQL's lasts as long as a session, and is the server's: hence the database's name. It is
# taken by the connection that migrates, so that neither can be lost without the other.
# https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
NAME = "SHA1(CONCAT('alembic ', DATABASE()))"
MYSQL = {
    "try": f"SELECT GET_LOCK({NAME}, 0)",
    "holder": f"""
        SELECT CONCAT('connection ', id, ', user ', user, ', host ', host)
        FROM information_schema.processlist WHERE id = IS_USED_LOCK({NAME})""",
    "end": f"DO RELEASE_LOCK({NAME})",
}


def run_lock(engine, seconds):
    """Hold the run lock of the engine's database, if it has one besides the connection's.

    :param seconds: how long to wait for it.
    :raises CommandError: when they have passed.
    """
    dialect = engine.dialect.name
    if dialect == "postgresql":
        return lock_of_transaction(engine, seconds)
    if dialect not in ("mysql", "mariadb", "sqlite"):
        log.info("No run lock on %s: migrate in one process only", dialect)
    return nullcontext()


@contextmanager
def lock_of_transaction(engine, seconds):
    # In a stricter isolation, the idle transaction would block CREATE INDEX CONCURRENTLY.
    connection = connected(engine).execution_options(isolation_level="READ COMMITTED")
    connection.detach()  # so that it is closed at the end, and not kept by the app's pool
    try:
        wait_for_turn(connection, POSTGRESQL, seconds)
        yield
    finally:
        with suppress(DBAPIError):  # the server may be gone, and the lock with it
            connection.close()


@contextmanager
def lock_of_session(connection, seconds):
    """Hold the run lock of MySQL or MariaDB on the connection that migrates."""
    if connection.dialect.name not in ("mysql", "mariadb"):
        yield
        return
    wait_for_turn(connection, MYSQL, seconds)
    connection.rollback()
    try:
        yield
    finally:
        with suppress(DBAPIError):  # the server may be gone, and the lock with it
            connection.rollback()
            connection.exec_driver_sql(MYSQL["end"])
            connection.rollback()


def lock_in_transaction(connection, seconds):
    """Hold the run lock until the transaction of `connection` ends, on PostgreSQL."""
    if connection.dialect.name == "postgresql":
        wait_for_turn(connection, POSTGRESQL, seconds, rollback=False)


def wait_for_turn(connection, sql, seconds, rollback=True):
    """Ask for the lock until it is had, and in between hold no transaction open."""

    def ask(question):
        return connection.exec_driver_sql(sql[question]).scalar()

    def lock():
        is_ours = ask("try")
        if not is_ours and rollback:
            connection.rollback()
        return is_ours

    what = "another migration of this database"
    wait_for(lock, lambda: f"{what} ({ask('holder') or 'unknown'})", seconds)


def wait_for(lock, what, seconds):
    """Call `lock` until it is true.

    To block inside PostgreSQL instead would deadlock with another process that creates an
    index concurrently. https://github.com/golang-migrate/migrate/issues/960

    :param what: tells what it is that is waited for.
    :raises CommandError: when the seconds have passed.
    """
    end = time.monotonic() + seconds
    if lock():
        return
    log.warning("Waiting for %s", what())
    while not lock():
        if time.monotonic() >= end:
            raise CommandError(
                f"Gave up after {seconds:g} s of waiting for {what()}."
                " To wait longer, give -x lock-wait=SECONDS"
            )
        time.sleep(PAUSE)
