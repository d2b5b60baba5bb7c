"""Flask-Migrate is the reference: the same app by `flask db` and by `alembic`."""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from conftest import APPS, ROOT, Project
from documentation import not_run

EDIT = "age = db.Column(db.Integer)\n    db.UniqueConstraint('name', name='uq')"

# Flask-Migrate's documented workflow, and our counterpart of each command
STEPS = [
    (["migrate", "-m", "first"], ["revision", "--autogenerate", "-m", "first"]),
    (["upgrade"], ["upgrade", "head"]),
    (["check"], ["check"]),
    "edit",
    (["migrate", "-m", "second"], ["revision", "--autogenerate", "-m", "second"]),
    (["upgrade"], ["upgrade", "head"]),
    (["downgrade"], ["downgrade", "-1"]),
    (["upgrade"], ["upgrade", "head"]),
    (["current"], ["current"]),
    (["history"], ["history"]),
    (["upgrade", "--sql"], ["upgrade", "head", "--sql"]),
    (["stamp", "head"], ["stamp", "head"]),
    (["revision", "-m", "by hand"], ["revision", "-m", "by hand"]),
    (["upgrade"], ["upgrade", "head"]),
    (["downgrade", "base"], ["downgrade", "base"]),
]


def schema(project):
    with closing(sqlite3.connect(project.path / "instance/app.db")) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
        return [(name, re.sub(r"\s+", " ", sql or "")) for name, sql in rows]


def body(path):
    """What a revision does, without its names and dates."""
    text = path.read_text()
    return text[text.index("def upgrade") :].replace(" -> None", "")


@pytest.fixture
def flask_migrate(tmp_path):
    """The app with the environment that `flask db init` writes."""
    pytest.importorskip("flask_migrate")

    def flask_migrate(name="theirs"):
        shutil.copytree(APPS / "flask_migrate", tmp_path / name)
        project = Project(tmp_path / name)
        # Flask-Migrate's ini lacks path_separator, of which Alembic warns.
        project.environment["PYTHONWARNINGS"] = "ignore"
        project.run("flask", "db", "init")
        return project

    return flask_migrate


def test_the_same_workflow_ends_the_same(flask_migrate, adopt):
    theirs = flask_migrate()
    ours = adopt("flask_migrate")
    for step in STEPS:
        if step == "edit":
            for project in (theirs, ours):
                project.edit("app.py", "# new columns", EDIT)
            continue
        theirs.run("flask", "db", *step[0])
        ours.alembic(*step[1])
        if "upgrade" in step[0] or "downgrade" in step[0]:
            assert schema(ours) == schema(theirs), step
    pairs = zip(ours.versions(), theirs.versions(), strict=True)
    for our_file, their_file in pairs:
        assert body(our_file).split() == body(their_file).split()


def test_a_history_goes_on(flask_migrate):
    """Begun by Flask-Migrate, adopted with no answer, gone on with by alembic, or both."""
    project = flask_migrate()
    project.run("flask", "db", "migrate", "-m", "first")
    project.run("flask", "db", "upgrade")
    revision = project.versions()[0].read_bytes()
    old = {name: project.read(name) for name in project.paths() if "/env" in name}

    answers = ["--no-input", "--default-config", str(ROOT), "project=."]
    project.run("cookiecutter", "-f", *answers)
    assert project.versions()[0].read_bytes() == revision
    assert project.read("migrations/env.py.before") == old["migrations/env.py"]
    project.environment["PYTHONWARNINGS"] = "error"
    assert "(head)" in project.alembic("current")
    assert not_run("coming-from-flask-migrate.md#Coming from Flask-Migrate") == []
    assert "first" in project.alembic("history")
    project.alembic("check")
    project.alembic("upgrade", "head")

    project.edit("app.py", "# new columns", "age = db.Column(db.Integer)")
    project.alembic("revision", "--autogenerate", "-m", "second")
    project.alembic("upgrade", "head")
    assert "age INTEGER" in str(schema(project))

    project.environment["PYTHONWARNINGS"] = "ignore"
    assert "(head)" in project.run("flask", "db", "current")
    project.edit("app.py", "age = db.Column(db.Integer)", "")
    project.run("flask", "db", "migrate", "-m", "third")
    project.run("flask", "db", "upgrade")
    assert "age INTEGER" not in str(schema(project))
    assert "No changes found" in project.run("flask", "db", "migrate", "-m", "fourth")
    assert len(project.versions()) == 3
    project.alembic("check")


def test_what_was_set_is_taken_over_or_told(tmp_path, bake, capfd):
    project = Project(tmp_path / "old")
    app = (APPS / "flask_migrate" / "app.py").read_text()
    call = "migrate = Migrate(app, db, compare_type=False, version_table='mine')"
    project.write("app.py", app.replace("migrate = Migrate(app, db)", call))
    project.write("migrations/versions/keep.txt", "")
    project.write(
        "migrations/alembic.ini",
        "[alembic]\nfile_template = %%(rev)s\n"
        "[post_write_hooks]\nhooks = show\nshow.type = exec\nshow.executable = true\n",
    )
    project.write(
        "migrations/env.py",
        "from alembic import context\nfrom flask import current_app\n"
        "def mine(*args):\n    return True\n"
        "conf_args = current_app.extensions['migrate'].configure_args\n"
        "with connectable.connect() as connection:\n"
        "    context.configure(connection=connection, include_object=mine, **conf_args)\n"
        "    with context.begin_transaction():\n"
        "        context.execute('SET ROLE migrator')\n"
        "        context.run_migrations()\n",
    )
    bake(project="old", force=True)
    told = capfd.readouterr().out
    assert "include_object = mine" in told
    assert "SET ROLE" in told
    text = project.read("migrations/env.py")
    assert "    compare_type=False,\n" in text
    assert '    version_table="mine",\n' in text
    assert "def mine(*args):\n    return True\n" in text
    assert "    include_object=mine,\n" in text
    ini = project.read("alembic.ini")
    assert (
        "file_template = %%(rev)s\n" in ini and "[post_write_hooks]\nhooks = sh" in ini
    )
    project.alembic("revision", "--autogenerate", "-m", "first", "--rev-id", "abc")
    assert (project.path / "migrations/versions/abc.py").exists()
    project.alembic("upgrade", "head")
    with closing(sqlite3.connect(project.path / "instance/app.db")) as connection:
        assert connection.execute("SELECT * FROM mine").fetchall() == [("abc",)]


def test_a_history_with_several_databases_goes_on(tmp_path, bake):
    """Begun by `flask db init --multidb`: its revisions run unchanged."""
    pytest.importorskip("flask_migrate")
    shutil.copytree(APPS / "binds", tmp_path / "multi")
    project = Project(tmp_path / "multi")
    project.edit(
        "app.py",
        "from flask_sqlalchemy",
        "from flask_migrate import Migrate\nfrom flask_sqlalchemy",
    )
    project.edit(
        "app.py", "db = SQLAlchemy(app)", "db = SQLAlchemy(app)\nMigrate(app, db)"
    )
    project.edit("app.py", '    "foreign": "sqlite:///foreign.db",\n', "")
    for old, new in (
        ('"audit-log": os', '"audit": os'),
        ('= "audit-log"', '= "audit"'),
    ):
        project.edit("app.py", old, new)
    project.environment["PYTHONWARNINGS"] = "ignore"
    project.run("flask", "db", "init", "--multidb")
    project.run("flask", "db", "migrate", "-m", "first")
    project.run("flask", "db", "upgrade")

    bake(project="multi", force=True)
    project.environment["PYTHONWARNINGS"] = "error"
    assert project.alembic("current").count("(head)") == 2
    project.alembic("check")
    project.edit(
        "app.py",
        "text = db.Column",
        "level = db.Column(db.Integer)\n    text = db.Column",
    )
    project.alembic("revision", "--autogenerate", "-m", "second")
    project.alembic("upgrade", "head")
    project.alembic("check")
    project.alembic("downgrade", "base")
    for name in ("main", "audit"):
        with closing(
            sqlite3.connect(project.path / f"instance/{name}.db")
        ) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master").fetchall()
        assert {row[0] for row in rows if "autoindex" not in row[0]} == {
            "alembic_version"
        }


def test_revisions_that_use_the_app(adopt):
    project = adopt("flask_migrate")
    project.write(
        "migrations/versions/r1.py",
        """
import sqlalchemy as sa
from alembic import context, op
from flask import current_app
from flask_migrate import Migrate
from sqlalchemy.orm import Session

from app import User, db

revision = "r1"
down_revision = None


def upgrade():
    assert current_app.config["SQLALCHEMY_DATABASE_URI"] == "sqlite:///app.db"
    assert isinstance(current_app.extensions["migrate"].migrate, Migrate)
    db.Model.metadata.create_all(op.get_bind())
    session = Session(op.get_bind())
    session.add(User(name="from the revision"))
    session.flush()
    assert context.get_x_argument(as_dictionary=True) == {"who": "me"}


def downgrade():
    op.drop_table("user")
""",
    )
    project.alembic("-x", "who=me", "upgrade", "head")
    with closing(sqlite3.connect(project.path / "instance/app.db")) as connection:
        rows = connection.execute("SELECT name FROM user").fetchall()
    assert rows == [("from the revision",)]
