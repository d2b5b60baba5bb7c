"""Each application in tests/apps/ through a whole life with alembic."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from conftest import HAS_OLD_LIBRARIES


@dataclass
class App:
    """An application in tests/apps/, and what its owner does to it."""

    folder: str
    answers: dict
    database: str  # where the running app has its SQLite file
    models: str  # the file with the models
    table: str  # the table that gets a column
    row: str  # the columns and values of a row in it
    directory: str = "migrations"
    environment: dict = field(default_factory=dict)


APPLICATIONS = [
    App(
        folder="single_file",
        answers={"app": "app:app", "db": "app:db"},
        database="instance/data.db",
        models="app.py",
        table="employee",
        row="(name, email) VALUES ('Ada', 'ada@example.org')",
    ),
    App(
        folder="three_files",
        answers={"app": "main:app", "db": "config:db"},
        database="instance/blog.db",
        models="models.py",
        table="post",
        row="(title) VALUES ('Hello')",
    ),
    App(
        folder="package_two_modules",
        answers={
            "app": "application:app",
            "db": "application.models:db",
            "directory": "alembic",
        },
        database="instance/application.db",
        models="application/models.py",
        table="note",
        row="(text) VALUES ('milk')",
        directory="alembic",
    ),
    App(
        folder="factory",
        answers={
            "app": 'shop:create_app("testing", debug=True)',
            "db": "shop.extensions:db",
        },
        database="instance/testing.db",
        models="shop/models.py",
        table="customer",
        row="(name) VALUES ('Ada')",
    ),
    App(
        folder="src_layout",
        answers={
            "app": "shelf.web:create_app()",
            "db": "shelf.database:db",
            "models": "shelf.models",
            "directory": "src/shelf/migrations",
        },
        database="src/instance/shelf.db",
        models="src/shelf/models.py",
        table="book",
        row="(title) VALUES ('Emma')",
        directory="src/shelf/migrations",
    ),
]


def query(project, database, sql):
    path = project.path / database
    if HAS_OLD_LIBRARIES:  # Flask-SQLAlchemy 2 has it beside the app
        (path,) = project.path.rglob(path.name)
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("app", APPLICATIONS, ids=lambda app: app.folder)
def test_life_of_an_application(adopt, app):
    project = adopt(app.folder, **app.answers)
    kept = "SELECT count(*) FROM " + app.table

    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    assert "No new upgrade operations" in project.alembic("check")
    query(project, app.database, f"INSERT INTO {app.table} {app.row}")

    project.edit(
        app.models,
        "# new columns",
        "age = db.Column(db.Integer, nullable=True)\n"
        "    state = db.Column(db.String(9), nullable=False, server_default='new')",
    )
    assert "New upgrade operations" in project.alembic("check", fails=True)
    project.alembic("revision", "--autogenerate", "-m", "add age")
    second = project.versions(app.directory)[1].read_text()
    assert "batch_alter_table" in second
    project.alembic("upgrade", "head")
    state = f"SELECT age, state FROM {app.table}"
    assert query(project, app.database, state) == [(None, "new")]

    project.alembic("downgrade", "-1")
    assert query(project, app.database, kept) == [(1,)]
    project.alembic("upgrade", "head")
    assert "No new upgrade operations" in project.alembic("check")
    assert query(project, app.database, state) == [(None, "new")]


def test_a_column_is_dropped_and_altered_on_sqlite(adopt):
    """The second workflow of the tutorials, for which one had to edit the revision."""
    project = adopt("single_file", app="app:app", db="app:db")
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    row = "INSERT INTO employee (name, email) VALUES ('Ada', 'ada@example.org')"
    query(project, "instance/data.db", row)
    project.edit(
        "app.py",
        "    email = db.Column(db.String, unique=True, nullable=False)\n",
        "",
    )
    project.edit("app.py", "db.String, unique=False", "db.Text, unique=False")
    project.edit(
        "app.py",
        "primary_key=True)\n    name = db.Column(db.String, ",
        "primary_key=True)\n    name = db.Column(db.String(80), ",
    )
    project.alembic("revision", "--autogenerate", "-m", "drop email")
    project.alembic("upgrade", "head")
    project.alembic("check")
    assert query(project, "instance/data.db", "SELECT * FROM employee") == [(1, "Ada")]
