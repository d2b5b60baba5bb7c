"""Migrations under faults: what would be lost without the files beside env.py."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
import sqlalchemy as sa
from conftest import ROOT, Project, tables
from documentation import not_run

DATABASES = ["sqlite", "postgresql", "mysql"]

REVISION = """
import time
import sqlalchemy as sa
from alembic import context, op

revision = "{name}"
down_revision = {down!r}


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
"""

FIRST = """
    op.create_table("account", sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50)))
    op.create_table("entry", sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.Integer,
            sa.ForeignKey("account.id", ondelete="CASCADE")))
    op.create_table("ledger", sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("step", sa.String(50)))
    op.execute("INSERT INTO ledger (step) VALUES ('r0')")
"""


class Ledger(Project):
    """The app in tests/apps/ledger with a history, on a database of its own."""

    def __init__(self, path, url):
        super().__init__(path)
        self.url = url
        self.kind = url.get_backend_name()
        self.environment["LEDGER_URL"] = url.render_as_string(hide_password=False)
        self.count = 0
        self.started = []
        self.add(FIRST)

    def add(self, upgrade, downgrade="pass"):
        """Write the next revision, and return its name."""
        name = f"r{self.count}"
        down = f"r{self.count - 1}" if self.count else None
        self.write(
            f"migrations/versions/{name}.py",
            REVISION.format(
                name=name, down=down, upgrade=upgrade.strip(), downgrade=downgrade
            ),
        )
        self.count += 1
        return name

    def add_step(self, pause=0.05):
        """A revision with a schema change and a row, between which time passes."""
        name = f"r{self.count}"
        return self.add(
            f"""
    op.add_column("account", sa.Column("c_{name}", sa.Integer))
    time.sleep({pause})
    op.execute("INSERT INTO ledger (step) VALUES ('{name}')")
    time.sleep({pause})
    with op.batch_alter_table("account") as batch:
        batch.alter_column("name", type_=sa.String(60 + {self.count}),
            existing_type=sa.String())
"""
        )

    def start(self, *arguments, **environment):
        process = subprocess.Popen(
            ["alembic", *arguments],
            executable=self.script("alembic"),
            cwd=self.path,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        end = threading.Timer(90, process.kill)  # a test that hangs has to fail
        end.daemon = True
        end.start()
        self.started.append(process)
        return process

    def stop(self):
        """End what a test that failed has left running."""
        for process in self.started:
            process.kill()
            process.wait()
            process.stdout.close()

    def sql(self, statement):
        """Execute a statement, and return its rows."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            result = connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []

    def version(self):
        tables = sa.inspect(sa.create_engine(self.url, poolclass=sa.NullPool))
        if not tables.has_table("alembic_version"):
            return None
        rows = self.sql("SELECT version_num FROM alembic_version")
        return rows[0][0] if rows else None

    def steps(self):
        return [row[0] for row in self.sql("SELECT step FROM ledger ORDER BY id")]

    def columns(self, table="account"):
        inspector = sa.inspect(sa.create_engine(self.url, poolclass=sa.NullPool))
        if not inspector.has_table(table):
            return set()
        return {column["name"] for column in inspector.get_columns(table)}

    def assert_is_at(self, version):
        """The schema and rows are those of the version that the database claims."""
        assert self.version() == version
        number = -1 if version is None else int(version[1:])
        done = [f"r{index}" for index in range(number + 1)]
        if version is None:
            assert self.columns() == set()
        else:
            assert self.columns() == {"id", "name", *(f"c_{name}" for name in done[1:])}
            assert self.steps() == done


@pytest.fixture
def ledger(new_database, adopt):
    """Makes the app on a database of a kind."""
    projects = []

    def ledger(kind):
        url = new_database(kind)
        project = adopt("ledger", app="app:app", db="app:db")
        projects.append(Ledger(project.path, url))
        return projects[-1]

    yield ledger
    for project in projects:
        project.stop()


@pytest.mark.parametrize("kind", DATABASES)
def test_sixteen_processes_at_once(ledger, kind, tmp_path):
    """Without the run lock, fifteen of sixteen fail; on MariaDB steps are done twice."""
    project = ledger(kind)
    for _ in range(4):
        project.add_step(pause=0.1)
    barrier = tmp_path / "barrier"
    barrier.mkdir()
    processes = [
        project.start("upgrade", "head", LEDGER_BARRIER=f"{barrier}:16")
        for _ in range(16)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    failed = [
        output
        for process, output in zip(processes, outputs, strict=True)
        if process.returncode
    ]
    assert not failed, failed[0]
    assert sum("[5/5]" in output for output in outputs) == 1
    project.assert_is_at("r4")


@pytest.mark.parametrize("kind", DATABASES)
def test_killed_at_a_random_moment(ledger, kind):
    """Without a real transaction, SQLite stays half applied and can't be upgraded."""
    project = ledger(kind)
    for _ in range(3):
        project.add_step(pause=0.15)
    seed = random.randrange(10**6)
    delays = random.Random(seed)
    print("seed", seed)
    for _ in range(3):
        process = project.start("upgrade", "head")
        for line in process.stdout:
            if "Running upgrade" in line:
                break
        time.sleep(delays.uniform(0, 0.9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if kind == "mysql":
            break
        project.assert_is_at(project.version())
    try:
        output = project.alembic("upgrade", "head")
    except AssertionError as error:
        assert kind == "mysql"
        output = str(error)
        assert re.search(r"stopped half way", output), output
    else:
        project.assert_is_at("r3")


@pytest.mark.parametrize("kind", DATABASES)
def test_a_revision_that_raises_half_way(ledger, kind):
    """SQLite: all is undone. PostgreSQL: what was done before stays. MySQL: it is said."""
    project = ledger(kind)
    project.add_step(pause=0)
    broken = project.add(
        """
    op.add_column("account", sa.Column("c_r2", sa.Integer))
    op.execute("INSERT INTO ledger (step) VALUES ('r2')")
    raise RuntimeError("half way")
"""
    )
    output = project.alembic("upgrade", "head", fails=True)
    assert "RuntimeError: half way" in output
    text = project.read(f"migrations/versions/{broken}.py")
    if kind == "mysql":
        assert f"{broken} ({broken}.py) failed. It may have stopped half way" in output
        assert "alembic stamp r2" in output
        assert project.version() == "r1"
        return
    assert "may have stopped" not in output
    project.assert_is_at({"sqlite": None, "postgresql": "r1"}[kind])
    project.write(
        f"migrations/versions/{broken}.py",
        text.replace('raise RuntimeError("half way")', "pass"),
    )
    project.alembic("upgrade", "head")
    project.assert_is_at("r2")


def cut_by_server(project):
    """End the sessions that are in a migration of this project's database."""
    if project.kind == "postgresql":
        project.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return
    sessions = project.sql(
        "SELECT id FROM information_schema.processlist"
        " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    )
    for (session,) in sessions:
        with suppress(sa.exc.OperationalError):  # one ends when the other has ended
            project.sql(f"KILL {session}")


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_the_server_cuts_the_connections(ledger, kind):
    project = ledger(kind)
    project.add_step(pause=0)
    project.add(
        """
    op.execute("INSERT INTO ledger (step) VALUES ('r2')")
    print("now", flush=True)
    time.sleep(1.5)
    op.add_column("account", sa.Column("c_r2", sa.Integer))
"""
    )
    process = project.start("upgrade", "head")
    for line in process.stdout:
        if line == "now\n":
            break
    cut_by_server(project)
    output = process.communicate(timeout=60)[0]
    assert process.returncode
    assert project.version() == "r1"
    if kind == "mysql":  # its row was in a transaction, so nothing of it is there
        assert "It may have stopped half way" in output
    project.assert_is_at("r1")
    project.alembic("upgrade", "head")
    project.assert_is_at("r2")


ENGINES = {
    "default": {},
    "begin recipe": {"LEDGER_BEGIN": "1"},
    "autocommit": {"LEDGER_OPTIONS": '{"isolation_level": "AUTOCOMMIT"}'},
    "autocommit=True": {"LEDGER_OPTIONS": '{"connect_args": {"autocommit": true}}'},
    "autocommit=False": {"LEDGER_OPTIONS": '{"connect_args": {"autocommit": false}}'},
}


@pytest.mark.parametrize("options", ENGINES.values(), ids=ENGINES)
def test_sqlite_with_any_engine(ledger, options):
    """A table is altered, and the rows that refer to it stay; a failure undoes all."""
    if '"autocommit":' in options.get("LEDGER_OPTIONS", "") and not hasattr(
        __import__("sqlite3"), "LEGACY_TRANSACTION_CONTROL"
    ):
        pytest.skip("sqlite3 has autocommit since Python 3.12")
    project = ledger("sqlite")
    project.environment.update(options)
    project.alembic("upgrade", "head")
    project.sql("INSERT INTO account (id, name) VALUES (1, 'a'), (2, 'b')")
    project.sql("INSERT INTO entry (id, account_id) VALUES (1, 1), (2, 1), (3, 2)")
    project.add_step(pause=0)
    project.add(
        """
    with op.get_context().autocommit_block():
        assert not op.get_bind().connection.in_transaction
        op.execute("PRAGMA optimize")
    assert op.get_bind().connection.in_transaction
    assert op.get_bind().exec_driver_sql("PRAGMA foreign_keys").scalar() == 0
    op.add_column("account", sa.Column("c_r2", sa.Integer))
    op.execute("INSERT INTO ledger (step) VALUES ('r2')")
"""
    )
    project.alembic("upgrade", "head")
    project.assert_is_at("r2")
    assert project.sql("SELECT count(*) FROM entry") == [(3,)]
    project.add(
        'op.drop_table("ledger")\n    op.add_column("no", sa.Column("n", sa.Integer))'
    )
    assert "no such table: no" in project.alembic("upgrade", "head", fails=True)
    project.assert_is_at("r2")


def test_sqlite_rows_without_their_parent_undo_all(ledger):
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    project.sql("INSERT INTO account (id, name) VALUES (1, 'a'), (2, 'b')")
    project.sql("INSERT INTO entry (id, account_id) VALUES (1, 1), (2, 2), (3, 99)")
    project.add('op.execute("DELETE FROM account WHERE id = 2")')
    output = project.alembic("upgrade", "head", fails=True)
    assert "FAILED: 1 row(s) would lose their parent, such as row 2 of entry" in output
    assert project.sql("SELECT count(*) FROM account") == [(2,)]
    assert project.version() == "r0"


def test_sqlite_in_memory_and_its_foreign_keys_afterwards(ledger):
    """The app's own connection enforces foreign keys again when Alembic has used it."""
    project = ledger("sqlite")
    project.add_step(pause=0)
    code = """
from app import app, db
from alembic import command
from alembic.config import Config
with app.app_context():
    command.upgrade(Config("alembic.ini"), "head")
    with db.engine.connect() as connection:
        run = connection.exec_driver_sql
        print("enforced:", run("PRAGMA foreign_keys").scalar())
        print("busy:", run("PRAGMA busy_timeout").scalar())
        print("at:", run("SELECT version_num FROM alembic_version").scalar())
"""
    for url in ("sqlite://", project.environment["LEDGER_URL"]):
        output = project.python(code, LEDGER_URL=url)
        assert "enforced: 1\nbusy: 5000\nat: r1" in output


def test_sqlite_disk_full_and_read_only(ledger):
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    step = project.add_step(pause=0)
    text = project.read(f"migrations/versions/{step}.py")
    fill = 'op.execute("INSERT INTO ledger (step) VALUES (hex(zeroblob(300000)))")'
    limit = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        " resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))"
    )
    last = text.rindex("\n\n\ndef downgrade")
    project.write(
        f"migrations/versions/{step}.py",
        f"{text[:last]}\n    {limit}\n    {fill}{text[last:]}",
    )
    output = project.alembic("upgrade", "head", fails=True)
    assert "disk" in output and "Nothing was changed" in output
    project.assert_is_at("r0")
    project.write(f"migrations/versions/{step}.py", text)

    file = project.url.database
    project.environment["LEDGER_URL"] = f"sqlite:///file:{file}?mode=ro&uri=true"
    output = project.alembic("upgrade", "head", fails=True)
    assert "attempt to write a readonly database" in output
    project.environment["LEDGER_URL"] = f"sqlite:///{file}"
    project.alembic("upgrade", "head")
    project.assert_is_at("r1")


@pytest.fixture
def held(ledger):
    """Opens a session that holds a lock, until the test ends."""
    sessions = []

    def held(project, *statements):
        engine = sa.create_engine(project.url, poolclass=sa.NullPool)
        connection = engine.connect()
        for statement in statements:
            connection.exec_driver_sql(statement)
        sessions.append(connection)
        return connection

    yield held
    for connection in sessions:
        connection.close()


LOCKING = {
    "postgresql": ("BEGIN", "SELECT count(*) FROM account"),
    "mysql": ("START TRANSACTION", "SELECT count(*) FROM account"),
}


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_session_that_holds_a_lock(ledger, held, kind):
    """The migration waits shortly, again and again, and tells who is in the way."""
    project = ledger(kind)
    project.alembic("upgrade", "head")
    project.add(
        'op.add_column("account", sa.Column("c_r1", sa.Integer))\n'
        "    op.execute(\"INSERT INTO ledger (step) VALUES ('r1')\")"
    )
    reader = held(project, *LOCKING[kind])

    process = project.start("-x", "lock-timeout=1", "upgrade", "head")
    said = ""
    for line in process.stdout:
        if "Will try again" in line:
            break
        said = line
    assert (
        "Blocked by " in said
        and "SELECT count(*) FROM account" in said
        or (kind == "mysql" and "sleep for" in said)
    )
    reader.close()
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    project.assert_is_at("r1")


def test_giving_up_for_a_lock_leaves_nothing_behind(ledger, held):
    project = ledger("postgresql")
    project.alembic("upgrade", "head")
    project.add_step(pause=0)
    held(project, "BEGIN", "SELECT count(*) FROM account")
    change = project.read("migrations/flask_alembic_env/change.py")
    shorter = re.sub(r"PAUSES = \(.*\)", "PAUSES = (0.1,)", change)
    project.write("migrations/flask_alembic_env/change.py", shorter)
    output = project.alembic("-x", "lock-timeout=0.2", "upgrade", "head", fails=True)
    assert (
        "FAILED: r1 (r1.py) failed: canceling statement due to lock timeout" in output
    )
    assert output.count("Blocked by pid ") == 2
    project.assert_is_at("r0")
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND query NOT LIKE '%%count(*) FROM account%%'"
    )
    assert project.sql(sleeping) == [(0,)]


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_revision_sets_its_own_lock_timeout(ledger, held, kind):
    """By the lines that docs/deploying.md has for it."""
    page = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    found = re.findall("^op.execute.*timeout.*", page, re.MULTILINE)
    lines = dict(zip(LOCKING, found, strict=True))
    project = ledger(kind)
    project.alembic("upgrade", "head")
    project.add(
        f"""
    {lines[kind]}
    op.add_column("account", sa.Column("c_r1", sa.Integer))
    op.execute("INSERT INTO ledger (step) VALUES ('r1')")
"""
    )
    reader = held(project, *LOCKING[kind])
    timer = threading.Timer(3, reader.close)
    timer.start()
    output = project.alembic("-x", "lock-timeout=0.2", "upgrade", "head")
    timer.join()
    assert "Blocked by" not in output
    project.assert_is_at("r1")


@pytest.mark.parametrize("kind", DATABASES)
def test_the_run_lock(ledger, held, kind):
    """Commands that change wait for it, a bounded time; those that read do not."""
    project = ledger(kind)
    project.alembic("upgrade", "head")
    project.add(
        """
    import os
    print("now", flush=True)
    end = time.monotonic() + 60
    while not os.path.exists("go") and time.monotonic() < end:
        time.sleep(0.1)
"""
    )
    if (
        kind == "sqlite"
    ):  # so that readers find a database that is not just being written
        project.sql("PRAGMA journal_mode=WAL")
    process = project.start("upgrade", "head")
    for line in process.stdout:
        if line == "now\n":
            break
    for command in (["current"], ["history", "-i"], ["show", "current"], ["heads"]):
        project.alembic(*command)
    assert process.poll() is None
    output = project.alembic("-x", "lock-wait=0.5", "upgrade", "head", fails=True)
    assert "FAILED: Gave up after 0.5 s of waiting for" in output
    user = project.url.username
    holder = {
        "sqlite": "a process that writes to .*test.db",
        "postgresql": rf"another migration of this database \(pid \d+, user {user}",
        "mysql": rf"another migration of this database \(connection \d+, user {user}, h",
    }
    assert re.search(holder[kind], output), output
    project.write("go", "")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert project.version() == "r1"


def test_run_lock_off(ledger):
    project = ledger("postgresql")
    project.add(
        'print("locks:", op.get_bind().exec_driver_sql("SELECT count(*) FROM pg_locks'
        " WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
        ' WHERE datname = current_database())").scalar())'
    )
    assert "locks: 0" in project.alembic("-x", "lock=off", "upgrade", "head")
    project.alembic("stamp", "r0")
    assert "locks: 1" in project.alembic("upgrade", "head")
    error = project.alembic("-x", "lock=no", "upgrade", "head", fails=True)
    assert "FAILED: -x lock=no: write on or off" in error
    error = project.alembic("-x", "lock-wait=soon", "upgrade", "head", fails=True)
    assert "FAILED: -x lock-wait=soon: give a number of seconds" in error


CONCURRENTLY = """
    with op.get_context().autocommit_block():
        op.create_index("ix_name", "account", ["name"], postgresql_concurrently=True)
    op.execute("INSERT INTO ledger (step) VALUES ('r1')")
"""
POSTGRESQL_ENGINES = {
    "default": "{}",
    "repeatable read": '{"isolation_level": "REPEATABLE READ"}',
    "serializable": '{"connect_args": {"options": "-c default_transaction_isolation='
    'serializable -c idle_in_transaction_session_timeout=1s"}}',
    "autocommit": '{"isolation_level": "AUTOCOMMIT"}',
    "one connection": '{"pool_size": 1, "max_overflow": 0, "pool_timeout": 3}',
}


@pytest.mark.parametrize("options", POSTGRESQL_ENGINES.values(), ids=POSTGRESQL_ENGINES)
def test_create_index_concurrently_while_others_wait(ledger, tmp_path, options):
    """A lock that blocks, or a snapshot that is held, would wait for ever or deadlock."""
    project = ledger("postgresql")
    project.environment["LEDGER_OPTIONS"] = options
    project.alembic("upgrade", "head")
    project.add(CONCURRENTLY + '    op.execute("SELECT pg_sleep(1.2)")\n')
    barrier = tmp_path / "barrier"
    barrier.mkdir()
    processes = [
        project.start("upgrade", "head", LEDGER_BARRIER=f"{barrier}:3")
        for _ in range(3)
    ]
    for process in processes:
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 0, output
    assert project.steps() == ["r0", "r1"]
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_name'::regclass"
    assert project.sql(valid) == [(True,)]


def test_what_an_autocommit_block_has_committed_is_told(ledger):
    """Else the command says that nothing was kept, and may run the revision again."""
    project = ledger("postgresql")
    project.alembic("upgrade", "head")
    project.add(CONCURRENTLY + "    op.execute('SELECT 1 / 0')\n")
    output = project.alembic("upgrade", "head", fails=True)
    assert "FAILED: r1 (r1.py) failed: division by zero. It may have stopped" in output
    assert "`alembic stamp r1`" in output and "nothing of this one" not in output
    assert project.version() == "r0"
    made = "SELECT count(*) FROM pg_class WHERE relname = 'ix_name'"
    assert project.sql(made) == [(1,)]


def test_a_new_enum_value_is_used_by_the_next_revision(ledger):
    """With one transaction for all revisions, PostgreSQL refuses it."""
    project = ledger("postgresql")
    project.add("op.execute(\"CREATE TYPE mood AS ENUM ('sad')\")")
    project.add("op.execute(\"ALTER TYPE mood ADD VALUE 'happy'\")")
    project.add(
        'op.add_column("ledger", sa.Column("mood", sa.Enum("sad", "happy", name="mood"),'
        ' server_default="happy"))'
    )
    output = project.alembic("upgrade", "head")
    assert [*re.findall(r"\[\d/4\] r\d", output)] == [
        "[1/4] r0",
        "[2/4] r1",
        "[3/4] r2",
        "[4/4] r3",
    ]


@pytest.mark.parametrize("kind", DATABASES)
def test_a_database_that_is_not_under_migration(ledger, kind):
    """Its tables are the app's, but no revision has made them: nothing is stamped."""
    project = ledger(kind)
    project.python("from app import *; app.app_context().push(); db.create_all()")
    output = project.alembic("upgrade", "head", fails=True)
    assert (
        "FAILED: The database has tables of the application (account, entry), but"
        in output
    )
    assert "alembic stamp REVISION" in output
    assert project.version() is None
    project.alembic("stamp", "head")
    project.alembic("upgrade", "head")
    assert project.version() == "r0"
    assert not_run("deploying.md#What is refused") == []


def test_tables_may_be_there_if_one_says_so(ledger):
    project = ledger("sqlite")
    project.sql("CREATE TABLE entry (id INTEGER)")
    project.write(
        "migrations/versions/r0.py",
        REVISION.format(name="r0", down=None, upgrade="pass", downgrade="pass"),
    )
    project.alembic("upgrade", "head", fails=True)
    project.alembic("-x", "allow-tables", "upgrade", "head")
    assert project.version() == "r0"


def test_autogenerate_does_not_drop_the_tables_of_others(ledger):
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    project.sql("CREATE TABLE spatial_ref_sys (id INTEGER)")
    arguments = ("revision", "--autogenerate", "-m", "x")
    output = project.alembic(*arguments, fails=True)
    assert (
        "FAILED: This would drop tables that no revision has made: spatial_ref_sys"
        in (output)
    )
    assert len(project.versions()) == 1
    assert "('remove_table'" in project.alembic("check", fails=True)
    project.alembic("-x", "allow-drops", *arguments)
    text = project.versions()[1].read_text()
    assert "# REVIEW: the rows of table spatial_ref_sys are lost\n" in text
    assert "# REVIEW: the rows of table ledger are lost\n" in text

    project.versions()[1].unlink()
    project.sql("DROP TABLE spatial_ref_sys")
    project.sql("ALTER TABLE account ADD COLUMN old INTEGER")
    project.alembic(*arguments)  # a table that a revision of ours has made
    text = project.versions()[1].read_text()
    assert "# REVIEW: the values of column account.old are lost\n" in text
    assert "# REVIEW: the rows of table ledger are lost\n" in text
    project.alembic("upgrade", "head")
    project.alembic("check")


def test_autogenerate_does_not_drop_all_tables(ledger):
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    text = project.read("app.py")
    start = text.index("class Account")
    project.write(
        "app.py", text[:start] + "db.Table('new', db.Column('id', db.Integer))\n"
    )
    output = project.alembic("revision", "--autogenerate", fails=True)
    assert "FAILED: This would drop tables that are all that the database has" in output


def test_a_connection_that_a_caller_has_in_a_transaction(ledger):
    """On PostgreSQL the run lock lasts as long as the caller's transaction."""
    project = ledger("postgresql")
    code = """
from app import app, db
from alembic import command
from alembic.config import Config
config = Config("alembic.ini")
locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
with app.app_context(), db.engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    print("locks:", connection.exec_driver_sql(locks).scalar() > 0)
    connection.rollback()
"""
    assert "locks: True" in project.python(code)
    assert project.version() is None


def test_sqlite_refuses_what_it_cannot_protect(ledger):
    """In a caller's transaction foreign keys stay on: rows would be deleted."""
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    project.add_step(pause=0)
    code = """
from app import app, db
from alembic import command
from alembic.config import Config
config = Config("alembic.ini")
with app.app_context(), db.engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
"""
    output = project.python(code, fails=True)
    assert "CommandError: The connection given to Alembic is in a transaction" in output
    project.assert_is_at("r0")


def test_sqlite_waits_for_a_reader_and_a_writer(ledger):
    """Longer than the driver does, which gives up after five seconds."""
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    project.add_step(pause=0)
    for statement in ("BEGIN; SELECT count(*) FROM account", "BEGIN IMMEDIATE"):
        code = (
            f"import sqlite3, time; c = sqlite3.connect({project.url.database!r});"
            f" [c.execute(part).fetchall() for part in {statement!r}.split(';')];"
            " print('held', flush=True); time.sleep(7)"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout.readline() == "held\n"
        project.alembic("upgrade", "head")
        holder.communicate()
        project.assert_is_at("r1")
        project.alembic("stamp", "r0")
        project.sql("ALTER TABLE account DROP COLUMN c_r1")
        project.sql("DELETE FROM ledger WHERE step = 'r1'")


@pytest.fixture
def pgbouncer(tmp_path):
    """Puts a PgBouncer that pools transactions before a project's database."""
    started = []

    def pgbouncer(project):
        binary = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
        if not binary:
            assert not os.environ.get("REQUIRE_SERVERS"), "no pgbouncer"
            pytest.skip("no pgbouncer")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ini = tmp_path / "pgbouncer.ini"
        server = project.url
        ini.write_text(
            "[databases]\n"
            f"* = host={server.host} port={server.port or 5432} user={server.username}"
            f"{f' password={server.password}' if server.password else ''}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 6\n"
        )
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [binary, *user, str(ini)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        pooled = server.set(host="127.0.0.1", port=port)
        options = {"prepare_threshold": None}  # PgBouncer 1.18 knows no statements
        engine = sa.create_engine(pooled, poolclass=sa.NullPool, connect_args=options)
        end = time.monotonic() + 10
        while True:
            try:
                engine.connect().close()
                break
            except sa.exc.OperationalError:
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.1)
        project.environment["LEDGER_URL"] = pooled.render_as_string(hide_password=False)
        project.environment["LEDGER_OPTIONS"] = json.dumps({"connect_args": options})

    yield pgbouncer
    for process in started:
        process.terminate()
        process.wait()


def test_through_a_pgbouncer_that_pools_transactions(ledger, pgbouncer, tmp_path):
    """A lock of the session would be taken on one server connection and left there."""
    project = ledger("postgresql")
    pgbouncer(project)
    project.add(CONCURRENTLY)
    for _ in range(3):
        project.add("time.sleep(0.1)")
    barrier = tmp_path / "barrier"
    barrier.mkdir()
    processes = [
        project.start("upgrade", "head", LEDGER_BARRIER=f"{barrier}:6")
        for _ in range(6)
    ]
    for process in processes:
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 0, output
    assert project.steps() == ["r0", "r1"]
    assert project.version() == "r4"
    left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    mine = " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    assert project.sql(left + mine) == [(0,)]
    # What is set for the run stays in no connection of the pool.
    code = """
from app import *
with app.app_context():
    names = "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit"
    for name in names:
        print({db.session.scalar(db.text(f"SHOW {name}")) for _ in range(9)})
"""
    assert project.python(code) == "{'0'}\n{'0'}\n{'on'}\n"


def test_the_garbage_of_a_revision_is_collected(ledger):
    """A long data migration must not grow, as it would without the garbage collector."""
    project = ledger("sqlite")
    project.add(
        """
    import weakref
    class Node:
        pass
    node = Node()
    node.itself = node
    first = weakref.ref(node)
    for _ in range(100_000):
        node = Node()
        node.itself = node
    print("collected:", first() is None)
"""
    )
    assert "collected: True" in project.alembic("upgrade", "head")


def test_a_transaction_of_the_app_in_memory_is_not_mixed_in(ledger):
    """The app's session and Alembic share the one connection of a database in memory."""
    project = ledger("sqlite")
    code = """
from app import app, db
from alembic import command
from alembic.config import Config
with app.app_context():
    command.upgrade(Config("alembic.ini"), "head")
    db.session.execute(db.text("INSERT INTO account (name) VALUES ('mine')"))
    command.upgrade(Config("alembic.ini"), "head")
"""
    output = project.python(code, LEDGER_URL="sqlite://", fails=True)
    assert "The application's session is in a transaction: end it first" in output


def test_a_database_without_a_run_lock_is_told(ledger):
    code = """
import logging, sys
from types import SimpleNamespace as Fake
sys.path.insert(0, "migrations")
logging.basicConfig(level=logging.INFO)
from contextlib import nullcontext
from unittest.mock import MagicMock, patch
from flask_alembic_env import change
oracle = Fake(dialect="oracle", given=None, connect=lambda: nullcontext(MagicMock()))
with patch.object(change, "is_on", return_value=True), \
        patch.object(change, "seconds_of", return_value=1), \
        change.connected_to_write(oracle):
    print("goes on")
"""
    output = ledger("sqlite").python(code)
    assert "goes on" in output
    assert output.count("No run lock on oracle: run one process only") == 1


def test_branches_are_counted_and_never_stopped(ledger):
    """A merge with a branch that came later, and a target relative to a label."""
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    project.add("pass")  # r1
    project.alembic("upgrade", "head")
    branch = REVISION.format(name="x1", down="r0", upgrade="pass", downgrade="pass")
    project.write("migrations/versions/x1.py", branch + '\nbranch_labels = ("x",)\n')
    project.write(
        "migrations/versions/x2.py",
        REVISION.format(name="x2", down="x1", upgrade="pass", downgrade="pass"),
    )
    output = project.alembic("upgrade", "x@+1")
    assert "[1/1] x1" in output
    project.alembic("merge", "heads", "-m", "join")
    output = project.alembic("upgrade", "head")
    assert "[1/2] x2" in output and "[2/2]" in output
    assert "[1/4]" in project.alembic("downgrade", "r0")


def test_postgresql_engine_in_autocommit_has_its_transactions(ledger):
    project = ledger("postgresql")
    project.environment["LEDGER_OPTIONS"] = '{"isolation_level": "AUTOCOMMIT"}'
    project.alembic("upgrade", "head")
    project.add(
        """
    op.execute("INSERT INTO ledger (step) VALUES ('r1')")
    raise RuntimeError("half way")
"""
    )
    project.alembic("upgrade", "head", fails=True)
    project.assert_is_at("r0")


def test_sqlite_triggers(ledger):
    """A copy of a table has no triggers: without the refusal they would be lost."""
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    body = "AFTER INSERT ON account BEGIN SELECT new.name; END"
    for name in ('"my-trigger"', "third"):
        project.sql(f"CREATE TRIGGER {name} {body}")
    project.add("op.execute('DROP TRIGGER \"my-trigger\"')")
    project.alembic("upgrade", "head")
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    assert project.sql(triggers) == [("third",)]
    project.add(
        'with op.batch_alter_table("account") as batch:\n'
        '        batch.drop_column("name")'
    )
    output = project.alembic("upgrade", "head", fails=True)
    assert (
        "FAILED: Table account has triggers, which a copy of it would lose: third"
        in (output)
    )
    assert project.version() == "r1" and project.sql(triggers) == [("third",)]


def test_sqlite_one_row_mended_and_another_cut_off(ledger):
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    project.sql("INSERT INTO account (id, name) VALUES (1, 'a'), (2, 'b')")
    project.sql("INSERT INTO entry (id, account_id) VALUES (1, 99), (2, 2)")
    project.add(
        'op.execute("DELETE FROM entry WHERE id = 1")\n'
        '    op.execute("DELETE FROM account WHERE id = 2")'
    )
    output = project.alembic("upgrade", "head", fails=True)
    assert "such as row 2 of entry in account" in output
    assert project.sql("SELECT count(*) FROM entry") == [(2,)]


def test_sqlite_a_foreign_key_to_what_is_not_unique_is_mended(ledger):
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    project.sql("CREATE TABLE alias (id int, name REFERENCES account (name))")
    project.sql("INSERT INTO entry (id, account_id) VALUES (1, 99)")  # not our business
    project.add('op.create_index("ux", "account", ["name"], unique=True)')
    output = project.alembic("upgrade", "head")
    assert "Foreign keys cannot be checked: foreign key mismatch" in output
    assert project.version() == "r1"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_callers_connection_is_handed_back_as_it_was(ledger, kind):
    project = ledger(kind)
    code = """
from app import app, db
from alembic import command
from alembic.config import Config
config = Config("alembic.ini")
with app.app_context(), db.engine.connect() as connection:
    connection.execution_options(isolation_level="AUTOCOMMIT")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.execute(db.text("INSERT INTO account (id, name) VALUES (1, 'mine')"))
    print(connection.get_execution_options()["isolation_level"])
"""
    assert "AUTOCOMMIT" in project.python(code)
    assert project.sql("SELECT name FROM account") == [("mine",)]


def test_sql_for_postgresql_has_the_transactions_of_the_upgrade(ledger):
    project = ledger("postgresql")
    project.add("pass")
    sql = project.alembic("upgrade", "head", "--sql")
    assert sql.count("BEGIN;") == sql.count("COMMIT;") == 2


def test_settings_of_the_owner_do_not_collide(ledger):
    project = ledger("sqlite")
    project.edit(
        "migrations/env.py",
        '    "compare_type": True,\n',
        '    "compare_type": True,\n'
        '        "on_version_apply": lambda **step: print("mine:", step["step"]),\n'
        '        "include_object": lambda o, name, *_: name != "account",\n'
        '        "transaction_per_migration": True,\n'
        '        "version_table": "my_version",\n',
    )
    project.sql("CREATE TABLE account (id int)")
    first = project.read("migrations/versions/r0.py")
    project.write("migrations/versions/r0.py", first.replace('"account"', '"a2"'))
    output = project.alembic("upgrade", "head")
    assert "mine: " in output and "[1/1] r0" in output
    assert project.sql("SELECT version_num FROM my_version") == [("r0",)]


def test_called_by_code_a_revision_is_looked_at_as_well(ledger):
    project = ledger("sqlite")
    project.alembic("upgrade", "head")
    project.sql("CREATE TABLE foreign_one (id int)")
    code = """
from alembic import command
from alembic.config import Config
config = Config("alembic.ini")
try:
    command.revision(config, autogenerate=True)
except Exception as error:
    print(error)
config.attributes["allow-drops"] = False
try:
    command.revision(config, autogenerate=True)
except Exception as error:
    print(error)
config.set_main_option("revision_environment", "true")
print(command.revision(config, "by hand").doc)
"""
    output = project.python(code)
    assert output.count("no revision has made: foreign_one") == 2
    assert "by hand" in output


def test_two_environments_in_one_process(ledger, adopt):
    """The helpers keep nothing of a run: each environment migrates its own database."""
    project = ledger("sqlite")
    other = adopt("lite")
    code = f"""
from alembic import command
from alembic.config import Config
import sys
for _ in range(2):
    for ini in ("alembic.ini", {str(other.path / "alembic.ini")!r}):
        sys.modules.pop("app", None)
        command.upgrade(Config(ini), "head")
        command.current(Config(ini), verbose=True)
"""
    project.python(code)
    assert project.version() == "r0"
    assert "ledger" not in tables(other.path / "instance/lite.db")


def test_a_lock_of_mysql_is_not_lost_without_the_work(ledger):
    """Were it on a connection of its own, that could end first, and another begin."""
    project = ledger("mysql")
    project.environment["LEDGER_OPTIONS"] = json.dumps(
        {"connect_args": {"init_command": "SET SESSION wait_timeout = 1"}}
    )
    project.alembic("upgrade", "head")
    project.add(
        """
    op.execute("INSERT INTO ledger (step) VALUES ('r1')")
    for _ in range(6):
        op.execute("DO SLEEP(0.4)")
    op.add_column("account", sa.Column("c_r1", sa.Integer))
"""
    )
    processes = [project.start("upgrade", "head") for _ in range(3)]
    for process in processes:
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 0, output
    project.assert_is_at("r1")
    held = "SELECT IS_USED_LOCK(SHA1(CONCAT('alembic ', DATABASE())))"
    assert project.sql(held) == [(None,)]
