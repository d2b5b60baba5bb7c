"""The starter: what a new project holds, run as its owner, CI and compose would run it.

There is no container engine in the tests. What a container would run is taken from the
files, and run here on the real servers.
"""

import json
import os
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from conftest import ROOT, SCRIPTS
from servers import database
from test_bake import ENVIRONMENT, STARTER, run_cookiecutter

KINDS = ["sqlite", "postgresql", "mysql"]
WORKFLOW = ".github/workflows/tests.yaml"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="as the workflow is")

# A revision for these meets rows of every type, and keys of several columns.
MORE_MODELS = """

class Kind(enum.Enum):
    SMALL = 1
    LARGE = 2


class Sample(db.Model):
    __tablename__ = "samples"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[datetime.date] = mapped_column(primary_key=True)
    kind: Mapped[Kind] = mapped_column(Enum(Kind))
    amount: Mapped[decimal.Decimal] = mapped_column(Numeric(6, 2))
    ratio: Mapped[float]
    is_new: Mapped[bool]
    made: Mapped[datetime.datetime]
    at: Mapped[datetime.time]
    raw: Mapped[bytes]
    more: Mapped[dict] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(9), server_default="new")


class Page(db.Model):
    __tablename__ = "pages"

    id: Mapped[int] = mapped_column(primary_key=True)
    above_id: Mapped[int | None] = mapped_column(ForeignKey("pages.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
"""


def service(project, name):
    return yaml.safe_load(project.read("compose.yaml"))["services"][name]


def workflow_steps(project):
    """The commands that CI runs."""
    (job,) = yaml.safe_load(project.read(WORKFLOW))["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


def command_of(project):
    """The command that the image runs, from the Dockerfile."""
    return json.loads(re.search(r"^CMD (.+)", project.read("Dockerfile"), re.M)[1])


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextmanager
def served(project, port, **environment):
    """Run the image's command, on another port, until the block ends."""
    name, *arguments = command_of(project)
    arguments = [
        each.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for each in arguments
    ]
    assert any(str(port) in each for each in arguments)
    process = subprocess.Popen(
        [project.script(name), *arguments],
        cwd=project.path,
        env={**project.environment, "HOME": "/nonexistent", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "rror" not in output, output


def healthy(project, check, **environment):
    """Whether a health check of compose.yaml finds the service healthy."""
    kind, name, *arguments = check
    assert kind == "CMD"
    done = subprocess.run(
        [project.script(name), *arguments],
        env={**project.environment, **environment},
        capture_output=True,
    )
    return done.returncode == 0


def post(port, path, **values):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        json.dumps(values).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


@pytest.mark.parametrize("kind", KINDS)
def test_life_of_a_new_project(bake, tmp_path, kind):
    """From the first revision by way of the containers' commands to those of CI."""
    project = bake(database=kind)
    with database(kind, tmp_path) as url, database(kind, project.path) as test_url:
        uri = url.render_as_string(hide_password=False)
        project.environment["SQLALCHEMY_DATABASE_URI"] = uri
        project.alembic("revision", "--autogenerate", "-m", "create users")
        if kind != "sqlite":
            database_is_healthy(project)
        migrate_at_once(project)
        if (
            sys.platform == "linux"
        ):  # gunicorn is not for Windows, macOS has no /dev/shm
            serve(project)

        imports = (
            "import datetime\nimport decimal\nimport enum\nimport os\nimport uuid\n"
        )
        project.edit("app.py", "import os\n", imports)
        names = "import JSON, Enum, Numeric, ForeignKey,"
        project.edit("app.py", "import ForeignKey,", names)
        project.edit("app.py", "\n\napp = Flask", f"{MORE_MODELS}\n\napp = Flask")
        assert "New upgrade operations" in project.alembic("check", fails=True)
        project.alembic("revision", "--autogenerate", "-m", "add samples")
        _, *steps = workflow_steps(project)[:6]
        steps.remove("pre-commit run --all-files")  # its hooks are on the network
        assert steps[1:] == ["alembic upgrade head", "alembic check", "pytest"]
        tests = test_url.render_as_string(hide_password=False)
        for step in steps:
            output = project.run(*shlex.split(step), TEST_DATABASE_URI=tests)
        assert "7 passed" in output
        for check in (["check"], ["format", "--check"]):  # as pre-commit does
            project.run("ruff", *check, "--no-cache", "migrations")

        project.alembic(
            "downgrade", "base"
        )  # with the rows that came by way of gunicorn
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        assert sa.inspect(engine).get_table_names() == ["alembic_version"]
        engine.dispose()


def database_is_healthy(project):
    check = service(project, "db")["healthcheck"]["test"]
    if shutil.which(check[1]):
        assert healthy(project, check)
        assert not healthy(project, check, PGPORT="1", MYSQL_TCP_PORT="1")


def migrate_at_once(project):
    """Run what the service `migrate` runs, three times at once."""
    name, *arguments = service(project, "migrate")["command"]
    replicas = [
        subprocess.Popen(
            [project.script(name), *arguments],
            cwd=project.path,
            env=project.environment,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(3)
    ]
    assert [replica.wait(60) for replica in replicas] == [0, 0, 0]


def serve(project):
    """Run what the service `web` runs, until it is healthy, and use it."""
    port = free_port()
    check = service(project, "web")["healthcheck"]["test"]
    check = [each.replace(":8000/", f":{port}/") for each in check]
    assert not healthy(project, check)
    with served(project, port):
        end = time.monotonic() + 30
        while not healthy(project, check):
            assert time.monotonic() < end
        user = post(port, "/users", name="Ada")
        assert post(port, f"/users/{user['id']}/posts", title="Notes")["id"] == 1


def test_a_revision_that_fails_where_there_are_rows_is_found(bake):
    """Nothing else finds it: it runs on empty tables, and is what the models say."""
    project = bake()
    project.alembic("revision", "--autogenerate", "-m", "create users")
    project.alembic("upgrade", "head")
    title = "    title: Mapped"
    note = "    note: Mapped[str] = mapped_column(default=str)\n"
    project.edit("app.py", title, f"{note}{title}")
    project.alembic("revision", "--autogenerate", "-m", "add note")
    own = (project.path / "instance" / "app.db").read_bytes()
    output = project.run("pytest", "-q", fails=True)
    assert "FAILED test_migrations.py::test_down_and_up_again_with_rows" in output
    assert "Cannot add a NOT NULL column" in output
    assert "1 failed, 6 passed" in output
    assert (project.path / "instance" / "app.db").read_bytes() == own


CIRCLE = """from alembic import op

revision = "1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE page (id INTEGER PRIMARY KEY, best INT REFERENCES note)")
    op.execute(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, page INT NOT NULL REFERENCES page)"
    )
    op.execute("CREATE TABLE mark (grade TEXT CHECK (grade IN ('A', 'B')))")


def downgrade():
    for name in ("mark", "note", "page"):
        op.drop_table(name)
"""


MERGED = """revision = "{}"
down_revision = {}


def upgrade():
    pass


def downgrade():
    pass
"""


def test_rows_for_tables_that_refer_in_a_circle(bake):
    """And in a history that has been merged."""
    project = bake()
    project.write("migrations/versions/1.py", CIRCLE)
    for name, down in (("2", "'1'"), ("3", "'1'"), ("4", "('2', '3')"), ("5", "'4'")):
        project.write(f"migrations/versions/{name}.py", MERGED.format(name, down))
    command = ["pytest", "-q", "-k", "test_down_and_up_again_with_rows"]
    assert "CHECK constraint failed" in project.run(*command, fails=True)
    values = 'VALUES_OF = {"mark.grade": ("A", "B")}'
    project.edit("test_migrations.py", "VALUES_OF = {}", values)
    last = '        fill_empty_tables()\n    command.downgrade(alembic, "base")\n'
    project.edit("test_migrations.py", last, "        fill_empty_tables()\n")
    project.write(".env", "TEST_DATABASE_URI=sqlite:///test.db\n")
    project.run(*command)
    with closing(sqlite3.connect(project.path / "instance" / "test.db")) as connection:
        rows = {
            name: connection.execute(f"SELECT * FROM {name}").fetchall()
            for name in ("page", "note", "mark")
        }
    assert rows["page"] == [(1, None), (2, None)]
    assert rows["note"] == [(1, 1), (2, 2)]
    assert rows["mark"] == [("A",), ("B",)]


def test_a_database_that_is_not_there(bake):
    """Its health is an error; alembic says it in one line, and where it takes the lock."""
    project = bake(database="postgresql")
    uri = "postgresql+psycopg://app:secret@127.0.0.1:1/gone"
    for command in (["current"], ["upgrade", "head"]):
        output = project.alembic(*command, fails=True, SQLALCHEMY_DATABASE_URI=uri)
        said = (
            "FAILED: Cannot connect to postgresql+psycopg://app:***@127.0.0.1:1/gone: "
        )
        assert said in output and "refused" in output
        assert "Traceback" not in output and "secret" not in output
    code = "from app import app; print(app.test_client().get('/health').status_code)"
    assert "500\n" in project.python(code, SQLALCHEMY_DATABASE_URI=uri)


@pytest.mark.parametrize("kind", KINDS)
def test_compose(bake, kind):
    project = bake(project="my shop", database=kind)
    compose = yaml.safe_load(project.read("compose.yaml"))
    services = compose["services"]
    assert set(services) == {"web", "migrate"} | ({"db"} if kind != "sqlite" else set())
    web, migrate, db = (services.get(name) for name in ("web", "migrate", "db"))

    assert migrate["command"] == ["alembic", "upgrade", "head"]
    assert "restart" not in migrate  # or it would never have completed
    wanted = {"migrate": {"condition": "service_completed_successfully"}}
    if db:
        wanted["db"] = {"condition": "service_healthy"}
        assert migrate["depends_on"] == {"db": wanted["db"]}
        assert kind in web["environment"]["SQLALCHEMY_DATABASE_URI"]
        assert web["environment"] == migrate["environment"]
        assert db["image"].partition(":")[0] == {"postgresql": "postgres"}.get(
            kind, kind
        )
        assert db["restart"] == web["restart"]
        assert db["volumes"][0].startswith("data:/var/lib/")
    else:
        assert web["volumes"] == migrate["volumes"] == ["data:/app/instance"]
        assert "install --directory --owner=app instance" in project.read("Dockerfile")
        assert "WORKDIR /app\n" in project.read("Dockerfile")
    assert web["depends_on"] == wanted
    assert web["build"] == migrate["build"] == "."
    assert "image" not in {*web, *migrate}  # two builds at once would both write it
    assert compose["volumes"] == {"data": None}
    for each in services.values():  # reached from this machine only
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", ()))

    # What is asked for by compose and the app is in the example, and nothing else.
    asked = set(re.findall(r"\$\{(\w+)", project.read("compose.yaml")))
    asked |= set(re.findall(r'environ\.get\(\s*"(\w+)"', project.read("app.py")))
    example = project.read(".env.example")
    assert set(re.findall(r"^(\w+)=", example, re.M)) == asked
    (default,) = re.findall(r'"(\w+(?:\+\w+)?:///?[^"]+)"', project.read("app.py"))
    assert f"SQLALCHEMY_DATABASE_URI={default}\n" in example
    if db:
        password = re.search("DATABASE_PASSWORD=(.+)", example)[1]
        assert f"//app:{password}@" in default


@pytest.mark.parametrize("kind", KINDS)
def test_dockerfile(bake, kind):
    project = bake(database=kind)
    lines = project.read("Dockerfile").splitlines()
    last = [line for line in lines if line.startswith(("USER", "CMD"))]
    assert re.fullmatch(r"USER [1-9]\d+", last[0])  # a number: Kubernetes must see it
    assert command_of(project)[0] == "gunicorn"
    ignored = project.read(".dockerignore").split()
    assert {".env", ".git", ".venv", "instance"} <= set(ignored)


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_what_their_tools_read(bake, kind):
    """By the schemas that Compose and GitHub publish, and a linter for Dockerfiles."""
    project = bake(database=kind)
    check = ["check-jsonschema", "--builtin-schema"]
    project.run(*check, "vendor.compose-spec", "compose.yaml")
    project.run(*check, "vendor.github-workflows", WORKFLOW)
    if shutil.which("hadolint", path=str(SCRIPTS)):  # few systems have it
        project.run("hadolint", "Dockerfile")


@pytest.mark.parametrize("kind", KINDS)
def test_workflow(bake, kind):
    """What needs no network of it is run in the life of a project, too."""
    project = bake(database=kind)
    (job,) = yaml.safe_load(project.read(WORKFLOW))["jobs"].values()
    assert set(job.get("services", ())) == ({"db"} if kind != "sqlite" else set())
    uri = job["env"]["SQLALCHEMY_DATABASE_URI"]
    assert uri.startswith(kind) and job["env"]["TEST_DATABASE_URI"].startswith(kind)
    if kind != "sqlite":
        name, user, password = list(job["services"]["db"]["env"].values())[:3]
        assert sa.make_url(uri).database == name
        assert sa.make_url(uri).username == user
        assert sa.make_url(uri).password == password
    for step in job["steps"]:
        assert "run" in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    assert workflow_steps(project)[:3] == [
        "pip install --editable . --group dev",
        "alembic-linear check",
        "pre-commit run --all-files",
    ]


@on_linux
def test_new_sql_is_linted(bake):
    """Only that of the revisions which a pull request adds; that of the first passes."""
    project = bake(database="postgresql")
    (job,) = yaml.safe_load(project.read(WORKFLOW))["jobs"].values()
    step = job["steps"][-1]
    assert step["if"].startswith("github.event_name == 'pull_request' && ")
    checkout = job["steps"][0]["with"]
    assert checkout["fetch-depth"] == 2

    def merge_and_lint(name, fails=False):
        """Commit to a branch, and lint what GitHub would check out for it."""
        project.git("checkout", "-q", "-b", name)
        project.commit(name)
        project.git("checkout", "-q", "main")
        project.git("merge", "-q", "--no-ff", "-m", "merge", name)
        path = os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])
        options = {"PATH": path, "fails": fails, "PYTHONWARNINGS": "default"}
        output = project.run("bash", "-e", "-c", step["run"], **options)
        return project.read("new.sql"), output

    def write(number, down, body):
        project.write(
            f"migrations/versions/{number}.py",
            f'"""{number}"""\nfrom alembic import op\nimport sqlalchemy as sa\n'
            f"revision = {number!r}\ndown_revision = {down!r}\n"
            f"def upgrade():\n    {body}\n",
        )
        project.run("alembic-linear", "update")

    project.commit("a new project")

    uri = "SQLALCHEMY_DATABASE_URI"
    with database("postgresql", project.path) as url:
        where = {uri: url.render_as_string(hide_password=False)}
        project.alembic("revision", "--autogenerate", "-m", "create users", **where)
    (file,) = project.versions()
    first = re.search('^revision = "(.+)"', file.read_text(), re.M)[1]
    assert first in project.read("migrations/head.txt")  # the post-write hook's
    sql, output = merge_and_lint("first")
    assert "CREATE TABLE users" in sql
    assert "Found 0 issues" in output

    write("b", first, "op.add_column('users', sa.Column('age', sa.BigInteger()))")
    sql, output = merge_and_lint("second")
    assert "ADD COLUMN age" in sql and "CREATE TABLE" not in sql

    write("c", "b", "op.create_index('i', 'users', ['age'])")
    sql, output = merge_and_lint("third", fails=True)
    assert "CREATE INDEX i" in sql and "ADD COLUMN" not in sql
    assert "require-concurrent-index-creation" in output

    project.write("note.txt", "a pull request with no revision")
    sql, output = merge_and_lint("fourth")
    assert "CREATE" not in sql


@pytest.mark.parametrize("directory", ["migrations", "src/shop db/migrations"])
def test_pre_commit(bake, directory):
    project = bake(directory=directory)
    first, local = yaml.safe_load(project.read(".pre-commit-config.yaml"))["repos"]
    assert [hook["id"] for hook in first["hooks"]] == ["ruff-check", "ruff-format"]
    pinned = re.search('"ruff~=(.+)"', project.read("pyproject.toml"))[1]
    assert first["rev"] == f"v{pinned}"
    (hook,) = local["hooks"]
    check = shlex.split(hook["entry"])
    assert check == ["alembic-linear", "update", "--exit-on-change"]
    assert "No migrations found" in project.run(*check, fails=True)
    project.alembic("revision", "-m", "first")
    project.run(*check)
    assert "alembic-linear check" in workflow_steps(project)
    for name in ("a", "b"):
        text = f"revision = {name!r}\ndown_revision = None\n"
        project.write(f"{directory}/versions/{name}.py", text)
    assert "has 3 heads" in project.run(*check, fails=True)


def test_revisions_of_two_branches_conflict_and_are_rebased(bake):
    """As the project's README says, by alembic-linear-migrations."""
    project = bake()
    project.alembic("revision", "-m", "first")
    project.commit()
    for name in ("one", "two"):
        project.git("checkout", "-q", "-b", name, "main")
        project.alembic("revision", "-m", name)
        project.commit(name)
    output = project.git("merge", "one", fails=True)
    assert "CONFLICT" in output and "migrations/head.txt" in output
    project.run("alembic-linear", "rebase")
    project.run("alembic-linear", "check")
    assert project.alembic("heads").count("(head)") == 1
    assert "two" in project.alembic("show", "head")


def test_replay_in_another_folder_writes_the_starter(tmp_path, monkeypatch):
    """The workflow's folder, too, is where `-o` and not the answers say."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    paths = ENVIRONMENT | STARTER
    for folder, option in (("one", []), ("two", ["--replay"])):
        (tmp_path / folder).mkdir()
        command = [shutil.which("cookiecutter", path=str(SCRIPTS)), "--default-config"]
        done = subprocess.run(
            [*command, "-o", folder, *(option or ["--no-input"]), str(ROOT)],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        root = tmp_path / folder / "flask-app"
        files = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
        assert files == paths
    assert not (tmp_path / ".github").exists()


def test_an_app_of_ones_own_gets_no_workflow_folder(tmp_path):
    done = run_cookiecutter(tmp_path, str(ROOT), "app=shop:app", "db=shop:db")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "flask-app" / ".github").exists()
    assert not Path("/.github").exists()
