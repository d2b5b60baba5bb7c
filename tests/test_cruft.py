"""cruft brings a later version of the template, and leaves alone what is the user's."""

import json
import os
import re
import shutil

import pytest
from conftest import ROOT, Project, first_revision, tables
from documentation import not_run
from test_bake import ENVIRONMENT, STARTER

OLD_ENV = """
from alembic import context
from flask import current_app

config = context.config
target_metadata = current_app.extensions["migrate"].db.metadata
with current_app.extensions["migrate"].db.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        version_table="shop_versions",
    )
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = first_revision("company", "cid")


class Repository(Project):
    """A Git repository, in which cruft is run as its owner would."""

    def __init__(self, path):
        path.mkdir(exist_ok=True)
        super().__init__(path)
        settings = {
            "HOME": str(path.parent),  # which has no settings of cruft or Git
            "USERPROFILE": str(path.parent),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "COLUMNS": "500",
        }
        for role in ("AUTHOR", "COMMITTER"):
            settings |= {f"GIT_{role}_NAME": "a", f"GIT_{role}_EMAIL": "a@localhost"}
        self.environment.update(settings)
        del self.environment["PYTHONWARNINGS"]  # those of cruft are not ours
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as its owner has it

    def cruft(self, *arguments, **options):
        return self.run("cruft", *arguments, **options)

    def changed(self):
        """What Git sees as changed since the last commit, by the letters that it uses."""
        lines = self.git("status", "--porcelain", "--untracked=all").splitlines()
        return {(line[3:], line[:2].strip()) for line in lines}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The template in a repository, as version v1, and v2 that changes all it can."""
    template = Repository(tmp_path_factory.mktemp("versions") / "template")
    for name in ("cookiecutter.json", "hooks", "local_extensions"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, template.path / name)
    project = "{{cookiecutter.project}}"
    caches = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / project, template.path / project, ignore=caches)
    template.write(".gitignore", "__pycache__/\n")
    helpers = f"{project}/{{{{cookiecutter.directory}}}}/flask_alembic_env"
    template.write(f"{helpers}/first.py", '"""Of v1 alone."""\n')
    filters = "        environment.filters.update(\n"
    first = "            times=lambda text: text * 1,\n"
    template.edit("local_extensions/__init__.py", filters, filters + first)
    template.commit()
    template.git("tag", "v1")

    version = json.loads(template.read("cookiecutter.json"))["_version"]
    template.edit("cookiecutter.json", f'"_version": "{version}"', '"_version": "9.0"')
    template.edit(
        "cookiecutter.json", '  "__checked"', '  "taste": "ham",\n  "__checked"'
    )
    template.edit("local_extensions/__init__.py", "text * 1", "text * 2")
    (template.path / helpers / "first.py").unlink()
    text = '"""{{ cookiecutter.taste | times }}"""\n'
    template.write(f"{helpers}/second.py", text)
    options = f"{helpers}/options.py"
    template.write(options, template.read(options) + "\n# Of v2.\n")
    app = "{% if cookiecutter.__starter %}app.py{% endif %}"
    template.write(f"{project}/{app}", "# Of v2.\n" + template.read(f"{project}/{app}"))
    template.write(f"{project}/{app.replace('app.py', 'more.py')}", "# Of v2.\n")
    template.commit()
    return template


PAGE = "staying-up-to-date.md#With cruft"
ADDRESS = "https://github.com/org/flask-alembic-env"
V2 = {
    (".cruft.json", "M"),
    ("migrations/env.py", "M"),
    ("migrations/flask_alembic_env/first.py", "D"),
    ("migrations/flask_alembic_env/options.py", "M"),
    ("migrations/flask_alembic_env/second.py", "A"),
}


def test_changes_name_the_version():
    """What env.py says is found in CHANGES.md, with what to change by hand."""
    _, *versions = (ROOT / "CHANGES.md").read_text(encoding="utf-8").split("\n## ")
    answers = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    assert versions[0].split()[0] == answers["_version"]
    assert all("\n### In your files\n" in version for version in versions)


def create(cwd, template, *options, fails=False, **answers):
    """Let cruft write v1 of the template, and return what it says."""
    answers = [f"--extra-context={json.dumps(answers)}"] if answers else []
    command = ["create", "--no-input", "--checkout=v1", *options, *answers]
    return Repository(cwd).cruft(*command, str(template.path), fails=fails)


def test_new_project(template, tmp_path):
    create(tmp_path, template, project="shop")
    project = Repository(tmp_path / "shop")
    first = {"migrations/flask_alembic_env/first.py", ".cruft.json"}
    assert project.paths() == ENVIRONMENT | STARTER | first
    project.commit()
    project.write("shop/__init__.py", "")  # a folder of the same name as the project's
    ours = '    # "compare_server_default": True,'
    mine = '    "version_table": "shop_versions",'
    project.edit("migrations/env.py", ours, mine)
    project.edit("app.py", "def health", "def healthy")
    project.commit()

    assert "out of date" in project.cruft("check", fails=True)
    output = project.cruft("update", "--skip-apply-ask")
    assert "Written to" not in output
    assert project.changed() == V2 | {("app.py", "M"), ("more.py", "A")}
    env, app = project.read("migrations/env.py"), project.read("app.py")
    assert "Written by flask-alembic-env 9.0." in env
    assert mine in env and ours not in env
    assert app.startswith("# Of v2.") and "def healthy" in app
    assert project.read("migrations/flask_alembic_env/second.py") == '"""hamham"""\n'
    assert "+# Of v2." in project.git("diff", "HEAD")
    assert "up to date" in project.cruft("check")
    others = [f"cruft create -f {ADDRESS}", f"cruft link {ADDRESS}"]
    assert not_run(PAGE) == others


def test_existing_application(template, tmp_path):
    """What was taken over from Flask-Migrate's environment is there in later versions."""
    project = Repository(tmp_path / "shop")
    shutil.copy2(ROOT / "tests/apps/single_file/app.py", project.path)
    project.edit("app.py", "class Employee(db.Model)", "class Employee")
    project.edit("app.py", "    cname =", "class Other:\n    cname =")
    project.write(".gitignore", "__pycache__/\ninstance/\n")
    project.write("migrations/env.py", OLD_ENV)
    hooks = "[post_write_hooks]\nhooks = x\nx.type = exec\nx.executable = true\n"
    project.write("migrations/alembic.ini", f"[alembic]\n\n{hooks}")
    project.write("migrations/versions/a1.py", REVISION)
    project.commit()
    create(project.path, template, "-f", project=".")
    assert f"cruft create -f {ADDRESS}" not in not_run(PAGE)
    assert not STARTER & project.paths() - {".gitignore", "app.py"}
    assert project.read("migrations/env.py.before") == OLD_ENV
    (project.path / "migrations/env.py.before").unlink()
    answers = json.loads(project.read(".cruft.json"))["context"]["cookiecutter"]
    assert answers.pop("_template") == str(template.path)
    assert tmp_path.parent.name not in str(answers)  # no path of this machine
    project.commit()
    project.edit("migrations/env.py", '"compare_type": True', '"compare_type": False')
    project.edit("alembic.ini", "level = INFO", "level = ERROR")
    project.commit()

    project.cruft("update", "--skip-apply-ask")
    assert project.changed() == V2
    assert '"compare_type": False,' in project.read("migrations/env.py")
    assert hooks in project.read("alembic.ini")
    assert "level = ERROR" in project.read("alembic.ini")
    project.alembic("upgrade", "head")
    assert tables(project.path / "instance/data.db") == {"company", "shop_versions"}
    assert "No new upgrade operations detected." in project.alembic("check")


def test_conflict(template, tmp_path):
    """Where both changed a line, both stand there. (Adopted from the folder above.)"""
    project = Repository(tmp_path / "shop")
    shutil.copy2(ROOT / "tests/apps/single_file/app.py", project.path)
    project.commit()
    create(tmp_path, template, "--overwrite-if-exists", project="shop")
    project.commit()
    ours = re.search("Written by .*", project.read("migrations/env.py"))[0]
    project.edit("migrations/env.py", ours, "Bent by me.")
    project.commit()

    assert "with conflicts" in project.cruft("update", "--skip-apply-ask")
    assert project.changed() == V2 - {("migrations/env.py", "M")} | {
        ("migrations/env.py", "UU")
    }
    env = project.read("migrations/env.py")
    theirs = ours.replace(ours.split()[3], "9.0.", 1)
    assert f"\nBent by me.\n=======\n{theirs}\n" in env


def test_link(template, adopt):
    """An environment of Cookiecutter's; a setting and a missing file stay as they are."""
    app = "shop:create_app('x')"
    path = adopt("factory", app=app).path
    project = Repository(path)
    project.edit("migrations/env.py", '"compare_type": True', '"compare_type": False')
    (project.path / "migrations/flask_alembic_env/options.py").unlink()
    project.commit()
    given = f"--extra-context={json.dumps({'app': app})}"
    project.cruft("link", "--no-input", "--checkout=v1", given, str(template.path))
    assert f"cruft link {ADDRESS}" not in not_run(PAGE)
    assert project.changed() == {(".cruft.json", "??")}
    project.commit()

    project.cruft("update", "--skip-apply-ask")
    there = {
        ".cruft.json",
        "migrations/env.py",
        "migrations/flask_alembic_env/second.py",
    }
    assert {name for name, _ in project.changed()} == there
    assert '"compare_type": False,' in project.read("migrations/env.py")


def test_without_cruft(adopt):
    """To bake again keeps a setting, and what else was changed beside the new file."""
    app = 'shop:create_app("x")'
    project = Repository(adopt("factory", app=app).path)
    project.edit("migrations/env.py", '"compare_type": True', '"compare_type": False')
    locks = "migrations/flask_alembic_env/locks.py"
    project.edit(locks, "\nlog = ", "\n# Mine.\nlog = ")
    project.commit()
    answers = ["--no-input", "--default-config", str(ROOT), "project=.", f"app={app}"]
    project.run("cookiecutter", "-f", *answers)
    diff = project.git("diff")
    assert "+    compare_type=False,\n" in diff and "-# Mine." in diff
    assert (f"{locks}.before", "??") in project.changed()
    assert "# Mine." in project.read(f"{locks}.before")
    assert not_run("staying-up-to-date.md#Without cruft") == []
    env = project.read("migrations/env.py")
    project.run("cookiecutter", "-f", *answers)
    assert project.read("migrations/env.py") == env


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"site/app.py": "mine"}, "ERROR: the folder has files."),
        ({"site/.cruft.json": "{}"}, "ERROR: .cruft.json exists."),
    ],
)
def test_files_are_not_written_over(template, tmp_path, files, message):
    """cruft does not tell the template which folder `--output-dir` is."""
    there = Repository(tmp_path / "there")
    for name, text in files.items():
        there.write(name, text)
    options = ["--output-dir=there", "--overwrite-if-exists"]
    output = create(tmp_path, template, *options, project="site", fails=True)
    assert message in output
    assert {name: there.read(name) for name in there.paths()} == files
