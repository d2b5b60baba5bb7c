"""What autogenerate writes runs as it is written: up, down and up, with rows in the tables."""

from contextlib import closing

import pytest
import sqlalchemy as sa
from servers import database


def connected(url):
    return closing(sa.create_engine(url, poolclass=sa.NullPool).connect())


def execute(url, *statements):
    """Execute SQL, and return the rows of the last statement."""
    with connected(url) as connection, connection.begin():
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return result.fetchall() if result.returns_rows else None


def on(project, url):
    """Let the project's app have this database."""
    project.environment["APP_URL"] = url.render_as_string(hide_password=False)


def revision(project, message, **environment):
    """Write a revision, and return its text."""
    project.alembic("revision", "--autogenerate", "-m", message, **environment)
    return project.versions()[-1].read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_types_that_are_not_of_sqlalchemy(adopt, tmp_path, kind):
    """Imported where they can be made anew, and otherwise what the database gets."""
    project = adopt("own_types")
    with database(kind, tmp_path) as url:
        on(project, url)
        first = revision(project, "first")
        for line in (
            "import app",
            "import kinds.types",
            "sa.Column('name', app.Name(length=50)",
            "sa.ARRAY(kinds.types.Money(",
            "sa.Column('data', kinds.types.Document().with_variant(sa.JSON(), 'mysql')",
            "sa.Column('choice', sa.String(length=20)",
            "sa.CHAR().with_variant(sa.CHAR(length=32), 'mysql')",
            "sa.Column('level', sa.Enum('low', 'high', ",
            "sa.Column('inner', kinds.types.Outer.Inner(",
            "sa.Column('local', sa.Unicode(length=40)",
            "sa.Column('point', kinds.types.Point(size=10)",
            "postgresql.JSONB(astext_type=sa.Text())",
        ):
            assert line in first
        project.alembic("upgrade", "head")
        execute(url, "INSERT INTO ware (id, name, price) VALUES (1, 'Tea', 2.50)")

        new = {"SECOND": "1"}
        second = revision(project, "second", **new)
        assert "import op as op_module\n" in second and "op_module.Percent()" in second
        project.alembic("upgrade", "head", **new)
        assert "No new upgrade" in project.alembic("check", **new)
        project.alembic("downgrade", "-1")
        project.alembic("upgrade", "head", **new)
        rows = execute(url, "SELECT name, price, tax FROM ware")
        assert [(name, float(price), tax) for name, price, tax in rows] == [
            ("Tea", 2.5, None)
        ]
