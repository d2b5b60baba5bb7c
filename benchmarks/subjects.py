"""For run.py: one application and its history, under four ways to migrate it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sys.executable).parent
NEW_COLUMN = "written_for_autogenerate"

APP = """\
import os

from flask import Flask
from models import db

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["BENCHMARK_URL"]
db.init_app(app)
"""
MODELS = """\
import os

from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
"""
MODEL = """

class Table{n}(db.Model):
    __tablename__ = "table_{n}"
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False, index=True)
    price = db.Column(db.Numeric(10, 2))
    sold = db.Column(db.DateTime)
    amount = db.Column(db.Integer)
"""
MODELS_END = f"""

if "BENCHMARK_NEW_COLUMN" in os.environ:
    Table0.{NEW_COLUMN} = db.Column(db.Integer)
"""
# The same tables, for an environment that never imports Flask
TABLES = """\
import os

import sqlalchemy as sa

metadata = sa.MetaData()
"""
TABLE = """
sa.Table(
    "table_{n}",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, index=True),
    sa.Column("price", sa.Numeric(10, 2)),
    sa.Column("sold", sa.DateTime),
    sa.Column("amount", sa.Integer),
)
"""
TABLES_END = f"""
if "BENCHMARK_NEW_COLUMN" in os.environ:
    column = sa.Column("{NEW_COLUMN}", sa.Integer)
    metadata.tables["table_0"].append_column(column)
"""
REVISION = '''\
"""step {number}"""

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''
# What is done for one table, in five steps, and undone
STEPS = [
    (
        'op.create_table("table_{n}", sa.Column("id", sa.Integer, primary_key=True),'
        ' sa.Column("name", sa.String(80), nullable=False))',
        'op.drop_table("table_{n}")',
    ),
    (
        'op.add_column("table_{n}", sa.Column("price", sa.Numeric(10, 2)))',
        'op.drop_column("table_{n}", "price")',
    ),
    (
        'op.add_column("table_{n}", sa.Column("sold", sa.DateTime))',
        'op.drop_column("table_{n}", "sold")',
    ),
    (
        'op.create_index("ix_table_{n}_name", "table_{n}", ["name"])',
        'op.drop_index("ix_table_{n}_name", "table_{n}")',
    ),
    (
        'op.add_column("table_{n}", sa.Column("amount", sa.Integer))',
        'op.drop_column("table_{n}", "amount")',
    ),
]


def revision_id(number):
    return f"rev{number:05}"


def write_history(folder, tables, revisions):
    """Write so many revisions, which together make so many tables."""
    steps = [
        (upgrade.format(n=n), downgrade.format(n=n))
        for n in range(tables)
        for upgrade, downgrade in STEPS
    ]
    if len(steps) % revisions:
        raise ValueError(f"{len(steps)} steps are no whole number for each revision")
    each = len(steps) // revisions
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, revisions + 1):
        part = steps[(number - 1) * each : number * each]
        text = REVISION.format(
            number=number,
            revision=revision_id(number),
            down=revision_id(number - 1) if number > 1 else None,
            upgrade="\n    ".join(upgrade for upgrade, _ in part),
            downgrade="\n    ".join(downgrade for _, downgrade in reversed(part)),
        )
        (folder / f"{revision_id(number)}.py").write_text(text)


def run(folder, *command, **environment):
    """Run a command to its end.

    :returns: its output, the errors last.
    :raises RuntimeError: if it fails.
    """
    own = ("FLASK_", "SQLALCHEMY_", "ALEMBIC_", "BENCHMARK_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    kept = {name: kept[name] for name in kept if not name.startswith(own)}
    done = subprocess.run(
        [shutil.which(command[0], path=str(SCRIPTS)) or command[0], *command[1:]],
        cwd=folder,
        env={**kept, "PYTHONUTF8": "1", "FLASK_APP": "app", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )
    output = done.stdout + done.stderr
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {output[-2000:]}")
    return output


class Subject:
    """An application in a folder of its own, with its Alembic environment."""

    name = ""
    commands = {
        "history": "alembic history",
        "heads": "alembic heads",
        "current": "alembic current",
        "nothing to do": "alembic upgrade head",
        "upgrade": "alembic upgrade head",
        "downgrade": "alembic downgrade base",
        "check": "alembic check",
        "autogenerate": "alembic revision --autogenerate -m new",
    }
    app = APP

    def __init__(self, parent, url, tables, revisions):
        self.folder = parent / f"{self.slug()}-{tables}-{revisions}"
        self.versions = self.folder / "migrations" / "versions"
        self.url = url.render_as_string(hide_password=False)
        self.folder.mkdir(parents=True)
        self.write("app.py", self.app)
        self.write_tables("models.py", tables, MODELS, MODEL, MODELS_END)
        self.prepare(tables)
        write_history(self.versions, tables, revisions)
        self.run("heads")  # so that all files are compiled, too
        self.run("current")

    @classmethod
    def slug(cls):
        return re.sub(r"\W+", "-", cls.name.lower())

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def write_tables(self, name, tables, begin, each, end):
        parts = [each.format(n=n) for n in range(tables)]
        self.write(name, "".join([begin, *parts, end]))

    def prepare(self, tables):
        """Write the Alembic environment."""
        raise NotImplementedError

    def run(self, step):
        new = {"BENCHMARK_NEW_COLUMN": "1"} if step == "autogenerate" else {}
        words = self.commands[step].split()
        return run(self.folder, *words, BENCHMARK_URL=self.url, **new)


# What Flask-Migrate and Flask-Alembic call alike
FLASK_DB = {
    "heads": "flask db heads",
    "current": "flask db current",
    "nothing to do": "flask db upgrade",
    "upgrade": "flask db upgrade",
    "downgrade": "flask db downgrade base",
    "check": "flask db check",
}


class FlaskMigrate(Subject):
    name = "Flask-Migrate"
    commands = {
        **FLASK_DB,
        "history": "flask db history",
        "autogenerate": "flask db migrate -m new",
    }
    app = APP + "\nfrom flask_migrate import Migrate\n\nMigrate(app, db)\n"

    def prepare(self, tables):
        run(self.folder, "flask", "db", "init", BENCHMARK_URL=self.url)


class FlaskAlembic(Subject):
    name = "Flask-Alembic"
    commands = {
        **FLASK_DB,
        "history": "flask db log",
        # Without a branch's label, as the others write it
        "autogenerate": "flask db revision --branch= --path=migrations/versions new",
    }
    app = APP + (
        '\napp.config["ALEMBIC"] = {"version_locations": ["migrations/versions"]}\n'
        "\nfrom flask_alembic import Alembic\n\nAlembic(app)\n"
    )

    def prepare(self, tables):
        """Importing the app does it."""


class Bare(Subject):
    """What Alembic itself writes, with nothing but tables: no Flask at all."""

    name = "bare Alembic"

    def prepare(self, tables):
        self.write_tables("tables.py", tables, TABLES, TABLE, TABLES_END)
        run(self.folder, "alembic", "init", "migrations")
        file = self.folder / "migrations" / "env.py"
        text = file.read_text()
        old = "target_metadata = None\n"
        assert old in text
        new = (
            "import os\n\nfrom tables import metadata as target_metadata\n\n"
            'url = os.environ["BENCHMARK_URL"].replace("%", "%%")\n'
            'config.set_main_option("sqlalchemy.url", url)\n'
        )
        file.write_text(text.replace(old, new))


class Ours(Subject):
    name = "flask-alembic-env"

    def prepare(self, tables):
        bake(self.folder, ROOT, "project=.", "app=app:app", "db=models:db")


SUBJECTS = (FlaskMigrate, FlaskAlembic, Bare, Ours)


def bake(folder, template, *arguments):
    """Run `cookiecutter`, with no settings of the user's."""
    options = ["--no-input", "--default-config", "--overwrite-if-exists"]
    return run(folder, "cookiecutter", *options, str(template), *arguments)


def write_smallest_template(folder):
    """The least that has what a template like ours needs: an answer, a file, two hooks."""
    (folder / "hooks").mkdir(parents=True)
    (folder / "{{cookiecutter.project}}").mkdir()
    (folder / "cookiecutter.json").write_text('{"project": "flask-app"}')
    (folder / "{{cookiecutter.project}}" / "alembic.ini").write_text("[alembic]\n")
    for hook in ("pre_gen_project.py", "post_gen_project.py"):
        (folder / "hooks" / hook).write_text('"""Does nothing."""\n')
