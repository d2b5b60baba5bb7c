"""`bake` writes a project with the real Cookiecutter, `alembic` runs the real command."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter
from servers import database

ROOT = Path(__file__).parent.parent
APPS = Path(__file__).parent / "apps"
SCRIPTS = Path(sys.executable).parent
# Where the commands of the baked projects are: nox runs them with older libraries, too.
PROJECT_SCRIPTS = os.path.abspath(os.environ.get("PROJECT_SCRIPTS", SCRIPTS))
HAS_OLD_LIBRARIES = str(SCRIPTS) != PROJECT_SCRIPTS


def first_revision(table, key="id"):
    """The text of a revision `a1` that makes a table with one column."""
    return f"""
import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.create_table("{table}", sa.Column("{key}", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("{table}")
"""


class Project:
    """A folder in which commands are run as its owner would run them."""

    ran = []  # in the present test

    def __init__(self, path):
        self.path = path
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FLASK_", "SQLALCHEMY_", "PYTEST_", "ALEMBIC_"))
        }
        self.environment["PYTHONUTF8"] = "1"
        # Old libraries warn of one another.
        self.environment["PYTHONWARNINGS"] = "ignore" if HAS_OLD_LIBRARIES else "error"

    @staticmethod
    def script(name):
        """The path of a command that is installed for the projects, or for the tests."""
        paths = os.pathsep.join([PROJECT_SCRIPTS, str(SCRIPTS)])
        return shutil.which(name, path=paths) or name

    def run(self, *command, fails=False, cwd=None, **environment):
        """Run a command to its end, and return its output, the errors last."""
        Project.ran.append(command)
        done = subprocess.run(
            [self.script(command[0]), *command[1:]],
            cwd=cwd or self.path,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"{command}: {output}"
        return output

    def alembic(self, *arguments, **options):
        return self.run("alembic", *arguments, **options)

    def git(self, *arguments, **options):
        settings = ("user.name=Ada", "user.email=ada@example.org")
        settings += ("core.autocrlf=false", "init.defaultBranch=main")
        words = [word for setting in settings for word in ("-c", setting)]
        return self.run("git", *words, *arguments, **options)

    def commit(self, message="a commit"):
        """Commit all that is there, in a Git repository that is begun if there is none."""
        if not (self.path / ".git").exists():
            self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def python(self, code, **options):
        return self.run("python", "-c", code, **options)

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        return path

    def edit(self, name, old, new):
        path = self.path / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8", newline="\n")

    def read(self, name):
        return (self.path / name).read_text(encoding="utf-8")

    def paths(self):
        """Every file in the folder, but for what Python and databases leave behind."""
        return {
            path.relative_to(self.path).as_posix()
            for path in self.path.rglob("*")
            if path.is_file() and path.suffix not in (".pyc", ".db")
        }

    def versions(self, directory="migrations"):
        """The revision files, oldest first."""
        files = (self.path / directory / "versions").glob("*.py")
        return sorted(files, key=lambda file: file.stat().st_mtime_ns)


def tables(path):
    """The names of the tables in an SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        return {name for (name,) in rows}


@pytest.fixture(autouse=True)
def nothing_ran():
    Project.ran = []


@pytest.fixture
def bake(tmp_path, monkeypatch):
    """Bake the template with some answers, and return the project."""

    def bake(project="flask-app", force=False, **answers):
        monkeypatch.chdir(tmp_path)
        path = cookiecutter(
            str(ROOT),
            no_input=True,
            default_config=True,
            overwrite_if_exists=force,
            extra_context={"project": project, **answers},
        )
        return Project(Path(path))

    return bake


@pytest.fixture
def adopt(tmp_path, bake):
    """Bake into a copy of one of the applications in tests/apps/."""

    def adopt(app_name, **answers):
        shutil.copytree(APPS / app_name, tmp_path / app_name)
        return bake(project=app_name, force=True, **answers)

    return adopt


@pytest.fixture
def new_database(tmp_path):
    """Make a database of a kind, which is dropped at the end, and return its URL."""
    folder = tmp_path / "database"
    folder.mkdir()
    with ExitStack() as opened:
        yield lambda kind: opened.enter_context(database(kind, folder))
