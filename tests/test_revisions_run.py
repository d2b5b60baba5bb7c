"""What autogenerate writes runs as it is written: up, down and up, with rows in the tables."""

import re
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
    ini = str(project.path / "alembic.ini")
    with database(kind, tmp_path) as url:
        on(project, url)
        first = revision(project, "first")
        for line in (
            "import app",
            "import kinds.types",
            "sa.Column('name', app.Name(length=50)",
            "sa.ARRAY(kinds.types.Money(",
            "sa.Column('choice', sa.String(length=20)",
            "sa.CHAR().with_variant(sa.CHAR(length=32), 'mysql')"
            ".with_variant(sa.UUID(), 'postgresql')",
            "sa.Column('level', sa.Enum('low', 'high', ",
            "sa.Column('inner', sa.String(length=5)",
            "sa.Column('local', sa.Unicode(length=40)",
            "sa.Column('point', kinds.types.Point(size=10)",
        ):
            assert line in first
        assert re.search(r"postgresql.JSONB\(astext_type=(sa\.)?Text\(\)\)", first)
        if kind == "sqlite":  # it reads the revisions, and does not run env.py
            assert "first" in project.alembic("history", cwd="/", ALEMBIC_CONFIG=ini)
        project.alembic("upgrade", "head")
        execute(url, "INSERT INTO ware (id, name, price) VALUES (1, 'Tea', 2.50)")

        new = {"SECOND": "1"}
        second = revision(project, "second", **new)
        assert "\nimport op\n" not in second and "'tax', sa.SmallInteger()" in second
        project.alembic("upgrade", "head", **new)
        assert "No new upgrade" in project.alembic("check", **new)
        project.alembic("downgrade", "-1")
        project.alembic("upgrade", "head", **new)
        rows = execute(url, "SELECT name, price, tax FROM ware")
        assert [(name, float(price), tax) for name, price, tax in rows] == [
            ("Tea", 2.5, None)
        ]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_server_defaults(adopt, tmp_path, kind):
    """They are compared if the owner turns on Alembic's own comparison."""
    project = adopt("defaults")
    # Alembic's comparison fails for these on PostgreSQL.
    project.edit("app.py", "nobody's", "nobody")
    project.edit("app.py", """db.JSON, server_default=db.text("'{}'")""", "db.JSON")
    with database(kind, tmp_path) as url:
        on(project, url)
        project.python(
            "from app import app, db; app.app_context().push(); db.create_all()"
        )
        assert "No new upgrade" in project.alembic("check")
        assert "No new upgrade" in project.alembic("check", OLD="true")
        off = '# "compare_server_default": True'
        project.edit("migrations/env.py", off, off[2:])
        output = project.alembic("check", fails=True, OLD="true")
        assert "'modify_default', None, 'item', 'is_old'" in output


def test_renames_with_what_has_no_name(adopt, tmp_path):
    """A unique constraint stays, and a default that changes with the name is changed."""
    project = adopt("defaults")
    options = []
    for answer in ("chamber:room", "note.body:text", "note.mood:tone"):
        options += ["-x", f"rename={answer}"]
    with database("sqlite", tmp_path) as url:
        on(project, url)
        revision(project, "first")
        project.alembic("upgrade", "head")
        new = {"NEW": "1"}
        project.alembic(*options, "revision", "--autogenerate", "-m", "second", **new)
        project.alembic("upgrade", "head")
        assert "No new upgrade" in project.alembic("check", **new)
        insert = "INSERT INTO room (number) VALUES (1)"
        with pytest.raises(sa.exc.IntegrityError):
            execute(url, insert, insert)
        project.alembic("downgrade", "-1")
        assert execute(url, "PRAGMA table_info(note)")[2][4] is None


MEMBERS = (
    "INSERT INTO team (id) VALUES (1)",
    "INSERT INTO member (id, email, team_id, low, high) VALUES (1, 'a@b', 1, 2, 3)",
    "INSERT INTO member (id, email, team_id, low, high) VALUES (2, 'c@d', NULL, 2, 4)",
)
SECOND = {"SECOND": "1"}


def names_in(url):
    """The names of all constraints but the primary keys, with None for those without."""
    with connected(url) as connection:
        inspector = sa.inspect(connection)
        kinds = ("unique_constraints", "foreign_keys", "check_constraints")
        found = [getattr(inspector, f"get_multi_{kind}")() for kind in kinds]
        return {
            item["name"]
            for tables in found
            for items in tables.values()
            for item in items
        }


def short(names):
    """Those that are short enough: PostgreSQL cuts the others elsewhere than we do."""
    return {name for name in names if name and not name.startswith("a_thing")}


def up_down_up(project, url):
    """Run the second revision on rows that the first one has made room for."""
    execute(url, *MEMBERS)
    project.alembic("upgrade", "head", **SECOND)
    assert "No new upgrade" in project.alembic("check", **SECOND)
    project.alembic("downgrade", "-1")
    project.alembic("upgrade", "head", **SECOND)
    assert "No new upgrade" in project.alembic("check", **SECOND)
    rows = execute(url, "SELECT id, email, team_id, age FROM member ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, "a@b", 1, 1), (2, "c@d", None, 1)]
    with pytest.raises(sa.exc.DBAPIError):
        execute(url, "INSERT INTO member (id, low, high) VALUES (3, 2, 3)")
    with pytest.raises(sa.exc.DBAPIError):
        execute(url, "INSERT INTO member (id, age) VALUES (3, -1)")


def test_constraints_without_a_name(adopt, tmp_path):
    """Those that SQLite knows no name of are dropped, and new ones get PostgreSQL's."""
    project = adopt("unnamed")
    with database("sqlite", tmp_path) as url:
        on(project, url)
        project.alembic("upgrade", "head")
        text = revision(project, "second", **SECOND)
        assert "create_unique_constraint(batch_op.f('member_low_high_key')" in text
        assert "(None" not in text
        up_down_up(project, url)
        execute(url, "UPDATE member SET team_id = 99 WHERE id = 1")  # the key is gone
        on_sqlite = names_in(url)

    with database("postgresql", tmp_path) as url:
        on(project, url)
        project.alembic("upgrade", "r1")
        up_down_up(project, url)
        on_postgresql = names_in(url)
        assert short(on_postgresql) <= short(on_sqlite)
    with database("postgresql", tmp_path) as url:
        on(project, url)
        code = "from app import app, db; app.app_context().push(); db.create_all()"
        project.python(code, **SECOND)
        by_postgresql = names_in(url)
        assert short(by_postgresql) == short(on_postgresql)


def test_constraints_without_a_name_on_mysql(adopt, tmp_path):
    """The index that MySQL has made for a foreign key is dropped by the next one."""
    project = adopt("unnamed")
    with database("mysql", tmp_path) as url:
        on(project, url)
        project.alembic("upgrade", "head")
        revision(project, "second", **SECOND)
        for _ in range(2):
            execute(url, *MEMBERS)
            project.alembic("upgrade", "head", **SECOND)
            project.alembic("downgrade", "-1")
            execute(url, "DELETE FROM member", "DELETE FROM team")
        project.alembic("upgrade", "head", **SECOND)
        assert "drop_index(batch_op.f('member_ibfk_1')" in revision(
            project, "third", **SECOND
        )
        project.alembic("upgrade", "head", **SECOND)
        assert "No new upgrade" in project.alembic("check", **SECOND)


def stage(number):
    return {"STAGE": str(number), "SCHEMA": "shop"}


def enums_in(url):
    with connected(url) as connection:
        enums = sa.inspect(connection).get_enums(schema="*")
        return {enum["name"]: enum["labels"] for enum in enums}


def test_enums_on_postgresql(adopt, tmp_path):
    """Made once, changed with the rows in place, and dropped with their last column."""
    project = adopt("enums")
    with database("postgresql", tmp_path) as url:
        on(project, url)
        theirs = "CREATE TYPE theirs AS ENUM ('t')"
        execute(url, "CREATE SCHEMA shop", theirs, "CREATE TYPE others AS ENUM ('o')")
        text = revision(project, "first", **stage(1))
        assert text.count("name='status').create(op.get_bind(), checkfirst=True)") == 1
        assert "name='theirs')." not in text
        project.alembic("upgrade", "head")
        assert "No new upgrade" in project.alembic("check", **stage(1))
        execute(
            url,
            "INSERT INTO ticket (id, priority, size, gone) VALUES (1, 'low', 's', 'g')",
            "INSERT INTO ticket (id, state, priority, size)"
            " VALUES (2, 'it''s: odd', 'mid', 'l')",
            "INSERT INTO shop.note (id, state, tone) VALUES (1, 'closed', 'calm')",
        )

        waiting = "ALTER TYPE status ADD VALUE IF NOT EXISTS"
        assert waiting in project.alembic("check", fails=True, **stage(2))
        text = revision(project, "second", **stage(2))
        assert (
            "ALTER TYPE status ADD VALUE IF NOT EXISTS 'waiting' BEFORE 'closed'"
            in text
        )
        project.alembic("upgrade", "head")
        output = project.alembic("check", **stage(2))
        assert "No new upgrade" in output
        assert "type priority keeps the values old" in output
        assert "alembic-postgresql-enum" in output
        execute(url, "INSERT INTO ticket (id) VALUES (3)")
        execute(url, "DELETE FROM ticket WHERE id = 3")
        rows = execute(url, "SELECT state::text, priority::text FROM ticket")
        assert set(rows) == {("open", "low"), ("it's: odd", "mid")}
        second = enums_in(url)
        values = ["open", "waiting", "closed", "it's: odd", "100%"]
        assert second["status"] == values and second["theirs"] == ["t"]
        assert "gone" not in second
        project.alembic("downgrade", "-1")  # a value stays: PostgreSQL cannot remove it
        assert enums_in(url)["status"] == values
        project.alembic("upgrade", "head")
        assert enums_in(url).keys() == second.keys()
        project.alembic("downgrade", "-2")
        assert set(enums_in(url)) == {"theirs", "others"}
        assert "ADD VALUE" in project.alembic("upgrade", "head", "--sql")


def test_enums_written_on_postgresql_run_on_sqlite(adopt, tmp_path):
    project = adopt("enums")
    with database("postgresql", tmp_path) as url:
        on(project, url)
        execute(url, "CREATE TYPE theirs AS ENUM ('t')")
        revision(project, "first")
        project.alembic("upgrade", "head")
        revision(project, "second", STAGE="2")
    with database("sqlite", tmp_path) as url:
        on(project, url)
        project.alembic("upgrade", "+1")
        execute(url, "INSERT INTO ticket (id, state) VALUES (1, 'closed')")
        project.alembic("upgrade", "head")
        rows = execute(url, "SELECT state, shade FROM ticket")
        assert rows == [("closed", "dark")]
        project.alembic("downgrade", "base")
