"""On SQLite a command does all its work or none of it, and no row is lost.

Python's sqlite3 begins no transaction before CREATE, ALTER and DROP. And Alembic
alters a table by copying and dropping it: with foreign keys enforced, that deletes
the rows that refer to it.
https://www.sqlite.org/lang_altertable.html#otheralter
"""

import logging
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.engine import Connection

from .locks import wait_for

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
    raw = guard.raw
    autocommit = getattr(raw, "autocommit", None)  # since Python 3.12
    if isinstance(autocommit, bool):
        raw.autocommit = -1  # sqlite3.LEGACY_TRANSACTION_CONTROL
        guard.roll_back()
    elif raw.in_transaction:
        raise CommandError(
            "The application's session is in a transaction: end it first"
        )
    busy = guard.scalar("PRAGMA busy_timeout")
    guard.execute("PRAGMA foreign_keys = OFF")
    # The listeners of an engine are called last: this one is after the application's.
    listeners: list[tuple[Any, str, Any]] = [
        (connection.engine, "begin", guard.begin),
        (connection, "before_cursor_execute", guard.before_execute),
        (connection, "commit", guard.commit),
    ]
    for target, name, listener in listeners:
        event.listen(target, name, listener)
    try:
        yield
    finally:
        for target, name, listener in listeners:
            event.remove(target, name, listener)
        guard.roll_back()
        guard.execute(f"PRAGMA foreign_keys = {guard.enforces}")
        guard.execute(f"PRAGMA busy_timeout = {busy}")
        if isinstance(autocommit, bool):
            raw.autocommit = autocommit


class Guard:
    """Begins the transactions of a connection, and looks at what they change."""

    def __init__(self, connection: Connection, wait: float, timeout: float) -> None:
        self.connection = connection
        self.raw: Any = connection.connection.driver_connection
        self.wait = wait
        self.timeout = timeout
        self.enforces = self.scalar("PRAGMA foreign_keys")
        self.has_changed = False
        self.orphans: list[Any] | None = []  # before the first change
        self.copied: set[str] = set()  # tables that a batch has copied

    def execute(self, statement: str) -> list[Any]:
        """Execute a statement without SQLAlchemy, which would begin a transaction."""
        return executed(self.connection, statement)

    def scalar(self, statement: str) -> Any:
        return self.execute(statement)[0][0]

    def roll_back(self) -> None:
        if self.raw.in_transaction:
            self.execute("ROLLBACK")

    def begin(self, connection: Connection) -> None:
        """Wait for the right to write, and take it."""
        if connection is not self.connection:
            return
        self.roll_back()  # what a listener of the application has begun
        if in_autocommit_block(connection):
            return
        self.execute("PRAGMA busy_timeout = 200")
        file = self.execute("PRAGMA database_list")[0][2]
        wait_for(self.is_mine, lambda: f"a process that writes to {file}", self.wait)
        timeout = int((self.timeout or 86400) * 1000)
        self.execute(f"PRAGMA busy_timeout = {timeout}")

    def is_mine(self) -> bool:
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
        """Look at orphans before the first change, at triggers before a copy ends."""
        if not self.has_changed and not READS.match(statement):
            self.has_changed = True
            self.orphans = self.find_orphans()
        dropped = DROP_TABLE.match(statement)
        if dropped:
            self.refuse_triggers(dropped[1])

    def refuse_triggers(self, table: str) -> None:
        """Stop before a table with triggers is replaced by its copy, which has none."""
        master = "SELECT name FROM sqlite_master WHERE"
        if not self.execute(f"{master} name = '_alembic_tmp_{table}'"):
            return
        self.copied.add(table)
        of_table = f"{master} type = 'trigger' AND lower(tbl_name) = '{table.lower()}'"
        names = ", ".join(sorted(name for (name,) in self.execute(of_table)))
        if names:
            raise CommandError(
                f"Table {table} has triggers, which a copy of it would lose: {names}."
                " Nothing was changed. Drop them in the revision before the batch and"
                " create them after it, or change the table without a batch"
            )

    def find_orphans(self) -> list[Any] | None:
        """Return the rows whose parent is missing, if foreign keys are enforced.

        None if that cannot be told, for a foreign key to columns that are not unique.
        """
        if not self.enforces:
            return []
        try:
            return self.execute("PRAGMA foreign_key_check")
        except sqlite3.OperationalError as error:
            log.warning("Foreign keys cannot be checked: %s", error)
            return None

    def commit(self, connection: Connection) -> None:
        """Roll back, with an error, if a row has lost its parent."""
        if in_autocommit_block(connection) or not self.has_changed:
            return
        found = self.find_orphans()
        if found is None or self.orphans is None:
            return
        more = by_tables(found) - by_tables(self.orphans)
        # The rows of a copied table may have other numbers.
        new = [
            row
            for row in found
            if row not in self.orphans
            and (row[0] not in self.copied or (row[0], row[2]) in more)
        ]
        if new:
            table, rowid, parent, _ = new[0]
            raise CommandError(
                f"{len(new)} row(s) would lose their parent, such as row {rowid} of"
                f" {table} in {parent}. Nothing was changed. ON DELETE does nothing in"
                " a migration: delete or change such rows in the revision"
            )
        self.orphans = found


def by_tables(orphans: list[Any]) -> Counter[tuple[str, str]]:
    """Count the rows of each table that lack their parent in another table."""
    return Counter((table, parent) for table, _, parent, _ in orphans)


def in_autocommit_block(connection: Connection) -> bool:
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


def refuse_cascades(connection: Connection) -> None:
    """Stop in a caller's transaction, where SQLite cannot ignore foreign keys.

    :raises CommandError: if they are enforced and there are tables.
    """
    if connection.dialect.name != "sqlite":
        return
    enforced = executed(connection, "PRAGMA foreign_keys")[0][0]
    tables = executed(connection, "SELECT count(*) FROM sqlite_master")[0][0]
    if enforced and tables:
        raise CommandError(
            "The connection given to Alembic is in a transaction, in which SQLite"
            " cannot stop to enforce foreign keys: altering a table would delete the"
            " rows that refer to it. Give an engine, or a connection in no transaction"
        )
