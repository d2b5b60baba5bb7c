"""For soak.py: databases of its own, and what is in them."""

import os
import time
import uuid
from collections import Counter, namedtuple
from contextlib import contextmanager, suppress

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

URLS = {
    "sqlite": "sqlite://",
    "postgresql": os.environ.get(
        "TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1/postgres"
    ),
    "mysql": os.environ.get("TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1"),
}
SESSIONS = {  # those of one database, but for the one that asks
    "postgresql": "SELECT pid FROM pg_stat_activity"
    " WHERE datname = :name AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist"
    " WHERE db = :name AND id <> CONNECTION_ID()",
}
CUT = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}
ROWS = {  # what tells the rows of a table apart
    "parent": "id, name",
    "child": "id, parent_id",
    "link": "id, parent_id",
    "ledger": "step",
}

State = namedtuple("State", "version schema rows")


class Database:
    """A new and empty database."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.name = f"soak_{uuid.uuid4().hex[:12]}"
        self.file = folder / f"{self.name}.db"
        url = sa.make_url(URLS[kind])
        self.url = url.set(
            database=str(self.file) if kind == "sqlite" else self.name
        ).render_as_string(hide_password=False)

    @contextmanager
    def server(self):
        url = sa.make_url(URLS[self.kind])
        if self.kind == "mysql":
            url = url.set(database=None)
        engine = sa.create_engine(
            url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        with engine.connect() as connection:
            yield connection

    def version(self):
        """The server's version, which shows that it is there."""
        sql = "sqlite_version()" if self.kind == "sqlite" else "version()"
        with self.server() as connection:
            return connection.exec_driver_sql(f"SELECT {sql}").scalar()

    def __enter__(self):
        if self.kind != "sqlite":
            with self.server() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {self.name}")
        return self

    def __exit__(self, *error):
        if self.kind == "sqlite":
            for file in self.file.parent.glob(f"{self.name}*"):
                file.unlink()
            return
        self.cut(self.sessions())
        with self.server() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {self.name}")

    def sessions(self):
        if self.kind == "sqlite":
            return []
        with self.server() as connection:
            query = sa.text(SESSIONS[self.kind])
            return connection.scalars(query, {"name": self.name}).all()

    def cut(self, sessions):
        for session in sessions:
            with self.server() as connection, suppress(sa.exc.DBAPIError):
                connection.exec_driver_sql(CUT[self.kind].format(session))

    def settle(self):
        """Wait for what the server still does for processes that have ended."""
        end = time.monotonic() + 20
        while self.sessions() and time.monotonic() < end:
            time.sleep(0.05)

    def migrate(self, folder, until=None):
        """Run the revisions in `folder` with none of the subjects; yield each state."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        scripts = [*ScriptDirectory(str(folder)).walk_revisions()]
        for script in reversed(scripts):
            with engine.begin() as connection:
                context = MigrationContext.configure(connection)
                with Operations.context(context):
                    script.module.upgrade()
                context.stamp(ScriptDirectory(str(folder)), script.revision)
            yield self.state()
            if script.revision == until:
                break

    def state(self):
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            tables = set(inspector.get_table_names())
            schema = {
                table: [
                    sorted(map(repr, inspector.get_columns(table))),
                    sorted(map(repr, inspector.get_indexes(table))),
                    sorted(map(repr, inspector.get_foreign_keys(table))),
                ]
                for table in tables - {"alembic_version"}
            }

            def rows(table, columns):
                if table not in tables:
                    return []
                return connection.exec_driver_sql(f"SELECT {columns} FROM {table}")

            found = rows("alembic_version", "version_num")
            version = tuple(sorted(row[0] for row in found))
            return State(
                version,
                schema,
                Counter(
                    (table, *row)
                    for table, columns in ROWS.items()
                    for row in rows(table, columns)
                ),
            )


def steps(rows):
    return {row: number for row, number in rows.items() if row[0] == "ledger"}
