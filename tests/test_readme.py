"""What the README and docs/ say is what happens. Most of their pages are run elsewhere."""

import re
import shlex
import shutil
from pathlib import Path
from urllib.parse import unquote

from conftest import APPS, ROOT, Project
from documentation import commands, not_run, sections
from test_bake import ENVIRONMENT, STARTER

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_run_by_some_test():
    """In a block or a table: a test asks `not_run` about each section that has some."""
    files = Path(__file__).parent.glob("test_*.py")
    tests = "".join(file.read_text(encoding="utf-8") for file in files)
    with_commands = [name for name, text in sections().items() if commands(text)]
    assert len(with_commands) >= 10
    assert [name for name in with_commands if f'"{name}"' not in tests] == []


def test_what_is_typed_first(tmp_path):
    new = Project(tmp_path)
    answers = ["--no-input", "--default-config", str(ROOT)]
    new.run("cookiecutter", *answers)
    assert Project(tmp_path / "flask-app").paths() == ENVIRONMENT | STARTER

    project = Project(shutil.copytree(APPS / "factory", tmp_path / "app"))
    project.edit("shop/__init__.py", "(config_name,", '(config_name="x",')
    names = ["project=.", "app=shop:create_app()", "db=shop.extensions:db"]
    project.run("cookiecutter", "-f", *answers, *names)
    assert project.paths() > ENVIRONMENT
    assert not STARTER & project.paths()
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    assert not_run("README.md#flask-alembic-env") == []
    assert not_run("README.md#Add it to an application") == []


def test_tests_of_ci_are_those_of_the_readme():
    command = re.search("^.*nox -s tests$", README, re.MULTILINE)[0]
    assert command in (ROOT / ".ci" / "run").read_text()


def test_options():
    """All options that the generated files ask for are in one table."""
    files = (ROOT / "{{cookiecutter.project}}").glob("*/flask_alembic_env/*.py")
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    readers = r'\b(?:is_on|pairs_of|seconds_of|value_of|values_of)\("([\w-]+)"'
    asked = re.findall(readers, code)
    names = re.search(r"^NAMES = \((.+?)\)", code, re.MULTILINE | re.DOTALL)[1]
    assert {*re.findall('"(.+)"', names)} == {*asked}
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\| `-x ([\w-]+)", page, re.MULTILINE)} == {*asked}
    settings = re.findall(r'get_main_option\("(\w+)"', code)
    assert {*settings} == {*re.findall(r"^\| `(\w+) = ", page, re.MULTILINE)}


def test_links():
    """Each page and each heading that is linked to is there."""
    names = {name.replace(" ", "-").lower() for name in sections()}
    anchors = {re.sub(r"[^\w#.-]", "", name) for name in names}
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            page, _, heading = unquote(link).partition("#")
            target = (path.parent / page).resolve() if page else path
            assert target.exists(), (path.name, link)
            assert not heading or f"{target.name}#{heading}".lower() in anchors, link


def test_coming_from_flask_migrate(adopt):
    """Each line of the table is run, in its order, in an application of a tutorial."""
    table = README.partition("## Coming from Flask-Migrate")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| (.+) \|$", table, re.MULTILINE)
    title, bake, *commands = [ours.strip("`") for _, ours in rows]
    assert (title, bake) == ("here", "cookiecutter -f gh:org/flask-alembic-env")
    assert len(commands) > 15

    project = adopt("three_files", app="main:app", db="config:db")
    outputs = {}
    for command in commands:
        if command == "*edit the model*":
            project.edit(
                "models.py", "# new columns", "slug = db.Column(db.String(50))"
            )
            continue
        if "merge" in command:
            first = re.search('revision = "(.+)"', project.versions()[0].read_text())
            project.alembic("revision", "-m", "b", "--head", first[1], "--splice")
        name, *arguments = shlex.split(command)
        assert name == "alembic"
        outputs[command] = project.alembic(*arguments, EDITOR="true")

    assert not_run("README.md#Coming from Flask-Migrate") == [bake]
    assert "No new upgrade operations detected." in outputs["alembic check"]
    assert "add slug" in outputs["alembic show head"]
    assert "(head)" in outputs["alembic current"]
    assert "CREATE TABLE post" in outputs["alembic upgrade head --sql"]
    text = "\n".join(path.read_text() for path in project.versions())
    assert "slug" in text and "by hand" in text and "join" in text
