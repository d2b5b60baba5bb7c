"""What is written, where, and that nothing else is touched."""

import ast
import json
import re
import shutil
import subprocess
import sys
from textwrap import dedent

import pytest
from conftest import APPS, ROOT, SCRIPTS, Project

from local_extensions.answers import TAKEN

HELPERS = {
    "__init__.py",
    "application.py",
    "autogenerate.py",
    "change.py",
    "databases.py",
    "locks.py",
    "names.py",
    "not_null.py",
    "operations.py",
    "options.py",
    "questions.py",
    "refusals.py",
    "ruff.toml",
    "sqlite.py",
    "tables.py",
    "types.py",
}
ENVIRONMENT = {
    "alembic.ini",
    "migrations/env.py",
    "migrations/script.py.mako",
    *(f"migrations/flask_alembic_env/{name}" for name in HELPERS),
}
STARTER = {
    ".dockerignore",
    ".env.example",
    ".github/workflows/tests.yaml",
    ".gitignore",
    ".pre-commit-config.yaml",
    "Dockerfile",
    "README.md",
    "app.py",
    "compose.yaml",
    "conftest.py",
    "pyproject.toml",
    "test_app.py",
    "test_migrations.py",
}


def run_cookiecutter(cwd, *arguments):
    command = [shutil.which("cookiecutter", path=str(SCRIPTS)), "--no-input"]
    return subprocess.run(
        [*command, "--default-config", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_new_project(bake):
    assert bake().paths() == ENVIRONMENT | STARTER


def test_existing_application(adopt):
    before = {
        path.relative_to(APPS / "three_files").as_posix(): path.read_bytes()
        for path in (APPS / "three_files").rglob("*.py")
    }
    project = adopt("three_files", app="main:app", db="config:db")
    assert project.paths() == ENVIRONMENT | set(before)
    for name, content in before.items():
        assert (project.path / name).read_bytes() == content


def test_an_empty_folder_gets_the_starter(bake, tmp_path):
    (tmp_path / "new" / ".git").mkdir(parents=True)
    assert bake(project="new", force=True).paths() == ENVIRONMENT | STARTER


def test_another_app_gets_no_starter(bake):
    assert bake(app="shop:create_app()", db="shop:db").paths() == ENVIRONMENT


def test_output_folder_with_files_gets_no_starter(tmp_path):
    """With -o the answers are made before it is known which folder is meant."""
    (tmp_path / "there" / "site").mkdir(parents=True)
    owners = tmp_path / "there" / "site" / "app.py"
    owners.write_text("# the owner's")
    done = run_cookiecutter(
        tmp_path, "-f", "-o", "there", str(ROOT), "project=site", "app=app:app"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert Project(tmp_path / "there" / "site").paths() == ENVIRONMENT | {"app.py"}
    assert owners.read_text() == "# the owner's"


def test_a_folder_that_exists_is_refused_without_f(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.txt").write_text("mine")
    done = run_cookiecutter(tmp_path, str(ROOT), "project=site")
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count("\n") == 1
    assert Project(tmp_path).paths() == {"site/mine.txt"}


def test_what_differs_is_kept(bake, tmp_path, capfd):
    project = bake()
    project.write("migrations/env.py", "first")
    project.write("migrations/versions/1_x.py", "a revision")
    bake(force=True)
    assert "yours is kept as migrations/env.py.before\n" in capfd.readouterr().out
    project.write("migrations/env.py", "second")
    bake(force=True)
    kept = {"migrations/env.py.before", "migrations/env.py.before.2"}
    revisions = {"migrations/versions/1_x.py"}
    assert project.paths() == ENVIRONMENT | STARTER | revisions | kept
    assert project.read("migrations/env.py.before") == "first"
    assert project.read("migrations/env.py.before.2") == "second"
    assert project.read("migrations/versions/1_x.py") == "a revision"


def test_what_was_kept_is_not_kept_twice(bake):
    project = bake()
    for _ in range(2):
        project.write("alembic.ini", "mine")
        bake(force=True)
    assert project.paths() == ENVIRONMENT | STARTER | {"alembic.ini.before"}


def test_baking_again_changes_nothing(bake):
    project = bake()
    before = {name: project.read(name) for name in project.paths()}
    bake(force=True)
    assert {name: project.read(name) for name in project.paths()} == before


def test_skipping_keeps_every_file(bake, tmp_path):
    project = bake()
    project.write("migrations/env.py", "mine")
    (project.path / "alembic.ini").unlink()
    done = run_cookiecutter(tmp_path, "-f", "-s", str(ROOT), "project=flask-app")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.read("migrations/env.py") == "mine"
    assert project.paths() == ENVIRONMENT | STARTER


def test_a_link_is_not_written_through(bake, tmp_path):
    project = bake()
    outside = tmp_path / "outside.ini"
    outside.write_text("outside")
    (project.path / "alembic.ini").unlink()
    (project.path / "alembic.ini").symlink_to(outside)
    done = run_cookiecutter(tmp_path, "-f", str(ROOT), "project=flask-app")
    assert done.returncode != 0
    assert "ERROR: alembic.ini is not a plain file" in done.stderr
    assert outside.read_text() == "outside"


def test_replay_does_not_write_a_starter_over_files(tmp_path, bake):
    """The answers are those of a new project; the folder is not new any more."""
    project = bake()
    project.write("app.py", "mine")
    answers = tmp_path / "answers.json"
    replay = {
        "cookiecutter": {"project": "flask-app", "app": "app:app", "db": "app:db"}
    }
    replay["cookiecutter"] |= {"metadata": "db.metadata", "models": ""}
    replay["cookiecutter"] |= {"directory": "migrations", "database": "sqlite"}
    replay["cookiecutter"] |= {"__checked": "", "__starter": "yes", "__source": ""}
    replay["cookiecutter"] |= {"__carried": "{}", "__db": "", "__formatter": ""}
    private = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    for name in ("_version", "_new_lines", "_jinja2_env_vars", "_extensions"):
        replay["cookiecutter"][name] = private[name]
    answers.write_text(json.dumps(replay))
    command = [shutil.which("cookiecutter", path=str(SCRIPTS)), "-f"]
    done = subprocess.run(
        [*command, "--replay-file", str(answers), str(ROOT)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.read("app.py") == "mine"


@pytest.mark.parametrize(
    ("database", "driver"),
    [("sqlite", None), ("postgresql", "psycopg"), ("mysql", "pymysql")],
)
def test_the_driver_of_the_database(bake, database, driver):
    project = bake(database=database)
    drivers = set(re.findall("psycopg|pymysql", project.read("pyproject.toml")))
    assert drivers == ({driver} if driver else set())


BAKES = {
    "starter": {},
    "factory": {"app": "shop:create_app()", "db": "shop.extensions:db"},
    "everything": {
        "app": "shop.web.application:create_application('a', [1, 'b'], c={'d': None})",
        "db": "shop.data.engines:main_engine",
        "metadata": "shop.data.models:Base.metadata",
        "models": "shop.data.models, shop.data.more_models app.models",
        "directory": "src/shop/migrations",
    },
    "same names": {
        "app": "app:db.app",
        "db": "app:config()",
        "metadata": "metadata:metadata",
        "models": "db",
    },
    "long names": {
        "app": f"{'package.' * 9}module:application",
        "db": f"{'package.' * 9}module:{'database_' * 3}",
    },
}


ISOLATED = ["--isolated", "--no-cache"]


@pytest.mark.parametrize("answers", BAKES.values(), ids=BAKES)
def test_generated_python_is_formatted_and_linted(bake, answers):
    """env.py by the rules of any project, in any of the usual line lengths."""
    project = bake(**answers)
    env = f"{answers.get('directory', 'migrations')}/env.py"
    rules = "E,F,W,I,B,UP,SIM,C4,PL,RUF"
    if answers is BAKES["long names"]:  # of which one alone is too long
        rules = rules.replace("E,", "E4,E7,E9,")
    project.run("ruff", "check", *ISOLATED, "--select", rules, env)
    for columns in ("79", "88", "100", "120"):
        length = ["--line-length", columns]
        project.run("ruff", "format", "--check", "--diff", *ISOLATED, *length, env)
        project.run("black", "--check", "--diff", *length, env)
    others = [name for name in STARTER & project.paths() if name.endswith(".py")]
    if others:
        rules = "B,E4,E7,E9,F,I,RUF100,W"
        project.run("ruff", "format", "--check", "--diff", *ISOLATED, *others)
        project.run("ruff", "check", *ISOLATED, "--extend-select", rules, *others)


def test_helpers_are_formatted_and_linted_whatever_the_project_has(bake):
    """Their own ruff.toml counts, in a project with other settings, too."""
    project = bake(app="shop:app", db="shop:db")
    settings = """
        [tool.ruff]
        line-length = 79
        [tool.ruff.format]
        quote-style = "single"
        [tool.ruff.lint]
        select = ["ALL"]
    """
    project.write("pyproject.toml", dedent(settings))
    helpers = "migrations/flask_alembic_env"
    project.run("ruff", "check", "--no-cache", helpers)
    project.run("ruff", "format", "--check", "--diff", "--no-cache", helpers)
    project.run("black", "--check", "--diff", "--line-length", "88", helpers)
    bandit = ["bandit", "--quiet", "--recursive", "migrations"]
    project.run(*bandit, PYTHONWARNINGS="ignore")  # those of its own


TYPED_APP = """
from flask import Flask

from .extensions import db


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///app.db"
    db.init_app(app)
    return app
"""
TYPED_MODELS = """
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.mark.parametrize(
    ("source", "directory"),
    [
        ("", "migrations"),
        pytest.param(
            *("src/", "src/shop/migrations"),
            marks=pytest.mark.xfail(reason="mypy does not find the helpers there"),
        ),
    ],
)
def test_types_are_checked_strictly(bake, source, directory):
    """`mypy --strict .` reports nothing that it did not report before, nor in revisions."""
    project = bake(
        app="shop:create_app()", db="shop.extensions:db", directory=directory
    )
    project.write(f"{source}shop/__init__.py", TYPED_APP)
    project.write(f"{source}shop/extensions.py", TYPED_MODELS)
    if source:
        project.write("mypy.ini", "[mypy]\nmypy_path = src\n")
        bake(  # again, as there is a package in src now
            force=True,
            app="shop:create_app()",
            db="shop.extensions:db",
            directory=directory,
        )
    project.alembic("revision", "-m", "first")
    assert "Success" in project.run("mypy", "--strict", ".")


@pytest.mark.parametrize("answers", BAKES.values(), ids=BAKES)
def test_no_template_text_is_left(bake, answers):
    project = bake(**answers)
    for name in project.paths() - {"migrations/script.py.mako"}:
        assert not re.search(r"\{\{|\}\}|\{%|%\}|cookiecutter\.", project.read(name))


def test_import_lines_of_a_factory(bake):
    project = bake(app="shop:create_app('dev')", db="shop.models:db")
    assert (
        "if has_app_context():  # migrate the application that is running\n"
        '    app, db = current_app, current_app.extensions["sqlalchemy"]\n'
        "else:  # load .env files, and import it\n"
        "    with helpers.importing_app(Path(__file__).parents[1], factory=True):\n"
        "        from shop import create_app\n"
        "\n"
        '        app = create_app("dev")\n'
        "\n"
        "        from shop.models import db\n"
        "\n"
        "target_metadata = db.metadata\n"
    ) in project.read("migrations/env.py")


def test_import_lines_of_an_engine(bake):
    """No running application can give it: it is imported in any case."""
    project = bake(
        app="shop:app",
        db="shop.database:engine",
        metadata="shop.database:Base.metadata",
        models="shop.models",
    )
    assert (
        "if has_app_context():  # migrate the application that is running\n"
        "    app = current_app\n"
        "else:  # load .env files, and import it\n"
        "    with helpers.importing_app(Path(__file__).parents[1]):\n"
        "        from shop import app\n"
        "\n"
        "        # isort: split\n"
        "        import shop.models  # noqa: F401\n"
        "\n"
        "with helpers.importing_app(Path(__file__).parents[1]):\n"
        "    from shop.database import Base\n"
        "    from shop.database import engine as db\n"
        "\n"
        "target_metadata = Base.metadata\n"
    ) in project.read("migrations/env.py")


def test_env_py_holds_nothing_but_the_import_lines_of_the_answers(bake):
    """What is around them is the same for all users."""

    def rest(project):
        text = project.read("migrations/env.py")
        before, _, after = text.partition("\nif has_app_context()")
        return before, after.partition("\n# Any argument of")[2]

    assert rest(bake()) == rest(bake(project="other", **BAKES["same names"]))
    assert all(rest(bake(force=True)))


def test_imported_names_do_not_hide_those_of_env_py(bake):
    """Whatever env.py binds at its top is renamed where the app has the same name."""
    tree = ast.parse(bake().read("migrations/env.py"))
    stored = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert stored | imported | functions <= TAKEN


def test_names_are_legal_on_windows():
    template = ROOT / "{{cookiecutter.project}}"
    names = [path.relative_to(ROOT).as_posix() for path in template.rglob("*")]
    assert names
    for name in names:
        assert not re.search(r'[<>:"|?*\\]', name), name
        assert not any(part.endswith((" ", ".")) for part in name.split("/")), name


def test_folders_have_no_condition_in_their_name():
    """With -f an empty folder name is the root of the file system."""
    template = ROOT / "{{cookiecutter.project}}"
    folders = {path.name for path in template.rglob("*") if path.is_dir()}
    folders -= {"__pycache__", ".ruff_cache"}
    assert folders == {"{{cookiecutter.directory}}", "flask_alembic_env"}


def test_the_templates_own_code_is_clean():
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


OLD_PINS = {
    "requirements.txt": (
        {"requirements.txt": "flask==3.0.1\nalembic==1.13.1  # for a reason\n"},
        "requirements.txt pins alembic==1.13.1; flask-alembic-env needs Alembic 1.18 or"
        " newer (not 1.19.0 and 1.19.1).",
    ),
    "broken": (
        {"requirements/base.txt": "Alembic==1.19.1\n"},
        "requirements/base.txt pins Alembic==1.19.1; flask-alembic-env needs Alembic"
        " 1.18 or newer (not 1.19.0 and 1.19.1).",
    ),
    "hashes": (
        {"requirements.txt": "sqlalchemy==1.4.54 --hash=sha256:00\n"},
        "requirements.txt pins sqlalchemy==1.4.54; flask-alembic-env needs SQLAlchemy"
        " 2.0 or newer.",
    ),
    "pyproject.toml": (
        {"pyproject.toml": '[project]\ndependencies = ["SQLAlchemy[asyncio] <2"]\n'},
        "pyproject.toml pins SQLAlchemy<2; flask-alembic-env needs SQLAlchemy 2.0 or"
        " newer.",
    ),
    "Poetry": (
        {"pyproject.toml": '[tool.poetry.dependencies]\nFlask-SQLAlchemy = "^2.5"\n'},
        "pyproject.toml pins Flask-SQLAlchemy^2.5; flask-alembic-env needs"
        " Flask-SQLAlchemy 3.1 or newer.",
    ),
    "Pipfile.lock": (
        {"Pipfile.lock": '{"default": {"flask": {"version": "==2.3.3"}}}'},
        "Pipfile.lock pins flask==2.3.3; flask-alembic-env needs Flask 3.0 or newer.",
    ),
    "poetry.lock": (
        {"poetry.lock": '[[package]]\nname = "alembic"\nversion = "1.17.2"\n'},
        "poetry.lock pins alembic==1.17.2; flask-alembic-env needs Alembic 1.18 or newer"
        " (not 1.19.0 and 1.19.1).",
    ),
    "Python": (
        {"pyproject.toml": '[project]\nrequires-python = "~=3.9.0"\n'},
        "pyproject.toml pins python~=3.9.0; flask-alembic-env needs Python 3.10 or"
        " newer.",
    ),
}


@pytest.mark.parametrize(("files", "message"), OLD_PINS.values(), ids=OLD_PINS)
def test_old_pins_are_refused(tmp_path, files, message):
    """In one line, and nothing is written."""
    project = Project(tmp_path / "site")
    for name, text in {**files, "app.py": "# the owner's"}.items():
        project.write(name, text)
    arguments = ["-f", str(ROOT), "project=.", "app=app:app", "db=app:db"]
    done = run_cookiecutter(project.path, *arguments)
    assert done.returncode != 0
    output = (done.stdout + done.stderr).strip()
    assert output == f"ERROR: {message} Nothing was written."
    assert project.paths() == {*files, "app.py"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "alembic\nsqlalchemy>=1.4\nflask>=2,<4\n"),
        ("requirements.txt", "sqlalchemy==2.0.40\nalembic>=1.13,!=1.19.0\n"),
        ("requirements.txt", "-r other.txt\n# alembic==1.0\nflask-migrate==2.0\n"),
        ("requirements.txt", "sqlalchemy<2; python_version<'3'\nsqlalchemy>=2\n"),
        ("pyproject.toml", '[tool.poetry.dependencies]\nalembic = "^1.13"\n'),
        ("pyproject.toml", "not TOML ="),
        ("Pipfile.lock", "[]"),
        ("poetry.lock", '[[package]]\nname = "alembic"\nversion = "1.20.0"\n'),
    ],
)
def test_other_pins_are_not_refused(tmp_path, name, text):
    project = Project(tmp_path / "site")
    project.write(name, text)
    arguments = ["-f", str(ROOT), "project=.", "app=app:app", "db=app:db"]
    done = run_cookiecutter(project.path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


HOOKS = {
    "nothing": ("flask\n", None),
    "ruff": ("ruff\nblack\n", "ruff_fix, ruff_format"),
    "black": ("black==26.1\n", "black"),
    "one line": ("black\nalembic-linear-migrations\n", "black, alembic_linear"),
}


@pytest.mark.parametrize(("requirements", "hooks"), HOOKS.values(), ids=HOOKS)
def test_hooks_of_new_revisions(bake, tmp_path, requirements, hooks):
    """Those of programs that the project depends on; others would fail."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "requirements-dev.txt").write_text(requirements)
    answers = {"app": "app:app", "db": "app:db"}
    project = bake(project="site", force=True, **answers)
    text = project.read("alembic.ini")
    assert re.findall("^hooks = (.+)", text, re.MULTILINE) == ([hooks] if hooks else [])
    bake(project="site", force=True, **answers)
    assert project.read("alembic.ini") == text
    if hooks:
        project.edit("alembic.ini", f"hooks = {hooks}", "hooks =")
        bake(project="site", force=True, **answers)
        assert "\nhooks =\n" in project.read("alembic.ini")
