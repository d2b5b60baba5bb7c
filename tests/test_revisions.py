"""What autogenerate writes: it runs as written, and the data is still there after it."""

import json
import os
import re
import select
import subprocess
import time

import pytest
import sqlalchemy as sa
from conftest import SCRIPTS
from documentation import not_run

DATABASES = ["sqlite", "postgresql", "mysql"]
WRITE = ("revision", "--autogenerate", "-m")
ANSWERS = [
    "rename=person.name:full_name",
    "rename=person.email:mail",
    "rename=post:article",
    "rename=remark.source_id:origin_id",
    "default=person.age:18",
    "default=person.motto:it's 100% \\ fine",
    "default=person.joined:now",
]
ROWS = """
from app import app, db
from before import Person, Post, Remark
with app.app_context():
    db.session.add_all([Person(name="Ann", email="a@x"), Person(name="Bob", email="b@x")])
    db.session.flush()
    db.session.add(Post(title="t", slug="s", person_id=1))
    db.session.flush()
    db.session.add(Remark(post_id=1, source_id=1))
    db.session.commit()
"""


@pytest.fixture
def staff(new_database, adopt):
    """Makes the app in tests/apps/staff on a database, with its first revision and rows."""

    def staff(kind):
        url = new_database(kind)
        project = adopt("staff", app="app:app", db="app:db", models="")
        project.environment["STAFF_URL"] = url.render_as_string(hide_password=False)
        project.alembic(*WRITE, "first")
        project.alembic("upgrade", "head")
        project.python(ROWS)
        project.environment["STAFF"] = "after"
        return project

    return staff


def rows(project, query):
    engine = sa.create_engine(project.environment["STAFF_URL"], poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


@pytest.mark.parametrize("kind", DATABASES)
def test_renames_and_new_columns(staff, kind):
    """Alembic alone drops and adds them: the names, the posts and what hangs on them are lost."""
    project = staff(kind)
    options = [part for answer in ANSWERS for part in ("-x", answer)]
    output = project.alembic(*options, *WRITE, "second")
    assert "REVIEW" not in output
    assert not_run("revisions.md#Was it renamed?") == []
    assert not_run("revisions.md#What do existing rows get?") == []
    text = project.versions()[-1].read_text()
    assert "are lost" not in text and "drop_table" not in text

    after = (
        "SELECT full_name, mail, age, motto, is_active, level FROM person ORDER BY id"
    )
    for time_ in ("first", "second"):
        project.alembic("upgrade", "head")
        assert rows(project, after) == [
            ("Ann", "a@x", 18, "it's 100% \\ fine", True, "high"),
            ("Bob", "b@x", 18, "it's 100% \\ fine", True, "high"),
        ]
        assert rows(project, "SELECT title, slug, person_id FROM article") == [
            ("t", "s", 1)
        ]
        assert rows(project, "SELECT post_id, origin_id FROM remark") == [(1, 1)]
        [(options,), _] = rows(project, "SELECT options FROM person")
        assert (json.loads(options) if isinstance(options, str) else options) == {
            "a": ["it's", 1]
        }
        with pytest.raises(sa.exc.DBAPIError, match="CHECK|check|CONSTRAINT"):
            run(project, "UPDATE person SET age = 0")
        if time_ == "first":
            project.alembic("check")
            project.alembic("downgrade", "-1")
            assert rows(project, "SELECT name, email FROM person ORDER BY id") == [
                ("Ann", "a@x"),
                ("Bob", "b@x"),
            ]
            assert rows(project, "SELECT title, person_id FROM post") == [("t", 1)]
            assert rows(project, "SELECT source_id FROM remark") == [(1,)]
            away = project.versions()[-1].rename(project.path / "second")
            project.environment["STAFF"] = "before"
            project.alembic("check")
            away.rename(project.path / "migrations/versions/second.py")
            project.environment["STAFF"] = "after"
    if kind != "sqlite":  # where a table can't be altered without a look at it
        assert "it''s 100%" in project.alembic("upgrade", "head", "--sql")


def test_nobody_to_ask(staff):
    project = staff("sqlite")
    output = project.alembic(*WRITE, "second")
    text = project.versions()[-1].read_text()
    for line in [
        "REVIEW: was post renamed to article? If so, use -x rename=post:article",
        "REVIEW: was person.name renamed to full_name? If so, use"
        " -x rename=person.name:full_name",
        "REVIEW: fails if person has rows. To fill them, use -x default=person.age:VALUE",
    ]:
        assert f"    # {line}\n" in text
        assert line in output
    assert "# REVIEW: the values of column person.name are lost\n" in text
    assert "# REVIEW: the rows of table post are lost\n" in text
    # The model has a value for it.
    assert "'is_active', sa.Boolean(), server_default='1'" in text
    project.alembic("upgrade", "head", fails=True)
    assert rows(project, "SELECT count(*) FROM person") == [(2,)]

    project.versions()[-1].unlink()
    for options, message in [
        (
            ["rename=person.nme:full_name"],
            "rename=person.nme:full_name matches no change",
        ),
        (["rename=person.name"], "write -x rename=WHAT:VALUE"),
        (["default=person.age:old"], "give a value of type INTEGER"),
        (["default=person.level:middle"], "give one of low, high"),
    ]:
        project.versions()[-1].unlink(missing_ok=True) if len(
            project.versions()
        ) > 1 else None
        output = project.alembic("-x", *options, *WRITE, "second", fails=True)
        assert message in output and "Traceback" not in output
        assert len(project.versions()) == 1


def at_a_terminal(project, *command, answers):
    """Run a command at a pseudo-terminal, and give each answer when its question is there."""
    pty = pytest.importorskip("pty")
    here, there = pty.openpty()
    process = subprocess.Popen(
        [project.script(command[0]), *command[1:]],
        cwd=project.path,
        env=project.environment,
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
    )
    os.close(there)
    output, end, left = "", time.monotonic() + 30, list(answers)
    while time.monotonic() < end:
        if select.select([here], [], [], 0.1)[0]:
            try:
                read = os.read(here, 4096)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            output += read.decode()
            if left and left[0][0] in output.rpartition("\n")[2]:
                os.write(here, f"{left.pop(0)[1]}\n".encode())
    os.close(here)
    if left:
        process.kill()
    process.wait(timeout=30)
    assert not left, output
    return process.returncode, output


def test_a_person_at_a_terminal(staff):
    project = staff("sqlite")
    questions = [
        ("Was post renamed to article? [y/N]", "y"),
        ("Was person.email renamed to full_name? [y/N]", "perhaps"),
        ("Was person.email renamed to full_name? [y/N]", ""),
        ("Was person.email renamed to mail? [y/N]", "Y"),
        ("Was person.name renamed to full_name? [y/N]", "yes"),
        ("Was remark.source_id renamed to origin_id? [y/N]", "y"),
        ("person.age is NOT NULL", "seven"),
        ("person.age is NOT NULL", "18"),
        ("person.motto is NOT NULL", "hm"),
        ("person.joined is NOT NULL", "2020-01-01"),
    ]
    status, output = at_a_terminal(
        project, "alembic", *WRITE, "second", answers=questions
    )
    assert status == 0, output
    assert "REVIEW" not in project.versions()[-1].read_text()
    project.alembic("upgrade", "head")
    assert rows(
        project, "SELECT full_name, mail, age, motto FROM person ORDER BY id"
    ) == [
        ("Ann", "a@x", 18, "hm"),
        ("Bob", "b@x", 18, "hm"),
    ]
    project.alembic("check")


FOREIGN = {
    "sqlite": [
        "CREATE VIRTUAL TABLE search USING fts5(body)",  # with tables search_data, ...
    ],
    "postgresql": [
        "CREATE TABLE spatial_ref_sys (srid INTEGER)",
        "ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys",  # as CREATE EXTENSION does
        "CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM (2026) TO (2027)",
        "CREATE TABLE alembic_version_other (version_num TEXT)",
    ],
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_tables_of_others(staff, kind):
    """Alembic alone writes revisions that drop them; so does Flask-Migrate."""
    project = staff(kind)
    project.environment["STAFF"] = "before"
    if kind == "postgresql":
        run(project, "CREATE TABLE event (year INTEGER) PARTITION BY RANGE (year)")
        project.write(
            "before.py",
            project.read("before.py")
            + "\ndb.Table('event', db.Column('year', db.Integer),"
            " postgresql_partition_by='RANGE (year)')\n",
        )
    for statement in FOREIGN[kind]:
        run(project, statement)
    project.alembic("check")
    run(project, "CREATE TABLE legacy_orders (id INTEGER)")
    run(project, "CREATE TABLE sessions (id INTEGER)")  # may be anybody's
    assert "remove_table" in project.alembic("check", fails=True)
    output = project.alembic(*WRITE, "second", fails=True)
    assert "FAILED: This would drop tables that no revision has made" in output
    assert "`ignore_tables` in alembic.ini" in output
    project.edit(
        "alembic.ini", "[alembic]\n", "[alembic]\nignore_tables = sessions, legacy_*\n"
    )
    project.alembic("check")


def run(project, statement):
    engine = sa.create_engine(project.environment["STAFF_URL"], poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_comments_for_the_reviewer(staff):
    project = staff("postgresql")
    project.environment["STAFF"] = "before"
    for old, new in [
        ("    notes = db.Column(db.String(20))\n", ""),
        ("email = db.Column(db.String(50)", "email = db.Column(db.String(20)"),
        ("title = db.Column(db.String(50)", "title = db.Column(db.String(80)"),
        (
            "slug = db.Column(db.String(40), ",
            "slug = db.Column(db.String(40), nullable=False, ",
        ),
        ('db.ForeignKey("post.id"))', 'db.ForeignKey("post.id"), index=True)'),
    ]:
        project.edit("before.py", old, new)
    project.write(
        "before.py",
        project.read("before.py")
        + "\ndb.Table('new', db.Column('id', db.Integer, index=True))\n",
    )
    project.alembic(*WRITE, "second")
    upgrade = project.versions()[-1].read_text().partition("def downgrade")[0]
    assert sorted(re.findall("# REVIEW: (.*)", upgrade)) == [
        "building ix_post_parent_id blocks writes to post. On a large table, use"
        " postgresql_concurrently=True",
        "person.email changes its type. Values may not fit. The table is rewritten",
        "post.slug becomes NOT NULL. This fails if a row has NULL",
        "the values of column person.notes are lost",
    ]
    project.alembic("upgrade", "head")
    project.alembic("check")


RISKS = """
import sys; sys.path.append("migrations")
from alembic.operations.ops import AlterColumnOp
from flask_alembic_env.autogenerate import risk_of
from sqlalchemy import Enum, String
for old, new in (
    (Enum("new", "paid"), Enum("new", "paid", "lost")),
    (Enum("new", "paid"), Enum("new", "settled")),
    (String(9), String(19)),
    (String(9), String(5)),
):
    change = AlterColumnOp("item", "state", existing_type=old, modify_type=new)
    print(int(bool(risk_of(change, "mysql"))), end="")
"""


def test_changes_of_a_type_that_lose_nothing(bake):
    """The values of MySQL's enums are in the column's type."""
    assert bake().python(RISKS) == "0101"


def test_format(adopt):
    """A revision is formatted and sorted as the project is, if that has settings for it."""
    project = adopt("single_file", app="app:app", db="app:db")
    name = "class Name(db.String):\n    pass\n\n\nclass Employee"
    project.edit("app.py", "class Employee", name)  # needs an import of its own
    project.edit("app.py", "db.Column(db.String, unique=False", "db.Column(Name")
    here = os.pathsep.join([str(SCRIPTS), project.environment["PATH"]])
    project.alembic(*WRITE, "first", PATH=here)
    as_written = project.versions()[0].read_text()
    assert "batch_op.f('" in as_written or "sa.Column('" in as_written

    project.versions()[0].unlink()
    project.write("pyproject.toml", "[tool.ruff]\nline-length = 60\n")
    hooks = [f"{name}.type = exec\n{name}.executable = ruff\n" for name in "ab"]
    project.edit(
        "alembic.ini",
        "[alembic]\n",
        "[post_write_hooks]\nhooks = a, b\n"
        f"{hooks[0]}a.options = check --fix --select=I REVISION_SCRIPT_FILENAME\n"
        f"{hooks[1]}b.options = format REVISION_SCRIPT_FILENAME\n\n[alembic]\n",
    )
    project.alembic(*WRITE, "first", PATH=here)
    text = project.versions()[0].read_text()
    assert 'sa.Column("' in text and max(map(len, text.splitlines())) <= 80
    assert "import app\n" in text
    project.run("ruff", "format", "--check", "migrations/versions")
    project.run("ruff", "check", "--select=I", "migrations/versions")
