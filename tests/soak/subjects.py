"""For soak.py: an app, its revisions, and the environments that migrate it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

APP = '''\
"""The app that is migrated. The database is given by the environment."""

import os
import sqlite3
import time
from pathlib import Path

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, event

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("SOAK_URL", "sqlite://")


@event.listens_for(Engine, "connect")
def enforce_foreign_keys(connection, record):
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA foreign_keys=ON")


db = SQLAlchemy(app)


class Parent(db.Model):
    id = db.Column(db.Integer, primary_key=True)


class Child(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    parent_id = db.Column(db.ForeignKey("parent.id", ondelete="CASCADE"))


if "SOAK_GATE" in os.environ:  # all processes go on at one moment
    gate = Path(os.environ["SOAK_GATE"])
    (gate / str(os.getpid())).touch()
    end = time.monotonic() + 60
    while not (gate / "go").exists() and time.monotonic() < end:
        time.sleep(0.005)
'''

REVISION = '''\
"""{message}"""

import os
import time

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}


def half_way():
    time.sleep(float(os.environ.get("SOAK_PAUSE", "0")))
    if os.environ.get("SOAK_RAISE") == revision:
        raise RuntimeError("half way")


def record():
    """Insert one row each time that this revision runs."""
    op.execute("INSERT INTO ledger (step) VALUES ({number})")
    time.sleep(float(os.environ.get("SOAK_PAUSE", "0")))


def upgrade():
    {body}


def downgrade():
    pass
'''

# On MariaDB, where DDL commits, most begin with what can't be done twice.
STEPS = {
    "create the tables": """
        key = lambda: sa.Column("id", sa.Integer, primary_key=True)
        parent = lambda delete: sa.Column(
            "parent_id", sa.Integer, sa.ForeignKey("parent.id", ondelete=delete)
        )
        op.create_table("parent", key(), sa.Column("name", sa.String(50)))
        child = op.create_table("child", key(), parent("CASCADE"))
        half_way()
        link = op.create_table("link", key(), parent("SET NULL"))
        op.create_table("ledger", key(), sa.Column("step", sa.Integer))
        op.execute("INSERT INTO parent VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cy')")
        rows = [{"id": n, "parent_id": n % 3 + 1} for n in range(1, 7)]
        op.bulk_insert(child, rows)
        op.bulk_insert(link, rows)
        record()""",
    "add a column": """
        op.add_column("parent", sa.Column("email", sa.String(50)))
        half_way()
        record()""",
    "create an index": """
        op.create_index("parent_name", "parent", ["name"])
        half_way()
        record()""",
    "alter the parent": """
        with op.batch_alter_table("parent") as batch:
            batch.alter_column(
                "name", type_=sa.String(200), existing_type=sa.String(50)
            )
        half_way()
        op.create_index("parent_email", "parent", ["email"])
        record()""",
    "write data, then create a table": """
        record()
        half_way()
        op.create_table("tag", sa.Column("id", sa.Integer, primary_key=True))""",
    "create a table with an index": """
        op.create_table("note", sa.Column("text", sa.String(50)))
        half_way()
        op.create_index("note_text", "note", ["text"])
        record()""",
    "write data only": """
        record()
        half_way()""",
    "alter the parent again": """
        with op.batch_alter_table("parent") as batch:
            batch.add_column(
                sa.Column("rank", sa.Integer, nullable=False, server_default="0")
            )
        half_way()
        op.add_column("child", sa.Column("age", sa.Integer))
        record()""",
}
REVISIONS = [f"soak{number:02}" for number in range(1, len(STEPS) + 1)]
HEAD = (REVISIONS[-1],)

GENERIC = """\
from app import app, db
target_metadata = db.metadata
url = app.config["SQLALCHEMY_DATABASE_URI"]
config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
"""


def write_revisions(folder):
    folder.mkdir(parents=True, exist_ok=True)
    downs = [None, *REVISIONS]
    for number, (message, body) in enumerate(STEPS.items(), 1):
        text = REVISION.format(
            message=message,
            revision=REVISIONS[number - 1],
            down=downs[number - 1],
            number=number,
            body=body.replace("\n    ", "\n").strip(),
        )
        (folder / f"{REVISIONS[number - 1]}.py").write_text(text, encoding="utf-8")


def environment(**more):
    own = ("FLASK_", "SQLALCHEMY_", "ALEMBIC_", "SOAK_")
    kept = {name: os.environ[name] for name in os.environ if not name.startswith(own)}
    return {**kept, "PYTHONUTF8": "1", "FLASK_APP": "app", **more}


def command(*words):
    scripts = Path(sys.executable).parent
    return [shutil.which(words[0], path=str(scripts)) or words[0], *words[1:]]


def make_subject(name, folder):
    """Write the app, its Alembic environment and its revisions.

    :returns: the command that upgrades.
    """
    folder.mkdir()
    (folder / "app.py").write_text(APP, encoding="utf-8")

    def run(*words):
        done = subprocess.run(
            command(*words),
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        if done.returncode:
            sys.exit(f"{words[0]}: {done.stdout}{done.stderr}")

    upgrade = command("alembic", "upgrade", "head")
    if name == "ours":
        options = ("--no-input", "--default-config", "--overwrite-if-exists")
        answers = ("project=.", "app=app:app", "db=app:db")
        run("cookiecutter", *options, str(ROOT), *answers)
    elif name == "flask-migrate":
        with (folder / "app.py").open("a", encoding="utf-8") as file:
            file.write("\nfrom flask_migrate import Migrate\n\nMigrate(app, db)\n")
        run("flask", "db", "init")
        upgrade = command("flask", "db", "upgrade")
    else:
        run("alembic", "init", "migrations")
        file = folder / "migrations" / "env.py"
        text = file.read_text(encoding="utf-8")
        assert "target_metadata = None\n" in text
        text = text.replace("target_metadata = None\n", GENERIC)
        file.write_text(text, encoding="utf-8")
    write_revisions(folder / "migrations" / "versions")
    return upgrade
