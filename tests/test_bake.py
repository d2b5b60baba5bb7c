"""What is written, where, and that nothing else is touched."""

import ast
import json
import re
import shutil
import subprocess
import sys

import pytest
from conftest import APPS, ROOT, SCRIPTS, Project

from local_extensions.answers import TAKEN

ENVIRONMENT = {
    "alembic.ini",
    "migrations/env.py",
    "migrations/env_application.py",
    "migrations/env_autogenerate.py",
    "migrations/env_foreign.py",
    "migrations/env_format.py",
    "migrations/env_not_null.py",
    "migrations/env_renames.py",
    "migrations/env_review.py",
    "migrations/env_change.py",
    "migrations/env_databases.py",
    "migrations/env_enums.py",
    "migrations/env_lock.py",
    "migrations/env_names.py",
    "migrations/env_options.py",
    "migrations/env_progress.py",
    "migrations/env_sqlite.py",
    "migrations/env_types.py",
    "migrations/env_waits.py",
    "migrations/one_head.py",
    "migrations/script.py.mako",
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
    assert "yours is kept as migrations/env.py.before)" in capfd.readouterr().out
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
    replay["cookiecutter"] |= {"__carried": "{}"}
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


@pytest.mark.parametrize("answers", BAKES.values(), ids=BAKES)
def test_generated_python_is_formatted_and_linted(bake, answers):
    project = bake(**answers)
    options = ["--isolated", "--no-cache"]
    project.run("ruff", "format", "--check", "--diff", *options, ".")
    rules = "B,E4,E7,E9,F,I,RUF100,W"
    project.run("ruff", "check", *options, "--extend-select", rules, ".")


@pytest.mark.parametrize("answers", BAKES.values(), ids=BAKES)
def test_no_template_text_is_left(bake, answers):
    project = bake(**answers)
    for name in project.paths() - {"migrations/script.py.mako"}:
        assert not re.search(r"\{\{|\}\}|\{%|%\}|cookiecutter\.", project.read(name))


def test_import_lines_of_a_factory(bake):
    text = bake(app="shop:create_app('dev')", db="shop.models:db").read(
        "migrations/env.py"
    )
    assert (
        "    from shop import create_app\n"
        "\n"
        '    app = current_app if has_app_context() else create_app("dev")\n'
        "\n"
        "    from shop.models import db\n"
        "\n"
        "    metadata = db.metadata\n"
    ) in text


def test_env_py_holds_nothing_but_the_import_lines_of_the_answers(bake):
    """What is outside of the block is the same for all users."""

    def rest(project):
        tree = ast.parse(project.read("migrations/env.py"))
        blocks = [node for node in tree.body if not isinstance(node, ast.With)]
        return [ast.dump(node) for node in blocks]

    assert rest(bake()) == rest(bake(project="other", **BAKES["same names"]))


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
    assert folders == {"{{cookiecutter.directory}}"}


def test_the_templates_own_code_is_clean():
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
