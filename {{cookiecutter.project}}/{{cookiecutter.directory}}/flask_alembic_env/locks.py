"""The run lock, by which one process at a time migrates; and limits for other locks.

The run lock is taken before the current revision is read, so a process that has waited
sees what was done meanwhile. It ends with its connection, also if a process dies.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from alembic.util import CommandError
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from .databases import connected, dialect_name

log = logging.getLogger("alembic.env")
PAUSE = 0.2  # seconds between two tries
# How to ask for the run lock, and who holds it.
LOCKS = {
    # A lock of a transaction, which works through a PgBouncer that pools transactions.
    # It is idle while we migrate, so timeouts of idle transactions are switched off.
    # https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    "postgresql": (
        """SELECT pg_try_advisory_xact_lock(27422255623596387),
        (SELECT count(set_config(name, '0', true)) FROM pg_settings WHERE name IN
        ('idle_in_transaction_session_timeout', 'transaction_timeout'))""",
        """SELECT concat('pid ', pid, ', user ', usename, ', since ', xact_start)
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND granted AND datname = current_database()
        AND (classid::bigint << 32) + objid::bigint = 27422255623596387""",
    ),
    # A lock of a session, for the whole server, so it has the database's name. The
    # connection that migrates takes it: neither can be lost without the other.
    # https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
    "mysql": (
        "SELECT GET_LOCK(SHA1(CONCAT('alembic ', DATABASE())), 0)",
        """SELECT CONCAT('connection ', id, ', user ', user, ', host ', host)
        FROM information_schema.processlist
        WHERE id = IS_USED_LOCK(SHA1(CONCAT('alembic ', DATABASE())))""",
    ),
}
# "Lock not available" and "deadlock detected" of PostgreSQL, "Lock wait timeout
# exceeded" and "Deadlock found" of MySQL, and what SQLite says.
LOCK_ERRORS = ("55P03", "40P01", 1205, 1213, "database is locked")
# Other sessions that may hold the lock which a statement needs.
BLOCKERS = {
    "postgresql": """
        SELECT DISTINCT concat('pid ', pid, ', user ', usename, ', ', state, ' for ',
        date_trunc('second', now() - state_change), ': ', left(query, 100))
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        JOIN pg_class c ON c.oid = relation AND c.relkind = 'r'
        WHERE granted AND pid <> pg_backend_pid() AND datname = current_database()
        AND :statement LIKE '%' || relname || '%'""",
    "mysql": """
        SELECT CONCAT('connection ', id, ', user ', user, '@', host, ', ',
        LOWER(command), ' for ', time, ' s: ', COALESCE(LEFT(info, 100), '-'))
        FROM information_schema.processlist WHERE db = DATABASE()
        AND id <> CONNECTION_ID() AND command <> 'Daemon' AND :statement <> ''""",
}


@contextmanager
def listening(target: Any, **listeners: Callable[..., Any]) -> Iterator[None]:
    """Listen to the events of a connection or engine for a while."""
    for name, listener in listeners.items():
        event.listen(target, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(target, name, listener)


@contextmanager
def run_lock(engine: Engine, seconds: float) -> Iterator[None]:
    """Hold PostgreSQL's run lock on a connection of its own."""
    # A stricter isolation would block CREATE INDEX CONCURRENTLY.
    connection = connected(engine).execution_options(isolation_level="READ COMMITTED")
    connection.detach()  # the application's pool does not get it back
    try:
        wait_for_turn(connection, seconds)
        yield
    finally:
        with suppress(DBAPIError):  # the server may be gone, and the lock with it
            connection.close()


@contextmanager
def locked_session(
    connection: Connection, locks: bool, wait: float, timeout: float
) -> Iterator[None]:
    """Hold the run lock of MySQL or MariaDB, and limit the waits for other locks."""
    execute = connection.exec_driver_sql
    usual = execute("SELECT @@lock_wait_timeout").scalar()
    connection.rollback()
    if locks:
        wait_for_turn(connection, wait)
    limit = max(1, round(timeout)) if timeout else usual
    execute(f"SET SESSION lock_wait_timeout = {limit}")
    connection.commit()
    try:
        yield
    finally:
        with suppress(DBAPIError):  # the server may be gone, and the lock with it
            connection.rollback()
            execute(f"SET SESSION lock_wait_timeout = {usual}")
            execute("DO RELEASE_LOCK(SHA1(CONCAT('alembic ', DATABASE())))")
            connection.commit()


def wait_for_turn(connection: Connection, seconds: float, keep: bool = False) -> None:
    """Poll for the run lock.

    :param keep: whether the transaction belongs to the caller. If not, none is open
        between two tries.
    """
    ask, holder = LOCKS[dialect_name(connection)]

    def is_ours() -> bool:
        if connection.exec_driver_sql(ask).scalar():
            return True
        if not keep:
            connection.rollback()
        return False

    def who() -> str:
        name = connection.exec_driver_sql(holder).scalar() or "unknown"
        return f"another migration of this database ({name})"

    wait_for(is_ours, who, seconds)


def wait_for(
    is_ours: Callable[[], bool], who: Callable[[], str], seconds: float
) -> None:
    """Ask for a lock until it is ours, or raise a CommandError with its holder.

    To block in the database instead would deadlock with a process that creates an index
    concurrently: https://github.com/golang-migrate/migrate/issues/960
    """
    end = time.monotonic() + seconds
    if is_ours():
        return
    log.warning("Waiting for %s", who())
    while not is_ours():
        if time.monotonic() >= end:
            raise CommandError(
                f"Gave up after {seconds:g} s of waiting for {who()}."
                " To wait longer, give -x lock-wait=SECONDS"
            )
        time.sleep(PAUSE)


def limited_waits(
    connection: Connection, seconds: float
) -> AbstractContextManager[None]:
    """Limit the waits for a table's lock on PostgreSQL; 0 means no limit.

    While a migration waits, all that come after it wait behind it. A revision may set
    another limit. In an autocommit_block there is none, because CREATE INDEX
    CONCURRENTLY has to wait for other sessions.
    """

    def begin(conn: Connection) -> None:
        # A plain SET would outlive us on a connection that PgBouncer uses again.
        conn.exec_driver_sql(f"SET LOCAL lock_timeout = {int(seconds * 1000)}")

    return listening(connection, begin=begin) if seconds else nullcontext()


def is_lock_error(error: DBAPIError) -> bool:
    """Return whether a statement failed because another session holds a lock."""
    codes = [getattr(error.orig, name, None) for name in ("sqlstate", "pgcode")]
    first = getattr(error.orig, "args", ())[:1]
    return any(code in LOCK_ERRORS for code in (*codes, *first))


def blockers(connection: Connection, statement: str) -> list[str]:
    """Describe the sessions that may hold the lock that a statement needs."""
    query = BLOCKERS.get(dialect_name(connection))
    parameters = {"statement": statement}
    return list(connection.scalars(text(query), parameters)) if query else []
