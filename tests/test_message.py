"""What is told after a bake, and what is refused because nothing was found."""

import os
import subprocess

import pytest
from conftest import Project, first_revision
from cookiecutter.exceptions import FailedHookException
from test_takeover import env

APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///app.db"
db = SQLAlchemy(app)


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
"""
REVISION = first_revision("user")


@pytest.fixture
def told(tmp_path, bake, capfd):
    """Bake into a folder with some files, and return what is told."""

    def told(files, **answers):
        project = Project(tmp_path / "site")
        for name, text in files.items():
            project.write(name, text)
        bake(project="site", force=True, **answers)
        return capfd.readouterr().out.strip().splitlines()

    return told


def test_an_application(told):
    files = {"app.py": APP, "other.py": APP.replace("User", "Item")}
    assert told(files) == [
        "Written to site: alembic.ini, migrations/",
        "Found:",
        "  app       app:app  (app.py:5)",
        "            not other:app (other.py:5): it does not import the db",
        "  db        app:db  (app.py:7)",
        "            not other:db (other.py:7): the app does not import it",
        "Next:",
        "  pip install alembic",
        '  alembic revision --autogenerate -m "first"',
    ]


def test_an_application_with_flask_migrate(told, tmp_path):
    app = APP.replace(
        "SQLAlchemy\n", "SQLAlchemy\nfrom flask_migrate import Migrate\n", 1
    )
    files = {
        "app.py": app + "\n\nMigrate(app, db, compare_type=False)\n",
        "migrations/env.py": env(top="def patch():\n    pass\npatch()\n"),
        "migrations/alembic.ini": "[alembic]\n",
        "migrations/versions/a1.py": REVISION,
        "requirements.txt": "flask\nFlask-Migrate==4.0\nalembic\n",
    }
    assert told(files) == [
        "Written to site: alembic.ini, migrations/",
        "  yours is kept as migrations/env.py.before",
        "Found:",
        "  app       app:app  (app.py:6)",
        "  db        app:db  (app.py:8)",
        "Taken over:",
        "  app.py:15  compare_type = False",
        "Not taken over. Look at each, and copy into env.py what is still needed:",
        "  migrations/env.py:20  def patch(): pass",
        "  migrations/env.py:22  patch()",
        "Left of the tool that was here, to be removed when all works:",
        "  app.py:4  from flask_migrate import Migrate",
        "  requirements.txt:2  Flask-Migrate==4.0",
        "  migrations/alembic.ini",
        "Next:",
        "  alembic current    # the revision that the database has",
    ]
    ini = (tmp_path / "site" / "alembic.ini").read_text()
    assert "file_template" not in ini and "timezone" not in ini


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("env*\n*.ini\n", ["alembic.ini", "migrations/env.py"]),
        ("migrations/\n", ["migrations/"]),
        ("*.pyc\n", []),
    ],
)
def test_files_that_git_ignores(told, tmp_path, text, ignored):
    (tmp_path / "site").mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path / "site", check=True)
    lines = told({"app.py": APP, ".gitignore": text})
    assert [line for line in lines if "Git" in line] == [
        f"  Git ignores {name}: let .gitignore except it" for name in ignored
    ]


def test_without_git(told, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    assert not [line for line in told({"app.py": APP}) if "Git" in line]


@pytest.mark.parametrize(
    ("name", "text"),
    [(".coveragerc", "[run]"), ("pyproject.toml", "[tool.coverage.run]")],
)
def test_an_application_that_measures_coverage(told, name, text):
    last = told({"app.py": APP, name: text})[-1]
    assert 'omit = ["*/migrations/flask_alembic_env/*"]' in last


def test_a_copy_of_a_module(told):
    lines = told({"app.py": APP, "app_old.py": "from app import db\n" + APP[-79:]})
    assert "            not app_old: its table user is in app, too" in lines


def test_an_env_py_that_cannot_be_parsed(told):
    lines = told({"app.py": APP, "migrations/env.py": "import alembic\ndef (\n"})
    assert (
        "  migrations/env.py: this Python can't parse it, and it was not read" in lines
    )


def test_a_new_project(bake, capfd):
    project = bake()
    lines = capfd.readouterr().out.strip().splitlines()
    assert lines[0] == "Written to flask-app: alembic.ini, migrations/"
    commands = [line.partition(" #")[0].strip() for line in lines[2:]]
    readme = project.read("README.md")
    for line in commands[1:]:
        assert all(part in readme for part in line.split(" && ")), line


FACTORY = "from flask import Flask\ndef make(config):\n    return Flask('x')\n"
NOTHING = "from flask import Flask\napp = Flask('x')\n"
ENGINE = "from sqlalchemy import create_engine\n"
REFUSED = {
    "no app": ({"x.py": "x = 1\n"}, "app: no Flask app was found here. Name it: app=m"),
    "a factory with arguments": (
        {"shop.py": FACTORY},
        "app: shop:make(config) in shop.py:2 needs arguments. Give them, as in"
        " app='shop:make(\"testing\")'",
    ),
    "a newer Python": (
        {"shop.py": "from flask import Flask\nmatch x\n"},
        "app: no Flask app was found here. Name it: app=module:name, or a factory:"
        " app='module:create_app()' (shop.py can't be parsed)",
    ),
    "no db": ({"app.py": NOTHING}, "db: no SQLAlchemy object and no Engine was found"),
    "an engine inside a function": (
        {"app.py": f"{NOTHING}{ENGINE}def go():\n    e = create_engine('x')\n"},
        "db: no SQLAlchemy object and no Engine was found here. Name it: db=module:name,"
        " or a function that returns an Engine: db='module:get_engine()'",
    ),
    "no metadata": (
        {"app.py": f"{NOTHING}{ENGINE}engine = create_engine('x')\n"},
        "metadata: no declarative base and no MetaData was found here. Name it:"
        " metadata=module:Base.metadata",
    ),
}


@pytest.mark.parametrize(("files", "line"), REFUSED.values(), ids=REFUSED)
def test_what_was_not_found_is_not_guessed(tmp_path, told, files, line):
    with pytest.raises(FailedHookException) as refused:
        told(files)
    assert str(refused.value).startswith(f"ERROR: {line}")
    assert len(str(refused.value).splitlines()) == 1
    assert Project(tmp_path / "site").paths() == set(files)


# Environments that run


def test_a_function_that_returns_an_engine(tmp_path, told):
    """It may ask for the running app."""
    code = """
from flask import Flask, current_app
from sqlalchemy import Column, Integer, create_engine
from sqlalchemy.orm import declarative_base

app = Flask(__name__)
app.config["URL"] = "sqlite:///app.db"
Base = declarative_base()


def get_engine():
    return create_engine(current_app.config["URL"])


class User(Base):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)
"""
    told({"app.py": code})
    project = Project(tmp_path / "site")
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    project.alembic("check")


def test_an_app_in_a_folder_of_its_name(tmp_path, told):
    """It runs from within `app/`: that is put on sys.path."""
    files = {
        "app/app.py": APP.replace("app = Flask", "import config\n\napp = Flask", 1),
        "app/config.py": "",
    }
    told(files)
    Project(tmp_path / "site").alembic("revision", "--autogenerate", "-m", "first")


def test_the_history_of_flask_alembic(tmp_path, told):
    files = {
        "app.py": f'{APP}\napp.config["ALEMBIC_CONTEXT"] = {{"version_table": "mine"}}\n',
        "migrations/a1_first.py": REVISION,
    }
    told(files)
    project = Project(tmp_path / "site")
    project.alembic("upgrade", "head")
    project.alembic("check")
    project.alembic("revision", "-m", "second", "--rev-id", "b2")
    assert (project.path / "migrations/b2_second.py").exists()
    assert "a1 -> b2 (head), second" in project.alembic("history")


def test_options_in_pyproject(tmp_path, told):
    """They count, and so do their hooks: alembic.ini has none of them."""
    toml = """
[tool.alembic]
script_location = "%(here)s/db"
prepend_sys_path = ["."]
file_template = "%%(rev)s"
[[tool.alembic.post_write_hooks]]
name = "show"
type = "exec"
executable = "true"
"""
    files = {"app.py": APP, "pyproject.toml": toml, "db/env.py": "import alembic\n"}
    told({**files, "db/script.py.mako": "", "requirements.txt": "ruff\n"})
    project = Project(tmp_path / "site")
    ini = project.read("alembic.ini")
    assert ini.startswith("[alembic]\npath_separator = os\n\n[loggers]")
    assert "hooks" not in ini
    project.alembic("revision", "--autogenerate", "-m", "first", "--rev-id", "a1")
    assert (project.path / "db/versions/a1.py").exists()
    project.alembic("upgrade", "head")


def test_functions_of_the_old_environment_run(tmp_path, told):
    """Those that leave out tables, with what they need."""
    top = """
import re
SKIP = re.compile(config.get_section("alembic:skip")["tables"])

def include_object(object, name, type_, *args):
    # not ours
    return not SKIP.match(name)
"""
    ini = "[alembic]\n[alembic:skip]\ntables = us.*\n"
    old = env(top=top, keywords="include_object=include_object, **conf_args")
    told({"app.py": APP, "migrations/env.py": old, "migrations/alembic.ini": ini})
    project = Project(tmp_path / "site")
    project.alembic("revision", "--autogenerate", "-m", "first")
    assert project.versions() == []
    rules = ["--isolated", "--no-cache", "--select", "E,F,W,I,B,UP,SIM,C4,PL,RUF"]
    project.run("ruff", "check", *rules, "migrations/env.py")
    project.run(
        "ruff", "format", "--isolated", "--check", "--diff", "migrations/env.py"
    )
    assert "    # not ours\n" in project.read("migrations/env.py")
