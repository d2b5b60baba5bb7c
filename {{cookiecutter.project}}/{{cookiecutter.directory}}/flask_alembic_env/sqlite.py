"""On SQLite a command does all its work or none of it, and no row is lost.

Python's sqlite3 begins no transaction before CREATE, ALTER and DROP. And Alembic
alters a table by copying and dropping it: with foreign keys enforced, that deletes
the rows that refer to it.
https://www.sqlite.org/lang_altertable.html#otheralter
"""

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic.util import CommandError
from sqlalchemy.engine import Connection

from .locks import listening, wait_for

log = logging.getLogger("alembic.env")
READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN)\b", re.IGNORECASE)
DROP_TABLE = re.compile(r"\s*DROP TABLE \W?(\w+)", re.IGNORECASE)


@contextmanager
def one_transaction(
    connection: Connection, wait: float, timeout: float
) -> Iterator[None]:
    """Make the transactions on a connection real ones, which are checked at their end.

    :param wait: seconds to wait for other processes that write to the database.
    :param timeout: seconds to wait for those that read it, at the commit.
    :raises CommandError: if a row would lose its parent, or if the application is in a
        transaction on this very connection, as it can be in memory.
    """
    guard = Guard(connection, wait, timeout)
    raw: Any = connection.connection.driver_connection
    autocommit = getattr(raw, "autocommit", None)  # since Python 3.12
    if isinstance(autocommit, bool):
        raw.autocommit = -1  # sqlite3.LEGACY_TRANSACTION_CONTROL
    elif raw.in_transaction:
        raise CommandError(
            "The application's session is in a transaction: end it first"
        )
    busy = guard.execute("PRAGMA busy_timeout")[0][0]
    guard.execute("PRAGMA foreign_keys = OFF")
    # The listeners of an engine are called last: ours is after the application's.
    of_engine = listening(connection.engine, begin=guard.begin)
    of_connection = listening(
        connection, before_cursor_execute=guard.before_execute, commit=guard.commit
    )
    try:
        with of_engine, of_connection:
            yield
    finally:
        guard.roll_back()
        guard.execute(f"PRAGMA foreign_keys = {guard.is_enforced}")
        guard.execute(f"PRAGMA busy_timeout = {busy}")
        if isinstance(autocommit, bool):
            raw.autocommit = autocommit


class Guard:
    """Begins the transactions of a connection, and looks at what they change."""

    def __init__(self, connection: Connection, wait: float, timeout: float) -> None:
        self.connection = connection
        self.wait = wait
        self.timeout = timeout
        self.is_enforced = self.execute("PRAGMA foreign_keys")[0][0]
        self.is_checked = bool(self.is_enforced)
        self.orphans: set[Any] | None = None  # before the first change

    def execute(self, statement: str) -> list[Any]:
        """Execute a statement without SQLAlchemy, which would begin a transaction."""
        return executed(self.connection, statement)

    def roll_back(self) -> None:
        """End a transaction that SQLAlchemy does not know of."""
        raw: Any = self.connection.connection.driver_connection
        if raw.in_transaction:
            self.execute("ROLLBACK")

    def begin(self, connection: Connection) -> None:
        """Wait for the right to write, and take it."""
        if connection is not self.connection:
            return
        self.roll_back()  # what a listener of the application has begun
        if is_autocommit(connection):
            return
        self.execute("PRAGMA busy_timeout = 200")
        file = self.execute("PRAGMA database_list")[0][2]
        wait_for(self.is_mine, lambda: f"a process that writes to {file}", self.wait)
        timeout = int((self.timeout or 86400) * 1000)
        self.execute(f"PRAGMA busy_timeout = {timeout}")

    def is_mine(self) -> bool:
        """Begin a transaction, or return False if another process writes."""
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            return False
        return True

    def before_execute(
        self, conn: Any, cursor: Any, statement: str, *more: Any
    ) -> None:
        """Count orphans before the first change; look for triggers before a copy."""
        if self.orphans is None and not READS.match(statement):
            self.orphans = self.found_orphans()
        dropped = DROP_TABLE.match(statement)
        if dropped and self.execute(f"PRAGMA table_info(_alembic_tmp_{dropped[1]})"):
            refuse_triggers(conn, dropped[1])

    def found_orphans(self) -> set[Any]:
        """Return each row that lacks its parent, as its table, number and parent."""
        rows: list[Any] = []
        try:
            rows = self.execute("PRAGMA foreign_key_check") if self.is_checked else []
        except sqlite3.OperationalError as error:  # a key to what is not unique
            log.warning("Foreign keys cannot be checked: %s", error)
            self.is_checked = False
        return {row[:3] for row in rows}

    def commit(self, connection: Connection) -> None:
        """Refuse to commit if a row has lost its parent."""
        if self.orphans is None or is_autocommit(connection):
            return
        new = sorted(self.found_orphans() - self.orphans)
        self.orphans = None
        if new and self.is_checked:
            table, rowid, parent = new[0]
            raise CommandError(
                f"{len(new)} row(s) would lose their parent, such as row {rowid} of"
                f" {table} in {parent}. Nothing was changed. ON DELETE does nothing in"
                " a migration: delete or change such rows in the revision"
            )


def is_autocommit(connection: Connection) -> bool:
    """Return whether `op.get_context().autocommit_block()` is being executed."""
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def executed(connection: Connection, statement: str) -> list[Any]:
    """Return the rows of a statement that the driver executes."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
        return list(cursor.fetchall())
    finally:
        cursor.close()


def refuse_triggers(connection: Connection, table: str) -> None:
    """Stop before a table with triggers is replaced by its copy, which has none."""
    query = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    found = executed(connection, query)
    names = sorted(name for of, name in found if of.lower() == table.lower())
    if names:
        raise CommandError(
            f"Table {table} has triggers, which a copy of it would lose:"
            f" {', '.join(names)}. Nothing was changed. Drop them before the batch and"
            " create them after it, or change the table without a batch"
        )


def refuse_cascades(connection: Connection) -> None:
    """Stop in a caller's transaction, where SQLite cannot ignore foreign keys."""
    if connection.dialect.name != "sqlite":
        return
    enforced = executed(connection, "PRAGMA foreign_keys")[0][0]
    tables = executed(connection, "SELECT count(*) FROM sqlite_master")[0][0]
    if enforced and tables:
        raise CommandError(
            "The connection given to Alembic is in a transaction, in which SQLite"
            " cannot switch off foreign keys: altering a table would delete the"
            " rows that refer to it. Give an engine, or a connection in no transaction"
        )
