"""Applications that are unlike the documentation's, adopted with no answer given."""

import pytest
from conftest import Project, tables

MODELS = """
from {module} import {db}

class Thing({db}.Model):
    __tablename__ = "thing"
    id = {db}.Column({db}.Integer, primary_key=True)
"""

APPS = {
    "its own env and migrations": {
        "env.py": 'URL = "sqlite:///thing.db"\n',
        "migrations/__init__.py": "",
        "migrations/notes.py": "NOTES = []\n",
        "web/__init__.py": (
            "import env\nfrom flask import Flask\n"
            "from flask_sqlalchemy import SQLAlchemy\nfrom migrations import notes\n"
            "APP = Flask(__name__, instance_path=__file__[:-16] + '/instance')\n"
            'APP.config["SQLALCHEMY_DATABASE_URI"] = env.URL\n'
            "DB = SQLAlchemy(APP)\n"
        ),
        "web/models.py": MODELS.format(module="web", db="DB"),
    },
    "a factory with required arguments": {
        "shop/__init__.py": "",
        "shop/db.py": "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\n",
        "shop/models.py": MODELS.format(module="shop.db", db="db"),
        "shop/factory.py": (
            "from flask import Flask\nfrom .db import db\n"
            "def make(config, *, debug):\n"
            "    app = Flask('shop')\n"
            "    app.config.from_mapping(config)\n"
            "    db.init_app(app)\n"
            "    return app\n"
        ),
        "wsgi.py": (
            "from shop.factory import make\n"
            'config = dict(SQLALCHEMY_DATABASE_URI="sqlite:///thing.db")\n'
            "application = make(config, debug=False)\n"
        ),
    },
    "an app that runs Alembic itself": {
        "app.py": (
            "import os\nfrom alembic import command\nfrom alembic.config import Config\n"
            "from flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\n"
            "db = SQLAlchemy()\n"
            "class Thing(db.Model):\n"
            "    id = db.Column(db.Integer, primary_key=True)\n"
            "def create_app():\n"
            "    app = Flask(__name__)\n"
            '    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///thing.db"\n'
            "    db.init_app(app)\n"
            "    if 'ALEMBIC_RUNNING' not in os.environ:\n"
            "        upgrade(app)\n"
            "    return app\n"
            "def upgrade(app):\n"
            "    with app.app_context():\n"
            '        command.upgrade(Config("alembic.ini"), "head")\n'
        ),
    },
    "a db that the factory makes": {
        "core.py": (
            "from flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\n"
            "db = None\n"
            "def create_app():\n"
            "    global db\n"
            "    app = Flask(__name__)\n"
            '    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///thing.db"\n'
            "    db = SQLAlchemy(app)\n"
            "    import things\n"
            "    return app\n"
        ),
        "things.py": MODELS.format(module="core", db="db"),
    },
}


@pytest.mark.parametrize("files", APPS.values(), ids=APPS)
def test_awkward(tmp_path, bake, files):
    project = Project(tmp_path / "awkward")
    for name, text in files.items():
        project.write(name, text)
    bake(project="awkward", force=True)
    for name, text in files.items():
        assert project.read(name) == text
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    project.alembic("check")
    (file,) = project.path.rglob("thing.db")
    assert tables(file) == {"thing", "alembic_version"}


def test_an_app_that_runs_alembic_while_it_is_imported(tmp_path, bake):
    """Alembic can run only once at a time: the command says what to change."""
    files = APPS["an app that runs Alembic itself"]
    project = Project(tmp_path / "awkward")
    for name, text in files.items():
        text = text.replace("'ALEMBIC_RUNNING' not in os.environ", "True")
        project.write(name, text)
    bake(project="awkward", force=True)
    output = project.alembic("current", fails=True)
    assert "The application runs Alembic while it is imported. Skip that if" in output
