"""What env.py does between the app and Alembic, in the order of its lines."""

import sqlite3
from contextlib import closing

import pytest
from conftest import tables

APP = """
import os
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = {uri}
{config}
db = SQLAlchemy(app)


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(50))
"""

REVISION = """
from alembic import op, context
import sqlalchemy as sa

revision = "{revision}"
down_revision = {down}


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
"""

FIRST = (
    'op.create_table("note", sa.Column("id", sa.Integer(), primary_key=True),'
    ' sa.Column("text", sa.String(50)))'
)


@pytest.fixture
def note_app(bake, tmp_path):
    """A single-file app with one table, in a folder that is not the current one."""

    def note_app(uri='"sqlite:///notes.db"', config="", code=APP, **answers):
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "app.py").write_text(
            code.format(uri=uri, config=config), encoding="utf-8"
        )
        return bake(project="notes", force=True, **answers)

    return note_app


def add_revision(project, revision="r1", down=None, upgrade=FIRST, downgrade=None):
    project.write(
        f"migrations/versions/{revision}.py",
        REVISION.format(
            revision=revision,
            down=repr(down),
            upgrade=upgrade,
            downgrade=downgrade or 'op.drop_table("note")',
        ),
    )


def test_commands_of_alembic(note_app):
    """Each does what it does in an environment that `alembic init` has made."""
    project = note_app()
    add_revision(project)
    x = "print('x is', context.get_x_argument(as_dictionary=True)['size'])"
    add_revision(project, "r2", "r1", upgrade=x, downgrade="pass")
    add_revision(project, "r3", "r1", upgrade="pass", downgrade="pass")
    assert "r2 (head)" in project.alembic("heads")
    assert "r1 (branchpoint)" in project.alembic("branches")
    assert "Parent: <base>" in project.alembic("show", "r1")
    project.alembic("merge", "heads", "-m", "join")
    assert "x is 3" in project.alembic("-x", "size=3", "upgrade", "head")
    assert "(mergepoint)" in project.alembic("current")
    project.alembic("stamp", "r1")
    assert project.alembic("current").splitlines()[0].startswith("r1")
    project.alembic("stamp", "head")
    project.alembic("check")
    sql = project.alembic("-x", "size=3", "upgrade", "base:head", "--sql")
    assert "CREATE TABLE note" in sql and "INSERT INTO alembic_version" in sql
    assert "DROP TABLE note" in project.alembic("downgrade", "r1:base", "--sql")


def test_several_heads(note_app):
    """`head` is refused with what to type; `heads` and a named revision work."""
    project = note_app()
    add_revision(project)
    for name in ("r2", "r3"):
        add_revision(project, name, "r1", upgrade="pass", downgrade="pass")
    output = project.alembic("upgrade", "head", fails=True)
    assert (
        "FAILED: There are 2 heads: r3 (r3.py) and r2 (r2.py). Nothing" in output
        or ("FAILED: There are 2 heads: r2 (r2.py) and r3 (r3.py). Nothing" in output)
    )
    assert "`alembic merge heads`" in output and "Traceback" not in output
    assert not (project.path / "instance/notes.db").exists()
    project.alembic("upgrade", "heads")
    assert project.alembic("current").count("(head)") == 2


def test_another_section_of_the_ini_file(note_app):
    project = note_app()
    add_revision(project)
    ini = project.read("alembic.ini")
    project.write(
        "alembic.ini", ini + "\n[other]\nscript_location = %(here)s/migrations\n"
    )
    project.alembic("-n", "other", "upgrade", "head")
    assert tables(project.path / "instance/notes.db") == {"note", "alembic_version"}


def test_the_running_apps_sqlite_file_from_any_folder(note_app, tmp_path):
    project = note_app()
    add_revision(project)
    elsewhere = tmp_path / "else" / "where"
    elsewhere.mkdir(parents=True)
    ini = "../../notes/alembic.ini"
    project.alembic("-c", ini, "upgrade", "head", cwd=elsewhere)
    assert list(tmp_path.rglob("*.db")) == [project.path / "instance/notes.db"]
    used = project.python(
        "import app; app.app.app_context().push(); print(app.db.engine.url)"
    )
    assert used.strip() == f"sqlite:///{project.path / 'instance/notes.db'}"


def test_engine_options_and_listeners_of_the_app(note_app):
    project = note_app(
        config='app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"factory": Mine}}'
    )
    project.edit(
        "app.py",
        "import os",
        "import sqlite3\n\nclass Mine(sqlite3.Connection):\n    pass\n",
    )
    raw = "op.get_bind().connection.driver_connection"
    add_revision(project, upgrade=f"print('used:', type({raw}).__name__)")
    assert "used: Mine" in project.alembic("upgrade", "head")


PASSWORDS = [
    "%",
    "%20",
    "%(x)s",
    "%%",
    "@",
    ":",
    "/",
    "#",
    "?",
    "a b",
    "'\"",
    "é中",
    "\\",
]


@pytest.mark.parametrize("kind", ["string", "url"])
def test_passwords(note_app, kind):
    """The URL arrives in Alembic's config and in the engine as the app has it."""
    if kind == "string":
        uri = '"sqlite://u:" + quote(os.environ["PASSWORD"], safe="") + "@/notes.db"'
    else:
        uri = 'URL.create("sqlite", "u", os.environ["PASSWORD"], database="notes.db")'
    project = note_app(
        uri=uri,
        code="from urllib.parse import quote\nfrom sqlalchemy import URL\n" + APP,
    )
    code = f"""
import os, runpy
from alembic import command, context
from alembic.config import Config
from sqlalchemy import make_url
import sqlalchemy.dialects.sqlite.pysqlite as pysqlite
pysqlite.SQLiteDialect_pysqlite.create_connect_args = lambda self, url: ([":memory:"], {{}})
for password in {PASSWORDS}:
    os.environ["PASSWORD"] = password
    import sys; sys.modules.pop("app", None)
    config = Config("alembic.ini")
    command.current(config)
    seen = make_url(config.get_main_option("sqlalchemy.url"))
    assert seen.password == password, (seen.password, password)
print("all right")
"""
    assert "all right" in project.python(code)


def test_password_is_never_printed(note_app):
    project = note_app(uri='"postgresql+psycopg://u:Sec%25ret@127.0.0.1:1/x"')
    add_revision(project)
    output = project.alembic("upgrade", "head", "--sql")
    output += project.alembic("upgrade", "head", fails=True)
    assert "Sec" not in output


def test_called_by_code_the_apps_logging_stays(note_app):
    project = note_app()
    add_revision(project)
    code = """
import logging
logging.basicConfig(level=logging.INFO, format="app's: %(message)s")
loggers = [logging.getLogger(name) for name in ("app", "jobs")]
from alembic import command
from alembic.config import Config
command.upgrade(Config("alembic.ini"), "head")
for logger in loggers:
    logger.info("%s is alive, disabled: %s", logger.name, logger.disabled)
"""
    output = project.python(code)
    for name in ("app", "jobs"):
        assert f"app's: {name} is alive, disabled: False" in output


def test_called_by_code_without_an_ini_file(note_app):
    """All commands that load env.py, with a Config made in code."""
    project = note_app()
    code = """
from alembic import command
from alembic.config import Config
config = Config()
config.set_main_option("script_location", "migrations")
config.set_main_option("path_separator", "os")
command.revision(config, "first", autogenerate=True)
command.upgrade(config, "head")
command.check(config)
command.current(config)
assert command.revision(config, "nothing", autogenerate=True) == []
command.downgrade(config, "base")
command.stamp(config, "head")
command.upgrade(config, "base:head", sql=True)
"""
    output = project.python(code)
    assert "No changes found: no revision is written." in output
    assert len(project.versions()) == 1


def test_called_by_code_in_an_app_context_uses_that_app(note_app):
    """No second app is made: the one that is running is migrated."""
    project = note_app(app="app:create_app()", db="app:db", code=FACTORY)
    add_revision(project)
    code = """
import app
from alembic import command
from alembic.config import Config
running = app.create_app("sqlite:///running.db")
with running.app_context():
    command.upgrade(Config("alembic.ini"), "head")
print("made:", app.made)
"""
    assert "made: 1" in project.python(code)
    assert tables(project.path / "instance/running.db") == {"note", "alembic_version"}
    assert not (project.path / "instance/notes.db").exists()


FACTORY = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
made = 0


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(50))


def create_app(uri="sqlite:///notes.db"):
    global made
    made += 1
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = uri
    db.init_app(app)
    return app
"""


IN_A_TEST = """
import os, pathlib
os.environ["PYTEST_CURRENT_TEST"] = "test_app.py::test"
from alembic import command
from alembic.config import Config
config = Config("alembic.ini")
{lines}
command.upgrade(config, "head")
"""


def test_a_test_never_migrates_the_database_of_a_second_app(note_app):
    """Without an app context, env.py would make the app of development."""
    project = note_app(app="app:create_app()", db="app:db", code=FACTORY)
    add_revision(project)
    output = project.python(IN_A_TEST.format(lines=""), fails=True)
    assert "This test would migrate the database of a second app" in output
    assert "with app.app_context(): command.upgrade(" in output
    assert not (project.path / "instance/notes.db").exists()
    url = 'config.set_main_option("sqlalchemy.url", "sqlite:///test.db")'
    project.python(IN_A_TEST.format(lines=url))
    assert tables(project.path / "test.db") == {"note", "alembic_version"}
    assert tables(project.path / "instance/notes.db") == set()


def test_a_test_of_an_app_in_a_module_needs_no_context(note_app):
    project = note_app()
    add_revision(project)
    project.python(IN_A_TEST.format(lines=""))
    assert "note" in tables(project.path / "instance/notes.db")


def test_a_url_set_by_the_caller_is_used(note_app):
    """It is not silently replaced by the application's."""
    project = note_app()
    add_revision(project)
    project.edit(
        "alembic.ini", "[loggers]", "sqlalchemy.url = sqlite:///x.db\n[loggers]"
    )
    output = project.alembic("upgrade", "head")
    assert "sqlalchemy.url is set: it replaces the application's database" in output
    assert "note" in tables(project.path / "x.db")
    code = """
from alembic import command
from alembic.config import Config
config = Config("alembic.ini")
config.set_main_option("sqlalchemy.url", "")
command.upgrade(config, "head")
command.current(config)  # the URL that env.py has set is not the caller's
"""
    assert "r1 (head)" in project.python(code)
    assert "note" in tables(project.path / "instance/notes.db")


def test_tables_made_by_create_all(note_app):
    """Each message names the next command, and no row is touched."""
    project = note_app(config="db.session")
    project.write("app.py", APP.format(uri='"sqlite:///notes.db"', config=""))
    project.python(
        "from app import *\nwith app.app_context():\n    db.create_all()\n"
        "    db.session.add(Note(text='kept')); db.session.commit()"
    )
    revision = ("revision", "--autogenerate", "-m", "first")
    next_ = "`alembic -x baseline revision --autogenerate -m first`"
    assert next_ in project.alembic(*revision)
    for command in ("upgrade", "stamp"):
        output = project.alembic(command, "head", fails=True)
        assert "The database has tables of the application (note)" in output
        assert f"Write the first revision with {next_}" in output
        assert "then run `alembic stamp head`" in output
    project.alembic("-x", "baseline", *revision)
    assert "op.create_table('note'" in project.versions()[0].read_text()
    output = project.alembic("upgrade", "head", fails=True)
    assert "If they are those of a revision, run `alembic stamp REVISION`" in output
    project.alembic("stamp", "head")
    project.alembic("check")
    output = project.alembic("upgrade", "head")
    assert "Nothing to do: at " in output
    with closing(sqlite3.connect(project.path / "instance/notes.db")) as connection:
        assert connection.execute("SELECT text FROM note").fetchall() == [("kept",)]


@pytest.mark.parametrize(
    "command", ["upgrade head", "check", "current", "downgrade -1"]
)
def test_a_revision_that_is_lost(note_app, command):
    project = note_app()
    add_revision(project)
    project.alembic("upgrade", "head")
    project.versions()[0].rename(project.path / "away.py")
    add_revision(project, "r2")
    output = project.alembic(*command.split(), fails=True)
    assert "FAILED: The database has run revision r1, of which there is no" in output
    assert "`alembic stamp --purge REVISION`" in output


def test_a_connection_given_by_the_caller(note_app):
    """It is used, not closed, and its transaction is the caller's."""
    project = note_app()
    add_revision(project)
    code = """
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
config = Config("alembic.ini")
engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    print("in it:", sorted(sa.inspect(connection).get_table_names()))
    print("open:", not connection.closed)
engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
config.attributes["connection"] = engine
command.upgrade(config, "head")
print("by engine:", sorted(sa.inspect(engine).get_table_names()))
"""
    output = project.python(code)
    assert "in it: ['alembic_version', 'note']" in output
    assert "open: True" in output
    assert "by engine: ['alembic_version', 'note']" in output
    assert not (project.path / "instance/notes.db").exists()


def test_env_files(note_app, tmp_path):
    """They are read from the project, and what is set before them wins."""
    project = note_app(uri='os.environ["NOTES_URI"]')
    add_revision(project)
    project.write(".env", "NOTES_URI=sqlite:///from_env.db\n")
    project.write(".flaskenv", "NOTES_URI=sqlite:///from_flaskenv.db\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / ".env").write_text("NOTES_URI=sqlite:///not_this.db\n")
    project.alembic("-c", "../notes/alembic.ini", "upgrade", "head", cwd=other)
    project.alembic("upgrade", "head", NOTES_URI="sqlite:///from_shell.db")
    (project.path / ".env").unlink()
    project.alembic("upgrade", "head")
    names = {path.name for path in tmp_path.rglob("*.db")}
    assert names == {"from_env.db", "from_shell.db", "from_flaskenv.db"}
    error = project.alembic("upgrade", "head", fails=True, FLASK_SKIP_DOTENV="1")
    assert "KeyError: 'NOTES_URI'" in error


def test_the_app_can_tell_that_it_is_imported_for_a_migration(note_app):
    project = note_app(config="print('running:', os.environ.get('ALEMBIC_RUNNING'))")
    assert "running: 1" in project.alembic("current")
    assert "running: None" in project.python("import app")
    code = """
import os
from alembic import command
from alembic.config import Config
command.current(Config("alembic.ini"))
assert "ALEMBIC_RUNNING" not in os.environ
"""
    assert "running: 1" in project.python(code)


def test_autogenerate_without_changes_writes_nothing(note_app):
    project = note_app()
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    for arguments in (["-m", "again"], []):
        output = project.alembic("revision", "--autogenerate", *arguments)
        assert "No changes found: no revision is written." in output
    assert len(project.versions()) == 1
    project.alembic("revision", "-m", "by hand")
    assert len(project.versions()) == 2


def test_types_are_compared_and_server_defaults_if_the_owner_says_so(note_app):
    project = note_app()
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    project.edit("app.py", "db.String(50)", "db.String(50), server_default='-'")
    project.alembic("check")
    project.edit(
        "migrations/env.py", '# "compare_server_default"', '"compare_server_default"'
    )
    project.edit("app.py", "db.String(50)", "db.String(99)")
    project.alembic("revision", "--autogenerate", "-m", "second")
    text = project.versions()[1].read_text()
    assert "existing_type=sa.VARCHAR(length=50)" in text
    assert "type_=sa.String(length=99)" in text
    assert "server_default=" in text


BROKEN = [
    (
        {"uri": "None"},
        ["current"],
        "FAILED: Set SQLALCHEMY_DATABASE_URI: Either 'SQLALCHEMY_DATABASE_URI' or",
    ),
    (
        {"uri": '""'},
        ["current"],
        "FAILED: SQLALCHEMY_DATABASE_URI: Could not parse SQLAlchemy URL",
    ),
    (
        {"uri": '"secret"'},
        ["upgrade", "head"],
        "FAILED: SQLALCHEMY_DATABASE_URI: Could not parse SQLAlchemy URL",
    ),
    (
        {"app": "app:application"},
        ["current"],
        "FAILED: Cannot get the application: cannot import name 'application' from 'app'",
    ),
    (
        {"app": "application:app"},
        ["current"],
        "FAILED: Cannot get the application: No module named 'application'. Correct",
    ),
    (
        {
            "app": "app:create_app()",
            "db": "app:db",
            "code": FACTORY + "\ndel create_app",
        },
        ["current"],
        "FAILED: Cannot get the application: cannot import name 'create_app' from 'app'",
    ),
    (
        {"app": "app:create_app(1, 2)", "db": "app:db", "code": FACTORY},
        ["current"],
        "FAILED: Cannot get the application: create_app() takes from 0 to 1 positional",
    ),
    (
        {"db": "app:database"},
        ["current"],
        "FAILED: Cannot get the application: cannot import name 'database' from 'app'",
    ),
    (
        {"code": APP + "\nother = db = SQLAlchemy()\n"},
        ["current"],
        "FAILED: The current Flask app is not registered with this 'SQLAlchemy' instance",
    ),
    (
        {"code": APP[: APP.index("class Note")]},
        ["revision", "--autogenerate"],
        "FAILED: The metadata has no tables, because no module with models is imported",
    ),
    (
        {"code": APP[: APP.index("class Note")]},
        ["check"],
        "FAILED: The metadata has no tables, because no module with models is imported",
    ),
]


@pytest.mark.parametrize(("app", "command", "line"), BROKEN)
def test_one_clear_line(note_app, app, command, line):
    project = note_app(**app)
    output = project.alembic(*command, fails=True)
    (said,) = [text for text in output.splitlines() if "FAILED" in text]
    assert said.startswith(line)
    assert "Traceback" not in output and "secret" not in output
    assert not (project.path / "migrations/versions").exists() or not project.versions()


OWN_ERRORS = [
    ("import a_module_that_is_missing", "No module named 'a_module_that_is_missing'"),
    ("{}['key']", "KeyError: 'key'"),
    ("len(1)", "TypeError: object of type 'int'"),
    ("raise RuntimeError('mine')", "RuntimeError: mine"),
]


@pytest.mark.parametrize(("statement", "message"), OWN_ERRORS)
def test_an_error_in_the_apps_code_keeps_its_traceback(note_app, statement, message):
    project = note_app(config=statement.replace("{", "{{").replace("}", "}}"))
    project.write(
        "app.py", project.read("app.py").replace("{{", "{").replace("}}", "}")
    )
    output = project.alembic("current", fails=True)
    assert "Traceback" in output and message in output
    assert 'app.py", line ' in output and statement in output


def test_upgrade_needs_no_models(note_app):
    project = note_app(code=APP[: APP.index("class Note")])
    add_revision(project)
    project.alembic("upgrade", "head")
    assert tables(project.path / "instance/notes.db") == {"note", "alembic_version"}
