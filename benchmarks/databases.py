"""For run.py: databases of its own, and what is in them."""

import os
import uuid
from contextlib import suppress

import sqlalchemy as sa

URLS = {
    "sqlite": "sqlite://",
    "postgresql": os.environ.get(
        "TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1/postgres"
    ),
    "mysql": os.environ.get("TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1/test"),
}


class Database:
    """A database that is made anew whenever it has to be empty.

    :param kind: `sqlite`, `postgresql` or `mysql`.
    :param folder: where the SQLite file is put.
    """

    def __init__(self, kind, folder):
        self.kind = kind
        name = f"benchmark_{uuid.uuid4().hex[:12]}"
        self.name = str(folder / f"{name}.db") if kind == "sqlite" else name
        self.url = sa.make_url(URLS[kind]).set(database=self.name)

    def server(self, *statements):
        engine = sa.create_engine(
            URLS[self.kind], isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        with engine.connect() as connection:
            return [connection.exec_driver_sql(each) for each in statements]

    def drop(self):
        if self.kind == "sqlite":
            with suppress(FileNotFoundError):
                os.remove(self.name)
            return
        force = " WITH (FORCE)" if self.kind == "postgresql" else ""
        self.server(f"DROP DATABASE IF EXISTS {self.name}{force}")

    def renew(self):
        """Make it empty."""
        self.drop()
        if self.kind != "sqlite":
            self.server(f"CREATE DATABASE {self.name}")

    def state(self):
        """The revision that is recorded, how many tables there are, and their columns."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            if not inspector.has_table("alembic_version"):
                return None, 0, 0
            version = connection.exec_driver_sql(
                "SELECT version_num FROM alembic_version"
            ).scalar()
            columns = inspector.get_multi_columns()
            columns = [names for (_, table), names in columns.items() if "_" in table]
            return version, len(columns) - 1, sum(map(len, columns)) - 1

    def versions(self):
        """What it is that is measured, for the record."""
        if self.kind == "sqlite":
            import sqlite3

            return f"SQLite {sqlite3.sqlite_version}"
        engine = sa.create_engine(URLS[self.kind], poolclass=sa.NullPool)
        with engine.connect() as connection:
            numbers = connection.dialect.server_version_info
            is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        name = {"mysql": "MySQL", "postgresql": "PostgreSQL"}[self.kind]
        return f"{'MariaDB' if is_mariadb else name} {'.'.join(map(str, numbers))}"
