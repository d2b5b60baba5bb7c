"""The run lock, by which one process at a time migrates; and limits for other locks.

The run lock is taken before the current revision is read, so a process that has waited
sees what was done meanwhile. It ends with its connection, also if a process dies.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from alembic.util import CommandError
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from .databases import connected

log = logging.getLogger("alembic.env")
PAUSE = 0.2  # seconds between two tries

# PostgreSQL: a lock of a transaction, which works through a PgBouncer that pools
# transactions. That transaction is idle for long, and must be allowed to be.
# https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
POSTGRESQL_TRY = """
    SELECT pg_try_advisory_xact_lock(27422255623596387),
    (SELECT count(set_config(name, '0', true)) FROM pg_settings WHERE name IN
    ('idle_in_transaction_session_timeout', 'transaction_timeout'))"""
POSTGRESQL_HOLDER = """
    SELECT concat('pid ', pid, ', user ', usename, ', since ', xact_start)
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted
    AND (classid::bigint << 32) + objid::bigint = 27422255623596387
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
# MySQL: a lock of a session, for the whole server, so it has the database's name. The
# connection that migrates takes it: neither can be lost without the other.
# https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
MYSQL_TRY = "SELECT GET_LOCK(SHA1(CONCAT('alembic ', DATABASE())), 0)"
MYSQL_END = "DO RELEASE_LOCK(SHA1(CONCAT('alembic ', DATABASE())))"
MYSQL_HOLDER = """
    SELECT CONCAT('connection ', id, ', user ', user, ', host ', host)
    FROM information_schema.processlist
    WHERE id = IS_USED_LOCK(SHA1(CONCAT('alembic ', DATABASE())))"""

# "Lock not available" and "deadlock detected" of PostgreSQL, "Lock wait timeout
# exceeded" and "Deadlock found" of MySQL, and what SQLite says.
LOCK_ERRORS = ("55P03", "40P01", 1205, 1213, "database is locked")
POSTGRESQL_BLOCKERS = """
    SELECT DISTINCT concat('pid ', a.pid, ', user ', usename, ', ', state, ' for ',
        date_trunc('second', now() - state_change), ', holds ',
        l.relation::regclass, ': ', left(query, 100))
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    JOIN pg_class c ON c.oid = l.relation
    WHERE l.granted AND a.pid <> pg_backend_pid() AND c.relnamespace NOT IN
        ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        AND l.database =
            (SELECT oid FROM pg_database WHERE datname = current_database())
        AND :statement LIKE '%' || c.relname || '%'"""
MYSQL_BLOCKERS = """
    SELECT CONCAT('connection ', id, ', user ', user, '@', host, ', ',
        LOWER(command), ' for ', time, ' s: ', COALESCE(LEFT(info, 100), '-'))
    FROM information_schema.processlist
    WHERE db = DATABASE() AND id <> CONNECTION_ID() AND command <> 'Daemon'
        AND :statement IS NOT NULL"""


@contextmanager
def run_lock(engine: Engine, seconds: float) -> Iterator[None]:
    """Hold PostgreSQL's run lock on a connection of its own.

    :param seconds: how long to wait for it.
    :raises CommandError: after that time, with the holder's name.
    """
    if engine.dialect.name != "postgresql":
        if engine.dialect.name not in ("mysql", "mariadb", "sqlite"):
            log.warning("No run lock on %s: run one process only", engine.dialect.name)
        yield
        return
    # A stricter isolation would block CREATE INDEX CONCURRENTLY.
    connection = connected(engine).execution_options(isolation_level="READ COMMITTED")
    connection.detach()  # the application's pool does not get it back
    try:
        wait_for_turn(connection, POSTGRESQL_TRY, POSTGRESQL_HOLDER, seconds)
        yield
    finally:
        with suppress(DBAPIError):  # the server may be gone, and the lock with it
            connection.close()


@contextmanager
def session_lock(connection: Connection, seconds: float) -> Iterator[None]:
    """Hold the run lock of MySQL or MariaDB on the connection that migrates."""
    if connection.dialect.name not in ("mysql", "mariadb"):
        yield
        return
    wait_for_turn(connection, MYSQL_TRY, MYSQL_HOLDER, seconds)
    connection.rollback()
    try:
        yield
    finally:
        with suppress(DBAPIError):  # the server may be gone, and the lock with it
            connection.rollback()
            connection.exec_driver_sql(MYSQL_END)
            connection.rollback()


def lock_caller(connection: Connection, seconds: float) -> None:
    """Hold the run lock until the caller's transaction ends, on PostgreSQL."""
    if connection.dialect.name == "postgresql":
        wait_for_turn(connection, POSTGRESQL_TRY, POSTGRESQL_HOLDER, seconds, keep=True)


def wait_for_turn(
    connection: Connection, ask: str, holder: str, seconds: float, keep: bool = False
) -> None:
    """Poll for the lock, without holding a transaction open between attempts."""

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
    """Ask for a lock until it is ours.

    To block in the database instead would deadlock with a process that creates an index
    concurrently: https://github.com/golang-migrate/migrate/issues/960

    :param who: describes the holder of the lock.
    :raises CommandError: after the seconds.
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


@contextmanager
def limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Wait no longer than some seconds for a table's lock; 0 is for no limit.

    While a migration waits, all that come after it wait behind it. A revision may set
    another limit. On PostgreSQL an autocommit_block has none, because CREATE INDEX
    CONCURRENTLY has to wait for other sessions.
    """
    if connection.dialect.name == "postgresql" and seconds:
        setting = f"SET LOCAL lock_timeout = {int(seconds * 1000)}"

        def begin(conn: Connection) -> None:
            conn.exec_driver_sql(setting)  # of the session, it would stay in a pool

        event.listen(connection, "begin", begin)
        try:
            yield
        finally:
            event.remove(connection, "begin", begin)
    elif connection.dialect.name in ("mysql", "mariadb") and seconds:
        execute = connection.exec_driver_sql
        usual = execute("SELECT @@lock_wait_timeout").scalar()
        execute(f"SET SESSION lock_wait_timeout = {max(1, round(seconds))}")
        connection.commit()
        try:
            yield
        finally:
            with suppress(DBAPIError):  # the server may be gone
                connection.rollback()
                execute(f"SET SESSION lock_wait_timeout = {usual}")
                connection.commit()
    else:
        yield


@contextmanager
def usual_isolation(connection: Connection) -> Iterator[None]:
    """Use transactions, even if the application's engine commits each statement."""
    given = connection.get_execution_options().get("isolation_level")
    # The drivers of PostgreSQL have this attribute.
    raw = connection.connection.dbapi_connection
    if given != "AUTOCOMMIT" and getattr(raw, "autocommit", None) is not True:
        yield
        return
    connection.execution_options(isolation_level=connection.default_isolation_level)
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.rollback()
            connection.execution_options(isolation_level="AUTOCOMMIT")


def is_lock_error(error: Exception) -> bool:
    """Return whether a statement failed because another session holds a lock."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return False
    codes = [getattr(error.orig, name, None) for name in ("sqlstate", "pgcode")]
    return any(code in LOCK_ERRORS for code in (*codes, *error.orig.args[:1]))


def blockers(connection: Connection, error: Exception) -> list[str]:
    """Describe the sessions that may hold the lock."""
    queries = {"postgresql": POSTGRESQL_BLOCKERS}
    queries |= dict.fromkeys(("mysql", "mariadb"), MYSQL_BLOCKERS)
    query = queries.get(connection.dialect.name)
    statement = getattr(error, "statement", None) or ""
    found: list[str] = []
    with suppress(DBAPIError):
        connection.rollback()
        if query:
            found = list(connection.scalars(text(query), {"statement": statement}))
        connection.rollback()
    return found
