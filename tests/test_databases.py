"""Every kind of database object: binds, schemas, Lite, plain SQLAlchemy, asyncio."""

import pytest
import sqlalchemy as sa
from conftest import tables
from documentation import not_run
from servers import database
from test_revisions import FOREIGN


def test_binds(adopt):
    """A bind with tables has its part in each revision; `foreign` has none, so no part."""
    project = adopt("binds")
    instance = project.path / "instance"
    project.alembic("revision", "--autogenerate", "-m", "first")
    text = project.versions()[0].read_text()
    assert "def upgrade_audit_log() -> None:" in text and "foreign" not in text

    project.alembic("-x", "bind=audit-log", "upgrade", "head")
    assert tables(instance / "audit.db") == {"event", "alembic_version"}
    assert "user" not in tables(instance / "main.db")
    assert "[1/1]" in project.alembic("upgrade", "head")
    assert tables(instance / "main.db") == {"user", "alembic_version"}
    assert not (instance / "foreign.db").exists()
    project.alembic("check")

    project.edit(
        "app.py",
        "text = db.Column",
        "level = db.Column(db.Integer)\n    text = db.Column",
    )
    project.alembic("revision", "--autogenerate", "-m", "add level")
    project.alembic("upgrade", "head")
    project.alembic("check")
    output = project.alembic("current")
    assert output.count("(head)") == 2
    assert "Database: default" in output and "Database: audit-log" in output
    project.alembic("upgrade", "head", "--sql")
    assert "CREATE TABLE event" in project.read("audit-log.sql")
    assert "CREATE TABLE user" in project.read("default.sql")
    assert not_run("several-databases.md#Binds of Flask-SQLAlchemy") == []
    project.alembic("downgrade", "base")
    assert tables(instance / "audit.db") == {"alembic_version"}
    error = project.alembic("-x", "bnd=audit-log", "upgrade", "head", fails=True)
    assert "FAILED: -x bnd=audit-log: did you mean -x bind?" in error
    assert tables(instance / "main.db") == {"alembic_version"}
    error = project.alembic("-x", "bind=no", "upgrade", "head", fails=True)
    assert "FAILED: -x bind=no: the application migrates no such bind" in error


def test_a_first_bind_that_comes_later(adopt):
    """Old revisions run unedited, for the default; the bind is added in alembic.ini."""
    project = adopt("binds")
    text = project.read("app.py")
    project.write("app.py", text[: text.index("class Event")])
    project.alembic("revision", "--autogenerate", "-m", "first")
    assert "def upgrade() -> None:" in project.versions()[0].read_text()
    project.alembic("upgrade", "head")

    project.write("app.py", text)
    said = (
        "Not migrated, because no revision is for them: audit-log. To change that, set"
    )
    assert said in project.alembic("check")
    project.edit("alembic.ini", "[loggers]", "binds = audit-log\n\n[loggers]")
    project.alembic("upgrade", "head")  # records in the bind that it has what there was
    project.alembic("revision", "--autogenerate", "-m", "second")
    project.alembic("upgrade", "head")
    project.alembic("check")
    assert tables(project.path / "instance/audit.db") == {"event", "alembic_version"}
    project.alembic("downgrade", "base")
    assert tables(project.path / "instance/main.db") == {"alembic_version"}


def test_tables_of_others_in_a_bind(adopt, new_database):
    """Each database is asked for its own: the default one, asked first, has none."""
    project = adopt("binds")
    for kind, variable, statements in (
        ("sqlite", "MAIN_URL", ["CREATE TABLE stray (id INTEGER)"]),
        ("postgresql", "AUDIT_URL", FOREIGN["postgresql"][:2]),
    ):
        url = new_database(kind)
        project.environment[variable] = url.render_as_string(hide_password=False)
        with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    output = project.alembic("check", fails=True)
    assert "Detected removed table 'stray'" in output
    assert "Detected added table 'event'" in output
    assert "spatial_ref_sys" not in output


def test_binds_that_are_one_database(adopt, tmp_path):
    """A database has one history: the revisions of the second bind would never run."""
    with database("postgresql", tmp_path) as url:
        plain = url.render_as_string(hide_password=False)
        project = adopt("binds")
        project.environment.update(MAIN_URL=plain, AUDIT_URL=plain)
        output = project.alembic("revision", "--autogenerate", "-m", "1", fails=True)
        assert "FAILED: Two binds are the same database" in output
        assert project.versions() == []


def test_a_history_of_flask_migrate_with_several_databases(adopt):
    project = adopt("binds")
    project.write(
        "migrations/versions/r1.py",
        """
import sqlalchemy as sa
from alembic import op

revision = "r1"
down_revision = None


def upgrade(engine_name):
    globals()["upgrade_%s" % engine_name]()


def downgrade(engine_name):
    globals()["downgrade_%s" % engine_name]()


def upgrade_():
    op.create_table("user", sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50)))


def downgrade_():
    op.drop_table("user")
""",
    )
    project.alembic("upgrade", "head")  # the bind came later: it has no part in it
    project.alembic("revision", "--autogenerate", "-m", "second")
    project.alembic("upgrade", "head")
    project.alembic("check")
    assert tables(project.path / "instance/audit.db") == {"event", "alembic_version"}


LIVES = [
    ("lite", {}, "instance/lite.db", "note"),
    ("lite_async", {}, "instance/lite.db", "note"),
    ("plain", {}, "journal.db", "page"),
]


@pytest.mark.parametrize(
    ("app", "answers", "file", "table"), LIVES, ids=lambda x: str(x)
)
def test_lives_without_flask_sqlalchemy(adopt, app, answers, file, table):
    project = adopt(app, **answers)
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    project.alembic("check")
    assert tables(project.path / file) == {table, "alembic_version"}
    project.alembic("downgrade", "base")
    assert tables(project.path / file) == {"alembic_version"}


def test_schemas(adopt, tmp_path):
    """The schemas that the models name are looked at, and those of others are not."""
    with database("postgresql", tmp_path) as url:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            for schema in ("billing", "others"):
                connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            connection.exec_driver_sql("CREATE TABLE others.thing (id int)")
        project = adopt("schemas")
        project.environment["APP_URL"] = url.render_as_string(hide_password=False)
        project.alembic("revision", "--autogenerate", "-m", "first")
        assert "thing" not in project.versions()[0].read_text()
        project.alembic("upgrade", "head")
        project.alembic("check")
        assert sa.inspect(engine).get_table_names("billing") == ["invoice"]


DRIVERS = [
    ("postgres://u:Secret@h/d", "Can't load plugin: sqlalchemy.dialects:postgres"),
    ("postgresql+pg9://u:Secret@h/d", "plugin: sqlalchemy.dialects:postgresql.pg9"),
    (
        "oracle+oracledb://u:Secret@h/d",
        "SQLALCHEMY_DATABASE_URI: No module named 'oracledb'",
    ),
]


@pytest.mark.parametrize(("url", "line"), DRIVERS)
def test_drivers(adopt, url, line):
    project = adopt("schemas")
    output = project.alembic("current", fails=True, APP_URL=url)
    assert "FAILED: " in output and line in output
    assert "Traceback" not in output and "Secret" not in output


def test_an_app_that_does_things_when_it_is_imported(adopt):
    """Threads are named, and a query of a table that does not exist yet is explained."""
    project = adopt("single_file")
    text = project.read("app.py")
    thread = (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(1,), name='jobs').start()\n"
    )
    project.write("app.py", text + thread)
    output = project.alembic("current")
    assert "has started threads, and the command ends after them: jobs" in output
    project.write("app.py", text)

    query = (
        "with app.app_context():\n    db.session.scalars(db.select(Company)).all()\n"
    )
    project.write("app.py", project.read("app.py") + query)
    output = project.alembic("upgrade", "head", fails=True)
    assert "no such table: company" in output
    assert "Skip that if os.environ has ALEMBIC_RUNNING" in output
    assert "Traceback" not in output
