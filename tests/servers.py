"""Databases of their own for the tests, on the servers that run here."""

import os
import uuid
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

URLS = {
    "postgresql": os.environ.get(
        "TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1/postgres"
    ),
    "mysql": os.environ.get("TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1/test"),
}


@contextmanager
def database(kind, path):
    """A new and empty database; yields its URL, and drops it at the end.

    :param kind: `sqlite`, `postgresql` or `mysql`.
    :param path: the folder of the SQLite file.
    """
    if kind == "sqlite":
        yield sa.make_url(f"sqlite:///{path / 'test.db'}")
        return
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(
        URLS[kind], isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except sa.exc.OperationalError as error:
        if os.environ.get("REQUIRE_SERVERS"):
            raise
        pytest.skip(f"no {kind} server: {str(error.orig).splitlines()[0]}")
    try:
        yield engine.url.set(database=name)
    finally:
        with engine.connect() as connection:
            force = " WITH (FORCE)" if kind == "postgresql" else ""
            connection.exec_driver_sql(f"DROP DATABASE {name}{force}")
