"""What the README says is what happens."""

import re
import shlex

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


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

    assert "No new upgrade operations detected." in outputs["alembic check"]
    assert "add slug" in outputs["alembic show head"]
    assert "(head)" in outputs["alembic current"]
    assert "CREATE TABLE post" in outputs["alembic upgrade head --sql"]
    text = "\n".join(path.read_text() for path in project.versions())
    assert "slug" in text and "by hand" in text and "join" in text
