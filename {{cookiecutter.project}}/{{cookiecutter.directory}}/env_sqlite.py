"""For env.py: on SQLite a command does all its work or none of it, and no row is lost.

Python's sqlite3 begins no transaction before CREATE, ALTER and DROP. And to alter a table,
Alembic copies and drops it: where foreign keys are enforced, that deletes the rows that
refer to it. https://www.sqlite.org/lang_altertable.html#otheralter
"""

import logging
import re
import sqlite3
from collections import Counter
from contextlib import contextmanager

from alembic.util import CommandError
from env_lock import wait_for
from sqlalchemy import event

log = logging.getLogger("alembic.env")


@contextmanager
def one_transaction(connection, wait, timeout):
    """Make the transactions on `connection` real ones, which are checked at their end.

    :param wait: seconds to wait for other processes that write to the database.
    :param timeout: seconds to wait for those that read it, when all is committed.
    :raises CommandError: for rows whose parent is gone, and where the app has a transaction
        on this very connection, as it can in memory. Then nothing was done.
    """
    guard = Guard(connection, wait, timeout)
    raw = guard.raw
    autocommit = getattr(raw, "autocommit", None)  # since Python 3.12
    if isinstance(autocommit, bool):
        raw.autocommit = sqlite3.LEGACY_TRANSACTION_CONTROL
        if raw.in_transaction:
            guard.execute("ROLLBACK")
    elif raw.in_transaction:
        raise CommandError("The app's session has begun a transaction: end it first")
    (busy,) = guard.execute("PRAGMA busy_timeout")[0]
    guard.execute("PRAGMA foreign_keys = OFF")
    guard.listen(event.listen)
    try:
        yield guard
    finally:
        guard.listen(event.remove)
        if raw.in_transaction:
            guard.execute("ROLLBACK")
        guard.execute(f"PRAGMA foreign_keys = {guard.enforces}")
        guard.execute(f"PRAGMA busy_timeout = {busy}")
        if isinstance(autocommit, bool):
            raw.autocommit = autocommit


class Guard:
    """Begins the transactions of a connection, and looks at what they have changed."""

    def __init__(self, connection, wait, timeout):
        self.connection = connection
        self.raw = connection.connection.driver_connection
        (self.enforces,) = self.execute("PRAGMA foreign_keys")[0]
        self.wait = wait
        self.timeout = timeout
        self.is_changed = False
        self.orphans = []  # before that
        self.triggers = {}  # before the drops of the present revision
        self.dropped = set()  # tables, in the present revision
        self.copied = set()  # tables, in all of them

    def execute(self, statement):
        """Execute a statement of ours, which SQLAlchemy begins no transaction for."""
        return executed(self.connection, statement)

    def listen(self, change):
        # The engine's listeners are called last, and in turn: so ours is after the app's.
        change(self.connection.engine, "begin", self.begin)
        change(self.connection, "before_cursor_execute", self.before_execute)
        change(self.connection, "commit", self.commit)

    def begin(self, connection):
        if connection is not self.connection:
            return
        if self.raw.in_transaction:  # begun by a listener of the app's engine
            self.execute("ROLLBACK")
        if in_autocommit_block(connection):
            return
        self.execute("PRAGMA busy_timeout = 200")
        wait_for(
            self.is_mine, lambda: f"a process that writes to {self.file()}", self.wait
        )
        timeout = int((self.timeout or 86400) * 1000)  # 0 is for no limit
        self.execute(f"PRAGMA busy_timeout = {timeout}")

    def is_mine(self):
        """Try to begin, and so to be the only one who writes."""
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            return False
        return True

    def file(self):
        return self.execute("PRAGMA database_list")[0][2]

    def before_execute(self, connection, cursor, statement, *_):
        """Look at the orphans before the first change, at the triggers before a drop."""
        if not self.is_changed and not READS.match(statement):
            self.is_changed = True
            self.orphans = self.find_orphans()
        if match := DROP_TABLE.match(statement):
            self.triggers |= self.find_triggers()
            self.dropped.add(match[1].strip("\"'`[]").lower())

    def find_orphans(self):
        """The rows whose parent is missing, if the app's connections care about them.

        None where that can't be told, for a foreign key to columns that are not unique.
        """
        if not self.enforces:
            return []
        try:
            return self.execute("PRAGMA foreign_key_check")
        except sqlite3.OperationalError as error:
            log.warning("Foreign keys can't be checked: %s", error)
            return None

    def find_triggers(self):
        rows = self.execute(
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
        )
        return {name: (table, sql) for name, table, sql in rows}

    def after_step(self, ctx, step, heads, run_args):
        """Make triggers again that went with a table that was copied and dropped.

        :raises CommandError: for one that does not fit the table any more.
        """
        if not self.dropped:
            return
        there = self.find_triggers()
        names = "SELECT lower(name) FROM sqlite_master WHERE type = 'table'"
        tables = {name for (name,) in self.execute(names)}
        for name in sorted(self.triggers.keys() - there.keys()):
            table, sql = self.triggers[name]
            if table.lower() not in self.dropped:
                continue  # dropped by the revision itself
            if table.lower() in tables:
                log.warning(
                    "Trigger %s went with the old table %s: made again", name, table
                )
                self.execute(sql)
                self.try_triggers_of(table, name)
            else:
                log.warning("Trigger %s went with its table %s", name, table)
        self.copied |= self.dropped
        self.dropped.clear()
        self.triggers.clear()

    def try_triggers_of(self, table, name):
        column = self.execute(f'PRAGMA table_info("{table}")')[0][1]
        for statement in (
            f'INSERT INTO "{table}" DEFAULT VALUES',
            f'UPDATE "{table}" SET "{column}" = "{column}"',
            f'DELETE FROM "{table}"',
        ):
            try:
                self.execute(f"EXPLAIN {statement}")
            except sqlite3.OperationalError as error:
                raise CommandError(
                    f"Nothing was done: trigger {name} does not fit the changed table"
                    f" {table} ({error}). Drop it in the revision, and make it anew"
                ) from None

    def commit(self, connection):
        if in_autocommit_block(connection) or not self.is_changed:
            return
        found = self.find_orphans()
        if found is None or self.orphans is None:
            return
        more = by_tables(found) - by_tables(self.orphans)
        new = [
            row
            for row in found
            # The rows of a table that was copied may have other numbers.
            if (
                (row[0], row[2]) in more
                if row[0].lower() in self.copied
                else row not in self.orphans
            )
        ]
        if new:
            table, rowid, parent, _ = new[0]
            raise CommandError(
                f"Nothing was done: {len(new)} rows would refer to a row that is gone,"
                f" such as row {rowid} of {table}, to {parent}. In a migration ON DELETE"
                " does nothing: change the rows in the revision"
            )


def by_tables(orphans):
    """How many rows of a table lack their parent in another table."""
    return Counter((table, parent) for table, _, parent, _ in orphans)


READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN)\b", re.IGNORECASE)
DROP_TABLE = re.compile(
    r"""\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?("[^"]+"|`[^`]+`|\[[^]]+\]|\w+)""",
    re.IGNORECASE,
)


def in_autocommit_block(connection):
    """Whether `op.get_context().autocommit_block()` is being executed."""
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def executed(connection, statement):
    """The rows of a statement that is executed by the driver, be it asyncio's or not."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
        return cursor.fetchall()
    finally:
        cursor.close()


def refuse_cascades(connection):
    """Stop where a caller's transaction can't be made safe: the pragma has no effect in it.

    :raises CommandError: where foreign keys are enforced and there are tables.
    """
    ((enforced,),) = executed(connection, "PRAGMA foreign_keys")
    ((tables,),) = executed(connection, "SELECT count(*) FROM sqlite_master")
    if enforced and tables:
        raise CommandError(
            "The connection given to Alembic is in a transaction, in which SQLite can't"
            " stop to enforce foreign keys: altering a table would delete the rows that"
            " refer to it. Give an engine, or a connection that is in no transaction"
        )
