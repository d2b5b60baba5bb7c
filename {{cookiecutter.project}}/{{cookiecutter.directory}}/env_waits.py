"""For env.py: a migration must not wait long for a lock of another session.

While it waits, all that come after it wait behind it, and a site stands still.
"""

from contextlib import contextmanager, nullcontext, suppress

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

# PostgreSQL's lock_not_available and deadlock_detected, MySQL's "Lock wait timeout
# exceeded" and "Deadlock found", what SQLite says when it is busy
CODES = ("55P03", "40P01", 1205, 1213, "database is locked")

BLOCKERS = {
    "postgresql": """
        SELECT DISTINCT concat('pid ', a.pid, ', user ', usename, ', ', state, ' for ',
            date_trunc('second', now() - state_change), ', holds ',
            l.relation::regclass, ': ', left(query, 100))
        FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        JOIN pg_class c ON c.oid = l.relation
        WHERE l.granted AND a.pid <> pg_backend_pid() AND c.relnamespace NOT IN
            ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND :statement LIKE '%' || c.relname || '%'""",
    "mysql": """
        SELECT CONCAT('connection ', id, ', user ', user, '@', host, ', ',
            LOWER(command), ' for ', time, ' s: ', COALESCE(LEFT(info, 100), '-'))
        FROM information_schema.processlist
        WHERE db = DATABASE() AND id <> CONNECTION_ID() AND command <> 'Daemon'""",
}
BLOCKERS["mariadb"] = BLOCKERS["mysql"]


def limits(connection, seconds):
    """Wait no longer than some seconds for a table lock; 0 is for ever.

    A revision can set its own limit, by executing what is executed here. On PostgreSQL an
    autocommit_block has none: CREATE INDEX CONCURRENTLY has to wait for other sessions.
    """
    if connection.dialect.name == "postgresql":
        return limits_of_transactions(connection, seconds)
    if connection.dialect.name in ("mysql", "mariadb") and seconds:
        return limit_of_session(connection, seconds)
    return nullcontext()


@contextmanager
def limits_of_transactions(connection, seconds):
    """Set what holds in one transaction: what is set for a session stays in a PgBouncer.

    No revision's commit waits for the disk, which can take as long as all of its work. But
    the command ends, well or with an error, by one that waits, for all that is in the log
    before it. So a crash of the server can only undo the last revisions, as a whole, of a
    command that goes on. https://www.postgresql.org/docs/current/wal-async-commit.html
    """
    settings = "set_config('synchronous_commit', 'off', true)"
    if seconds:
        settings += f", set_config('lock_timeout', '{int(seconds * 1000)}ms', true)"
    commits = []
    count = commits.append

    def begin(connection):
        connection.exec_driver_sql(f"SELECT {settings}")

    event.listen(connection, "begin", begin)
    event.listen(connection, "commit", count)
    try:
        yield
    except BaseException:
        event.remove(connection, "begin", begin)
        with suppress(DBAPIError):  # the server may be gone
            connection.rollback()
            wait_for_disk(connection, commits)
        raise
    else:
        event.remove(connection, "begin", begin)
        wait_for_disk(connection, commits)
    finally:
        event.remove(connection, "commit", count)


def wait_for_disk(connection, commits):
    if commits:
        # A commit waits only if its transaction has written to the log. This does.
        write = "SELECT pg_logical_emit_message(true, 'alembic', '')"
        connection.exec_driver_sql(write)
        connection.commit()


@contextmanager
def limit_of_session(connection, seconds):
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


def is_lock_error(error):
    """Whether a statement has failed for a lock that another session holds."""
    codes = [getattr(error.orig, name, None) for name in ("sqlstate", "pgcode")]
    return any(code in CODES for code in (*codes, *error.orig.args[:1]))


def blockers(connection, error):
    """Describe the sessions that may hold the lock, each in one line."""
    if connection.dialect.name not in BLOCKERS:
        return []
    with suppress(DBAPIError):
        connection.rollback()
        query = text(BLOCKERS[connection.dialect.name])
        values = (
            {"statement": error.statement or ""} if ":statement" in query.text else {}
        )
        found = connection.scalars(query, values).all()
        connection.rollback()
        return found
    return []
