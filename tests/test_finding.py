"""What is found in a tree of code: one small tree for each rule."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from local_extensions.finding import Findings, find

FLASK = "from flask import Flask\n"
DB = "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\n"
APP = FLASK + "app = Flask(__name__)\n"
FACTORY = FLASK + (
    "from .db import db\n"
    "def create_app():\n"
    "    app = Flask(__name__)\n"
    "    db.init_app(app)\n"
    "    return app\n"
)
REQUIRED = FACTORY.replace("create_app()", "create_app(config)")
MODEL = (
    "from shop.db import db\nclass User(db.Model):\n    id = db.Column(db.Integer)\n"
)
ENV = {"env.py": "from alembic import context\n", "versions/1_a.py": "revision = '1'\n"}


def write(root: Path, tree: dict[str, str | bytes]) -> None:
    for path, source in tree.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, str):
            source = dedent(source).encode()
        file.write_bytes(source)


def environment(folder: str) -> dict[str, str]:
    return {f"{folder}/{path}": source for path, source in ENV.items()}


@pytest.fixture
def look(tmp_path):
    """Find in a tree that is given as a dictionary of its files."""

    def look(tree: dict[str, str | bytes]) -> Findings:
        write(tmp_path, tree)
        return find(tmp_path)

    return look


def values(candidates) -> list[str]:
    return [found.value for found in candidates]


# Where db is

DATABASES = {
    "a module": ("app.py", DB, "app:db"),
    "a package": ("shop/__init__.py", DB, "shop:db"),
    "a module of a package": ("shop/extensions.py", DB, "shop.extensions:db"),
    "another name": (
        "shop/core.py",
        "from flask_sqlalchemy import SQLAlchemy as Sql\npostgres = Sql()\n",
        "shop.core:postgres",
    ),
    "through the module": (
        "shop/core.py",
        "import flask_sqlalchemy\nsqla = flask_sqlalchemy.SQLAlchemy()\n",
        "shop.core:sqla",
    ),
    "the old import": (
        "core.py",
        "from flask.ext.sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\n",
        "core:db",
    ),
    "annotated": (
        "core.py",
        "from flask_sqlalchemy import SQLAlchemy\ndb: SQLAlchemy = SQLAlchemy()\n",
        "core:db",
    ),
    "annotated with an argument": (
        "core.py",
        "from flask_sqlalchemy import SQLAlchemy\n"
        "db: SQLAlchemy[Base] = SQLAlchemy(model_class=Base)\n",
        "core:db",
    ),
    "what a function returns": (
        "core.py",
        "from flask_sqlalchemy import SQLAlchemy\n"
        "def make():\n    return SQLAlchemy()\n"
        "db = make()\n",
        "core:db",
    ),
    "a subclass": (
        "core.py",
        "from flask_sqlalchemy import SQLAlchemy\n"
        "class Database(SQLAlchemy):\n    pass\n"
        "DB = Database()\n",
        "core:DB",
    ),
    "a subclass that bears the name of its base": (
        "core.py",
        "from flask_sqlalchemy import SQLAlchemy as Base\n"
        "class SQLAlchemy(Base):\n    pass\n"
        "db = SQLAlchemy()\n",
        "core:db",
    ),
    "a global of a function": (
        "core.py",
        "from flask_sqlalchemy import SQLAlchemy\n"
        "db = None\n"
        "def init(app):\n    global db\n    db = SQLAlchemy(app)\n",
        "core:db",
    ),
    "inside an if": (
        "core.py",
        "import os\nfrom flask_sqlalchemy import SQLAlchemy\n"
        "if os.environ.get('X'):\n    db = SQLAlchemy(session_options={})\n"
        "else:\n    db = SQLAlchemy()\n",
        "core:db",
    ),
    "inside a try": (
        "core.py",
        "try:\n    from flask_sqlalchemy import SQLAlchemy\n    db = SQLAlchemy()\n"
        "except ImportError:\n    db = None\n",
        "core:db",
    ),
    "an attribute of a class": (
        "core.py",
        "from flask_sqlalchemy import SQLAlchemy\n"
        "class Extensions:\n    db = SQLAlchemy()\n",
        "core:Extensions.db",
    ),
    "an attribute of an object": (
        "core.py",
        "from flask_sqlalchemy import SQLAlchemy\n"
        "class Extensions:\n"
        "    def __init__(self):\n        self.db = SQLAlchemy()\n"
        "ext = Extensions()\n",
        "core:ext.db",
    ),
    "an attribute of the app": (
        "core.py",
        APP + "from flask_sqlalchemy import SQLAlchemy\napp.db = SQLAlchemy(app)\n",
        "core:app.db",
    ),
    "Flask-AppBuilder's": (
        "core.py",
        "from flask_appbuilder import SQLA\ndb = SQLA()\n",
        "core:db",
    ),
    "an engine": (
        "core.py",
        "from sqlalchemy import create_engine\nengine = create_engine('sqlite://')\n",
        "core:engine",
    ),
    "a function that returns an engine": (
        "core.py",
        "from sqlalchemy import create_engine\n"
        "def get_engine(echo=False):\n    return create_engine('x', echo=echo)\n",
        "core:get_engine()",
    ),
    "a cached function that returns an engine": (
        "core.py",
        "import functools\nfrom sqlalchemy import create_engine\n"
        "@functools.lru_cache\ndef get_engine():\n"
        "    engine = create_engine('x')\n    return engine\n",
        "core:get_engine()",
    ),
    "an engine that a function fills in": (
        "core.py",
        "from sqlalchemy import create_engine\nengine = None\n"
        "def init():\n    global engine\n    engine = create_engine('x')\n",
        "core:engine",
    ),
    "an engine that a property makes": (
        "core.py",
        "import sqlalchemy as sa\n"
        "class Store:\n"
        "    _engine = None\n"
        "    @property\n    def engine(self):\n"
        "        if self._engine is None:\n"
        "            self._engine = sa.create_engine('x')\n"
        "        return self._engine\n"
        "store = Store()\n",
        "core:store.engine",
    ),
    "an engine that an object holds": (
        "core.py",
        "import sqlalchemy as sa\n"
        "class Store:\n"
        "    def __init__(self, url):\n        self.engine = sa.create_engine(url)\n"
        "store = Store('sqlite://')\n",
        "core:store.engine",
    ),
}


@pytest.mark.parametrize(
    ("path", "source", "db"), DATABASES.values(), ids=DATABASES.keys()
)
def test_db(look, path, source, db):
    assert values(look({path: source}).db)[0] == db


NO_DATABASES = {
    "an engine inside a function": "def create_app():\n    e = create_engine('x')\n",
    "a dictionary of engines": "engines = {}\nengines['a'] = create_engine('x')\n",
    "a function that needs an argument": (
        "def get_engine(url):\n    return create_engine(url)\n"
    ),
    "a wrapper library": "from alchemical import Alchemical\ndb = Alchemical()\n",
}


@pytest.mark.parametrize("source", NO_DATABASES.values(), ids=NO_DATABASES.keys())
def test_no_db(look, source):
    assert look({"core.py": "from sqlalchemy import create_engine\n" + source}).db == ()


def test_engine_that_nothing_fills_in_comes_after_a_function(look):
    source = (
        "from sqlalchemy import create_engine\nengine = None\n"
        "def init():\n    global engine\n    engine = create_engine('x')\n"
        "def get_engine():\n    return create_engine('x')\n"
    )
    app = APP + "import core\n"
    assert values(look({"app.py": app, "core.py": source}).db) == [
        "core:get_engine()",
        "core:engine",
    ]
    app += "core.init()\n"
    assert values(look({"app.py": app}).db) == ["core:engine", "core:get_engine()"]


def test_db_of_the_old_environment_comes_first(look):
    """Whatever hangs on the other one."""
    tree = {"shop/db.py": DB, "old.py": DB + "class A(db.Model):\n    pass\n"}
    env = "from alembic import context\nfrom shop.db import db\n"
    env += "target_metadata = db.metadata\n"
    assert values(look(tree).db) == ["old:db", "shop.db:db"]
    tree = {**environment("migrations"), "migrations/env.py": env}
    found = look(tree)
    assert values(found.db) == ["shop.db:db", "old:db"]
    assert found.db[1].why == "the env.py that was here has another"


def test_db_that_only_the_old_environment_names(look):
    env = "from alembic import context\nfrom platform_db import db\n"
    env += "target_metadata = db.metadata\n"
    tree = {**environment("migrations"), "migrations/env.py": env, "app.py": APP}
    found = look(tree)
    assert values(found.db) == ["platform_db:db"]
    assert found.db[0].where == "migrations/env.py:3"


def test_db_of_a_subclass_from_other_modules(look):
    found = look(
        {
            "shop/sql.py": "from flask_sqlalchemy import SQLAlchemy\n"
            "class Mine(SQLAlchemy):\n    pass\n",
            "shop/more.py": "from shop import sql\nclass More(sql.Mine):\n    pass\n",
            "shop/__init__.py": "from .more import *\nstore = More()\n",
        }
    )
    assert values(found.db) == ["shop:store"]


def test_db_is_named_where_it_is_defined(look):
    found = look(
        {
            "shop/__init__.py": "from .core import db\nsame = db\n",
            "shop/core.py": "\n\n" + DB,
        }
    )
    assert values(found.db) == ["shop.core:db"]
    assert found.db[0].where == "shop/core.py:4"


def test_db_of_an_installed_package(look):
    found = look(
        {
            "shop/models.py": "from platform_db import db\n"
            "class User(db.Model):\n    id = db.Column()\n",
        }
    )
    assert values(found.db) == ["platform_db:db"]


def test_no_engine_where_there_is_a_db(look):
    engine = "from sqlalchemy import create_engine\nengine = create_engine('x')\n"
    assert values(look({"a.py": engine, "shop/db.py": DB}).db) == ["shop.db:db"]


def test_db_with_the_models_comes_first(look):
    found = look({"old.py": DB, "shop/db.py": DB, "shop/models.py": MODEL})
    assert values(found.db) == ["shop.db:db", "old:db"]


def test_db_that_the_app_imports_comes_first(look):
    old = DB + "class User(db.Model):\n    id = db.Column()\n" * 2
    found = look({"old.py": old, "shop/__init__.py": FACTORY, "shop/db.py": DB})
    assert values(found.db) == ["shop.db:db", "old:db"]


# Where the app is

APPS = {
    "Flask": (APP, ["m:app"]),
    "through the module": ("import flask\nAPP = flask.Flask('x')\n", ["m:APP"]),
    "annotated": (FLASK + "app: Flask = Flask('x')\n", ["m:app"]),
    "annotated, of unknown making": (
        FLASK + "from elsewhere import build\nflask_app: Flask = build()\n",
        ["m:flask_app"],
    ),
    "a subclass": (
        FLASK + "class Shop(Flask):\n    pass\napplication = Shop('x')\n",
        ["m:application"],
    ),
    "a subclass of its own name": (
        FLASK + "class Flask(Flask):\n    pass\napp = Flask('x')\n",
        ["m:app"],
    ),
    "inside an if": (FLASK + "if True:\n    app = Flask('x')\n", ["m:app"]),
    "inside a try": (
        FLASK + "try:\n    app = Flask('x')\nexcept OSError:\n    raise\n",
        ["m:app"],
    ),
    "inside a with": (FLASK + "with x():\n    app = Flask('x')\n", ["m:app"]),
    "one of two": (FLASK + "app = None or Flask('x')\n", ["m:app"]),
    "unpacked": (
        FLASK + "def make():\n    app = Flask('x')\n    return app, 1\n"
        "app, one = make()\n",
        ["m:app"],
    ),
    "passed through a function": (
        FLASK + "def create_app(app):\n    app.x = 1\n    return app\n"
        "application = create_app(Flask('x'))\n",
        ["m:application"],
    ),
    "connexion": ("import connexion\nsite = connexion.App('x')\n", ["m:site.app"]),
    "connexion's FlaskApp": (
        "from connexion import FlaskApp\nsite = FlaskApp('x')\napp = site.app\n",
        ["m:app", "m:site.app"],
    ),
    "another wrapper": (
        FLASK + "class Server:\n"
        "    def __init__(self):\n        self.web = Flask('x')\n"
        "server = Server()\n",
        ["m:server.web"],
    ),
    "a property of a wrapper": (
        FLASK + "class Server:\n"
        "    def __init__(self):\n        self._app = Flask('x')\n"
        "    @property\n    def app(self):\n        return self._app\n"
        "server = Server()\napp = server.app\n",
        ["m:app", "m:server.app", "m:server._app"],
    ),
    "a factory that uses a builder": (
        FLASK + "class Builder:\n"
        "    def __init__(self):\n        self.app = Flask('x')\n"
        "    def build(self):\n        return self.app\n"
        "def create_app():\n    return Builder().build()\n",
        ["m:create_app()"],
    ),
    "APIFlask": ("from apiflask import APIFlask\napp = APIFlask('x')\n", ["m:app"]),
    "OpenAPI": ("from flask_openapi3 import OpenAPI\napp = OpenAPI('x')\n", ["m:app"]),
    "Eve": ("from eve import Eve\napp = Eve()\n", ["m:app"]),
    "Quart": ("import quart\napp = quart.Quart('x')\n", ["m:app"]),
    "a factory of an installed package": (
        "from platform_web import create_app\napp = create_app('x')\n",
        ["m:app"],
    ),
    "a lazy attribute": (
        FLASK + "def __getattr__(name):\n"
        "    if name == 'app':\n        return Flask('x')\n"
        "    raise AttributeError(name)\n",
        ["m:app"],
    ),
    "not below a main guard": (
        FLASK + "if __name__ == '__main__':\n    app = Flask('x')\n",
        [],
    ),
    "not FastAPI": ("from fastapi import FastAPI\napp = FastAPI()\n", []),
    "a factory": (FLASK + "def create_app():\n    return Flask('x')\n",)
    + (["m:create_app()"],),
    "a factory of any name": (
        FLASK + "def start_it(a=1, *, b=None, **more):\n"
        "    if a:\n        x = Flask('x')\n        return x\n",
        ["m:start_it()"],
    ),
    "a factory by annotation": (
        "import flask\ndef build() -> flask.Flask:\n    return site().web\n",
        ["m:build()"],
    ),
    "a factory by annotation in quotes": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from flask import Flask\n"
        "def build() -> 'Flask':\n    return site().web\n",
        ["m:build()"],
    ),
    "a factory that makes a global": (
        FLASK + "app = None\ndef make():\n    global app\n"
        "    app = Flask('x')\n    return app\n",
        ["m:make()"],
    ),
    "a factory with connexion": (
        "import connexion\ndef create_app():\n    site = connexion.App('x')\n"
        "    app = site.app\n    return app\n",
        ["m:create_app()"],
    ),
    "a static method": (
        FLASK + "class Shop:\n    @staticmethod\n    def make():\n"
        "        return Flask('x')\n",
        ["m:Shop.make()"],
    ),
    "a class method": (
        FLASK + "class Shop:\n    @classmethod\n    def make(cls):\n"
        "        return Flask('x')\n",
        ["m:Shop.make()"],
    ),
    "a cached factory": (
        "import functools\n" + FLASK + "@functools.lru_cache(None)\n"
        "def make():\n    return Flask('x')\n",
        ["m:make()"],
    ),
    "not a fixture": (
        "import pytest\n"
        + FLASK
        + "@pytest.fixture\ndef x():\n    return Flask('x')\n",
        [],
    ),
    "not what configures an app": (
        FLASK + "def configure(app: Flask) -> Flask:\n    return app\n",
        [],
    ),
    "not a getter beside the object": (
        APP + "def get_app():\n    return app\n",
        ["m:app"],
    ),
    "not a factory that nobody calls with its arguments": (
        FLASK + "def create_app(config):\n    return Flask('x')\n",
        [],
    ),
}


@pytest.mark.parametrize(("source", "apps"), APPS.values(), ids=APPS.keys())
def test_app(look, source, apps):
    assert values(look({"m.py": source}).app) == apps


def test_app_of_a_subclass_from_another_module(look):
    found = look(
        {
            "shop/flask_class.py": FLASK + "class Shop(Flask):\n    pass\n",
            "shop/factory.py": "from .flask_class import Shop\n"
            "def build():\n    shop = Shop('x')\n    return shop\n",
            "shop/outer.py": "from shop import factory\n"
            "def outermost():\n    it = factory.build()\n    return it\n",
        }
    )
    assert values(found.app) == ["shop.outer:outermost()", "shop.factory:build()"]


def test_conventional_name_before_what_calls_it(look):
    source = FLASK + (
        "def create_app():\n    return Flask('x')\n"
        "def with_extras():\n    return create_app()\n"
    )
    assert values(look({"m.py": source}).app)[0] == "m:create_app()"


CALLS = {
    "literals": ("app = create_app('prod')", "shop:create_app('prod')"),
    "a keyword": ("app = create_app(config='a')", "shop:create_app(config='a')"),
    "a list": ("app = create_app(['a', 1])", "shop:create_app(['a', 1])"),
    "below a main guard": (
        "if __name__ == '__main__':\n    create_app('prod').run()",
        "shop:create_app('prod')",
    ),
    "no literals": ("app = create_app(CONFIG)", "wsgi:app"),
    "spread": ("app = create_app(**{'config': 1})", "wsgi:app"),
    "no literals, another name": ("APP = create_app(os.environ['X'])", "wsgi:APP"),
    "a template's braces": ("app = create_app('{{ x }}')", "wsgi:app"),
}


@pytest.mark.parametrize(("call", "app"), CALLS.values(), ids=CALLS.keys())
def test_factory_with_required_arguments(look, call, app):
    entry = f"import os\nfrom shop import create_app\n{call}\n"
    tree = {"shop/__init__.py": REQUIRED, "shop/db.py": DB, "wsgi.py": entry}
    assert values(look(tree).app)[0] == app


def test_factory_imported_under_another_name_in_a_function(look):
    entry = "def main():\n    from shop import create_app as make\n    make('dev')\n"
    tree = {"shop/__init__.py": REQUIRED, "shop/db.py": DB, "run.py": entry}
    found = look(tree)
    assert values(found.app) == ["shop:create_app('dev')"]
    assert found.app[0].where == "run.py:3"


def test_optional_arguments_are_left_out(look):
    tree = {
        "shop/__init__.py": FACTORY.replace("app()", "app(config='dev')"),
        "shop/db.py": DB,
        "wsgi.py": "from shop import create_app\napp = create_app('prod')\n",
    }
    assert values(look(tree).app)[0] == "shop:create_app()"


HELPLESS = "    app.config.from_object(config)\n    return app\n"


@pytest.mark.parametrize(
    ("body", "app"),
    [
        (HELPLESS, "shop:create_app('prod')"),
        ("    config = config or 'dev'\n" + HELPLESS, "shop:create_app()"),
        ("    if config is None:\n        x()\n" + HELPLESS, "shop:create_app()"),
        ("    if not config:\n        x()\n" + HELPLESS, "shop:create_app()"),
        ("    if config:\n        x()\n" + HELPLESS, "shop:create_app('prod')"),
        ("    x(config if config else 1)\n" + HELPLESS, "shop:create_app()"),
    ],
)
def test_none_that_the_factory_cannot_do_with(look, body, app):
    tree = {
        "shop/__init__.py": FLASK
        + "def create_app(config=None):\n    app = Flask('x')\n"
        + body,
        "wsgi.py": "from shop import create_app\napp = create_app('prod')\n",
    }
    assert values(look(tree).app)[0] == app


# What settings name

SHOP = {
    "shop/__init__.py": FACTORY + "second = Flask(__name__)\n",
    "shop/db.py": DB,
    "shop/cli.py": FLASK + "def make_app(name='x'):\n    return Flask(name)\n",
    "wsgi.py": "from shop import create_app\napp = create_app()\n",
    "serve/web.py": "from shop import create_app\napplication = create_app()\n",
}
NAMED = {
    "a module": (".flaskenv", "FLASK_APP=wsgi", "wsgi:app"),
    "a file": (".flaskenv", "FLASK_APP=wsgi.py", "wsgi:app"),
    "a path": (".flaskenv", "FLASK_APP=./serve/web.py", "serve.web:application"),
    "a dotted module": (".flaskenv", "FLASK_APP=serve.web", "serve.web:application"),
    "an attribute": (".flaskenv", "FLASK_APP=shop:second", "shop:second"),
    "a factory": (".flaskenv", "FLASK_APP=shop.cli:make_app", "shop.cli:make_app()"),
    "a factory in a module": (".flaskenv", "FLASK_APP=shop.cli", "shop.cli:make_app()"),
    "a call": (".env", "FLASK_APP=shop.cli:make_app('a')", "shop.cli:make_app('a')"),
    "a call in quotes": (
        ".env",
        """FLASK_APP="shop.cli:make_app('a b')" """,
        "shop.cli:make_app('a b')",
    ),
    "export": (".env", "export FLASK_APP=wsgi.py", "wsgi:app"),
    "an example of .env": (".env.example", "FLASK_APP=wsgi.py", "wsgi:app"),
    "a container's path": ("Dockerfile", "ENV FLASK_APP=/srv/wsgi.py", "wsgi:app"),
    "Dockerfile, old": ("Dockerfile", "ENV FLASK_APP wsgi.py", "wsgi:app"),
    "Dockerfile, command": (
        "Dockerfile",
        'CMD ["flask", "--app", "wsgi", "run"]',
        "wsgi:app",
    ),
    "compose": ("compose.yaml", "      FLASK_APP: wsgi.py", "wsgi:app"),
    "compose, list": ("docker-compose.yml", "  - FLASK_APP=wsgi.py", "wsgi:app"),
    "a default": ("run.sh", "export FLASK_APP=${FLASK_APP:-wsgi.py}", "wsgi:app"),
    "option": ("Makefile", "\tflask --debug --app=wsgi run", "wsgi:app"),
    "short option": ("run.sh", "exec python -m flask -A wsgi db upgrade", "wsgi:app"),
    "toml": ("pyproject.toml", 'env = {FLASK_APP = "wsgi"}', "wsgi:app"),
    "tox": ("tox.ini", "  FLASK_APP = wsgi.py", "wsgi:app"),
    "README": ("README.md", "    $ export FLASK_APP=wsgi.py", "wsgi:app"),
    "README, Windows": (
        "README.md",
        "set FLASK_APP=serve\\web.py",
        "serve.web:application",
    ),
    "gunicorn, object": ("Procfile", "web: gunicorn -b :80 shop:second", "shop:second"),
    "gunicorn, factory": (
        "Procfile",
        'web: gunicorn -w 4 "shop.cli:make_app()"',
        "shop.cli:make_app()",
    ),
    "gunicorn, literal": (
        "Procfile",
        "web: gunicorn \"shop.cli:make_app('a')\"",
        "shop.cli:make_app('a')",
    ),
    "gunicorn in a list": (
        "Dockerfile",
        'CMD ["gunicorn", "--bind", "0.0.0.0:80", "shop:second"]',
        "shop:second",
    ),
    "gunicorn on two lines": (
        "run.sh",
        "gunicorn \\\n  -w 4 \\\n  shop:second",
        "shop:second",
    ),
    "waitress": (
        "Procfile",
        "web: waitress-serve --call shop.cli:make_app",
        "shop.cli:make_app()",
    ),
    "uwsgi": ("uwsgi.ini", "[uwsgi]\nmodule = shop:second", "shop:second"),
    "only the factory's result is served": (
        "Procfile",
        "web: gunicorn wsgi:app",
        "shop:create_app()",
    ),
    "a celery option is none": (
        "Procfile",
        "worker: celery -A wsgi worker",
        "shop:create_app()",
    ),
    "a comment is none": (".env", "# FLASK_APP=wsgi.py", "shop:create_app()"),
    "not there": (".flaskenv", "FLASK_APP=other.py", "shop:create_app()"),
    "not an app": (".flaskenv", "FLASK_APP=shop.db", "shop:create_app()"),
    "no such attribute": (".flaskenv", "FLASK_APP=wsgi:nothing", "shop:create_app()"),
    "a call without literals": (
        ".flaskenv",
        "FLASK_APP=shop.cli:make_app(x)",
        "shop:create_app()",
    ),
}


@pytest.mark.parametrize(("path", "text", "app"), NAMED.values(), ids=NAMED.keys())
def test_named_app(look, path, text, app):
    assert values(look({**SHOP, path: text + "\n"}).app)[0] == app


def test_named_apps_in_order(look):
    found = look(
        {
            **SHOP,
            "README.md": "flask --app wsgi run\n",
            "Makefile": "run:\n\tflask --app shop:second run\n",
            "Dockerfile": "\nENV FLASK_APP=serve/web.py\n",
            ".env": "A=1\nFLASK_APP=shop\n",
            ".flaskenv": "FLASK_APP=shop.cli\n",
            "Procfile": "web: gunicorn shop:second\n",
        }
    )
    assert [(app.value, app.where) for app in found.app][:5] == [
        ("shop.cli:make_app()", ".flaskenv:1"),
        ("shop:second", ".env:2"),
        ("serve.web:application", "Dockerfile:2"),
        ("wsgi:app", "README.md:1"),
        ("shop:create_app()", "shop/__init__.py:3"),
    ]


def test_named_from_its_own_folder(look):
    tree = {f"backend/{path}": source for path, source in SHOP.items()}
    found = look({**tree, "backend/.flaskenv": "FLASK_APP=wsgi.py\n"})
    assert values(found.app)[0] == "wsgi:app"
    assert found.source_root == "backend"


def test_named_app_that_is_imported(look):
    tree = {"shop/web.py": APP, "run.py": "from shop.web import app as site\n"}
    assert values(look(tree).app) == ["shop.web:app"]
    assert values(look({".flaskenv": "FLASK_APP=run.py\n"}).app)[0] == "run:site"


def test_named_app_of_unknown_making_is_trusted(look):
    tree = {"run.py": "from elsewhere import app\n", ".flaskenv": "FLASK_APP=run\n"}
    assert values(look(tree).app) == ["run:app"]


def test_named_module_with_a_lazy_app(look):
    source = FLASK + (
        "_app = None\n"
        "def __getattr__(name):\n    global _app\n"
        "    if name in ('application', 'app'):\n"
        "        _app = Flask('x')\n        return _app\n"
    )
    found = look({"shop/__init__.py": source, ".flaskenv": "FLASK_APP=shop\n"})
    assert values(found.app)[0] == "shop:app"


def test_entry_file_that_starts_the_server(look):
    run = "from shop import create_app\napp = create_app('dev')\napp.run()\n"
    tree = {"shop/__init__.py": REQUIRED, "shop/db.py": DB, "run.py": run}
    assert values(look(tree).app) == ["shop:create_app('dev')", "run:app"]
    found = look({".flaskenv": "FLASK_APP=run.py\n"})
    assert values(found.app)[0] == "shop:create_app('dev')"


# Several candidates


def test_app_that_a_root_module_completes(look):
    """The app is made elsewhere; app.py binds the db to it, and so is the whole app."""
    tree = {
        "site/__init__.py": "",
        "shop/__init__.py": FLASK + "app = Flask(__name__)\n",
        "shop/db.py": DB,
        "app.py": "from shop import app\nfrom shop.db import db\n"
        "app.config['X'] = 1\ndb.init_app(app)\n",
    }
    assert values(look(tree).app) == ["app:app", "shop:app"]


FLASK_GROUPS = {
    "a name": ("from platform_web.app import create_app", "create_app"),
    "a lambda": ("import platform_web.app as web", "lambda: web.create_app()"),
}


@pytest.mark.parametrize(("line", "given"), FLASK_GROUPS.values(), ids=FLASK_GROUPS)
def test_app_of_an_installed_package(look, line, given):
    source = f"{line}\nfrom flask.cli import FlaskGroup\n"
    source += f"cli = FlaskGroup(create_app={given})\n"
    found = look({"shop/cli.py": source, "shop/db.py": DB})
    assert values(found.app) == ["platform_web.app:create_app()"]
    assert found.app[0].where == "shop/cli.py:3"


def test_factory_that_needs_arguments_which_nothing_gives(look):
    found = look({"shop/__init__.py": REQUIRED, "shop/db.py": DB})
    assert found.app == ()
    assert values(found.needing) == ["shop:create_app(config)"]


def test_why_another_app_was_not_taken(look):
    tree = {
        "shop/__init__.py": FACTORY,
        "shop/db.py": DB,
        "run.py": "from shop import create_app\napp = create_app()\napp.run()\n",
        "celery_worker.py": "from shop import create_app\napp = create_app()\n",
        "wsgi.py": "from shop import create_app\napp = create_app()\n",
    }
    assert {app.value: app.why for app in look(tree).app[1:]} == {
        "wsgi:app": "another one is more surely the whole app",
        "run:app": "importing it starts a server",
        "celery_worker:app": "it is a script's, a worker's or a test's",
    }


def test_factory_before_entry_before_other_object_before_decoy(look):
    tree = {
        "shop/__init__.py": FACTORY,
        "shop/db.py": DB,
        "shop/other.py": "from shop import create_app\nthing = create_app()\n",
        "celery_worker.py": "from shop import create_app\napp = create_app()\n",
        "scripts/load.py": "from shop import create_app\napp = create_app()\n",
        "manage.py": "from shop import create_app\napp = create_app()\n",
        "wsgi.py": "from shop import create_app\napp = create_app()\n",
    }
    assert values(look(tree).app) == [
        "shop:create_app()",
        "wsgi:app",
        "manage:app",
        "shop.other:thing",
        "celery_worker:app",
        "scripts.load:app",
    ]


def test_object_to_which_the_db_is_bound_before_its_factory(look):
    source = FLASK + (
        "from flask_sqlalchemy import SQLAlchemy\n"
        "def create_app():\n    return Flask('x')\n"
        "app = create_app()\ndb = SQLAlchemy(app)\n"
    )
    found = look({"shop/__init__.py": source})
    assert values(found.app) == ["shop:app", "shop:create_app()"]


def test_app_with_the_db_before_one_without(look):
    tree = {
        "admin.py": FLASK + "def create_app():\n    return Flask('x')\n",
        "shop/web.py": APP + "from shop.db import db\n",
        "shop/db.py": DB,
    }
    assert values(look(tree).app) == ["shop.web:app", "admin:create_app()"]


def test_decoy_factories_come_last(look):
    source = FLASK + (
        "def create_app():\n    return Flask('x')\n"
        "def app_for_celery():\n    return create_app()\n"
        "def create_test_app():\n    return create_app()\n"
        "def _make():\n    return Flask('x')\n"
    )
    assert values(look({"m.py": source}).app)[0] == "m:create_app()"
    assert len(values(look({"m.py": source}).app)) == 4
    source = FLASK + (
        "def a_test_app():\n    return Flask('x')\ndef site():\n    return Flask('x')\n"
    )
    assert values(look({"m.py": source}).app) == ["m:site()", "m:a_test_app()"]


def test_equals_by_depth_then_name_then_path(look):
    tree = {
        "b.py": FLASK + "thing = Flask('x')\napplication = Flask('x')\n",
        "a.py": FLASK + "thing = Flask('x')\n",
        "deep/er.py": APP,
    }
    expected = ["b:application", "a:thing", "b:thing", "deep.er:app"]
    assert values(look(tree).app) == expected


OTHERS = ["example_app", "demo", "demos/one", "sample_shop", "shop_examples", "bin"]


@pytest.mark.parametrize("folder", OTHERS)
def test_apps_for_something_else_come_last(look, folder):
    tree = {f"{folder}/app.py": APP + "import shop.db\n", "shop/db.py": DB}
    tree |= {"shop/web/main.py": APP + "import shop.db\n"}
    assert values(look(tree).app)[0] == "shop.web.main:app"


def test_app_for_documentation_comes_last(look):
    source = "from shop.db import db\n" + FLASK
    source += "def create_docs_app():\n    return Flask('x')\n"
    source += "def site():\n    return Flask('x')\n"
    found = look({"shop/web.py": source, "shop/db.py": DB})
    assert values(found.app) == ["shop.web:site()", "shop.web:create_docs_app()"]


# What is no candidate

NOT_OURS = [
    "venv/lib/python3.11/site-packages/x/app.py",
    "lib/python3/site-packages/x.py",
    "node_modules/x/app.py",
    ".git/app.py",
    ".cache/app.py",
    "tests/app.py",
    "shop/test/app.py",
    "testing/app.py",
    "test_app.py",
    "app_test.py",
    "conftest.py",
    "build/lib/app.py",
    "dist/app.py",
    "vendor/app.py",
    "shop/_vendor/app.py",
    "third_party/app.py",
    "vendor_libs/app.py",
    "external/app.py",
    "__pycache__/app.py",
    "{{cookiecutter.name}}/app.py",
    "shop.egg-info/app.py",
    "docs/app.py",
    "examples/app.py",
    "not-a-name/x.py/app.py",
    "class.py",
]


@pytest.mark.parametrize("path", NOT_OURS)
def test_not_a_candidate(look, path):
    found = look({"shop/web.py": APP, "shop/db.py": DB, path: APP + DB + MODEL})
    assert values(found.app) == ["shop.web:app"]
    assert values(found.db) == ["shop.db:db"]
    assert found.models == ()


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_virtual_environment_by_its_mark(look, mark):
    tree = {f"py/{mark}": "home = /x\n", "py/share/app.py": APP, "app.py": APP}
    assert values(look(tree).app) == ["app:app"]


def test_virtual_environment_in_the_root_itself(look):
    assert values(look({"pyvenv.cfg": "home = /x\n", "app.py": APP}).app) == ["app:app"]


def test_migrations_folder_is_no_candidate(look):
    tree = {**environment("migrations"), "migrations/app.py": APP + DB}
    assert look(tree) == Findings(directory="migrations")


def test_examples_where_there_is_nothing_else(look):
    found = look({"lib/x.py": "x = 1\n", "examples/basic.py": APP + DB})
    assert values(found.app) == ["examples.basic:app"]
    assert found.is_flask


# Metadata

LITE = "from flask_sqlalchemy_lite import SQLAlchemy\ndb = SQLAlchemy()\n"
BASES = {
    "DeclarativeBase": (
        "from sqlalchemy.orm import DeclarativeBase\n"
        "class Base(DeclarativeBase):\n    pass\n",
        "Base.metadata",
    ),
    "with mixins": (
        "from sqlalchemy import orm\n"
        "class Model(orm.MappedAsDataclass, orm.DeclarativeBaseNoMeta):\n    pass\n",
        "Model.metadata",
    ),
    "declarative_base()": (
        "from sqlalchemy.ext.declarative import declarative_base\n"
        "Base = declarative_base()\n",
        "Base.metadata",
    ),
    "a class of declarative_base()": (
        "from sqlalchemy.orm import declarative_base\n"
        "class Base(declarative_base()):\n    __abstract__ = True\n",
        "Base.metadata",
    ),
    "a metaclass": (
        "from sqlalchemy.orm import DeclarativeMeta\n"
        "class Base(metaclass=DeclarativeMeta):\n    __abstract__ = True\n",
        "Base.metadata",
    ),
    "a decorator": (
        "from sqlalchemy.orm import as_declarative\n@as_declarative()\n"
        "class Base:\n    pass\n",
        "Base.metadata",
    ),
    "a registry": (
        "from sqlalchemy.orm import registry\nmapped = registry()\n",
        "mapped.metadata",
    ),
    "MetaData": ("from sqlalchemy import MetaData\ntables = MetaData()\n", "tables"),
}


@pytest.mark.parametrize(("source", "metadata"), BASES.values(), ids=BASES.keys())
@pytest.mark.parametrize(
    "db", [LITE, "from sqlalchemy import create_engine\ndb = create_engine('x')\n"]
)
def test_metadata(look, source, metadata, db):
    found = look({"shop/db.py": db, "shop/base.py": source})
    assert values(found.metadata) == [f"shop.base:{metadata}"]
    assert values(found.db) == ["shop.db:db"]


BASE = BASES["DeclarativeBase"][0]
HANGS = "from shop.base import Base\nclass User(Base):\n    __tablename__ = 'user'\n"


def test_no_metadata_where_db_has_its_own(look):
    tree = {"shop/db.py": DB, "shop/models.py": MODEL, "shop/base.py": BASE}
    assert look(tree).metadata == ()


@pytest.mark.parametrize("given", ["model_class=Base", "metadata=Base.metadata"])
def test_no_metadata_where_db_is_made_with_the_base(look, given):
    db = "from flask_sqlalchemy import SQLAlchemy\nfrom shop.base import Base\n"
    found = look(
        {
            "shop/base.py": BASE,
            "shop/db.py": db + f"db = SQLAlchemy({given})\n",
            "shop/models.py": HANGS,
        }
    )
    assert found.metadata == ()
    assert found.models == ("shop.models",)


def test_no_metadata_where_the_base_takes_that_of_db(look):
    base = (
        "from sqlalchemy.orm import declarative_base\nfrom shop.db import db\n"
        "Base = declarative_base(metadata=db.metadata)\n"
    )
    tree = {"shop/db.py": DB, "shop/base.py": base, "shop/models.py": HANGS}
    assert look(tree).metadata == ()


def test_metadata_where_the_models_hang_on_another_base_than_db(look):
    found = look({"shop/db.py": DB, "shop/base.py": BASE, "shop/models.py": HANGS})
    assert values(found.metadata) == ["shop.base:Base.metadata"]
    assert found.metadata[0].where == "shop/base.py:2"
    assert found.models == ("shop.models",)


def test_metadata_with_most_models_first(look):
    found = look(
        {
            "shop/db.py": LITE,
            "a.py": BASE,
            "shop/base.py": BASE,
            "shop/models.py": HANGS,
        }
    )
    assert values(found.metadata) == ["shop.base:Base.metadata", "a:Base.metadata"]


def test_metadata_of_a_base_outside(look):
    model = "from platform_db import Base\nclass U(Base):\n    __tablename__ = 'u'\n"
    found = look({"shop/db.py": LITE, "shop/models.py": model})
    assert values(found.metadata) == ["shop.models:U.metadata"]


def test_metadata_of_sqlmodel(look):
    model = (
        "from sqlmodel import SQLModel, create_engine\nengine = create_engine('x')\n"
        "class Hero(SQLModel, table=True):\n    id: int\n"
    )
    found = look({"m.py": model})
    assert values(found.metadata) == ["sqlmodel:SQLModel.metadata"]
    assert values(found.db) == ["m:engine"]


OLD_METADATA = {
    "a base": (
        "from shop.base import Base",
        "Base.metadata",
        "shop.base:Base.metadata",
    ),
    "MetaData": ("import shop.base", "shop.base.tables", "shop.base:tables"),
    "of the db": ("from shop.db import db", "db.metadata", None),
    "of a model": ("from shop.models import User", "User.metadata", None),
    "Flask-Migrate's": (
        "from flask import current_app",
        "current_app.extensions['migrate'].db.metadata",
        None,
    ),
    "of a library": (
        "from platform_db import Base as B",
        "B.metadata",
        "platform_db:Base.metadata",
    ),
}


@pytest.mark.parametrize(
    ("line", "given", "metadata"), OLD_METADATA.values(), ids=OLD_METADATA
)
def test_metadata_of_the_old_environment(look, line, given, metadata):
    tables = "from sqlalchemy import MetaData\ntables = MetaData()\n"
    tree = {
        "app.py": APP + "import shop.db\n",
        "shop/db.py": DB,
        "shop/base.py": BASE + tables,
        "shop/models.py": MODEL,
        **environment("migrations"),
        "migrations/env.py": f"import alembic\n{line}\ntarget_metadata = {given}\n",
    }
    assert values(look(tree).metadata)[:1] == ([metadata] if metadata else [])


# Models

HAS_MODELS = {
    "db.Model": MODEL,
    "an alias": "from shop import db as x\nclass A(x.db.Model):\n"
    "    id = x.db.Column()\n",
    "Model = db.Model": "from shop.db import db\nBase = db.Model\n"
    "class A(Base):\n    id = db.Column()\n",
    "a subclass of an abstract class": "from shop.mixins import Timed\n"
    "class A(Timed):\n    id = Column()\n",
    "db.Table": "from shop.db import db\nx = db.Table('x')\n",
    "Table": "import sqlalchemy as sa\nfrom shop.db import db\n"
    "x = sa.Table('x', db.metadata)\n",
    "an unknown base": "from other import B\nclass A(B):\n    __tablename__ = 'a'\n",
    "inside an if": "from shop.db import db\nif 1:\n"
    "    class A(db.Model):\n        id = 1\n",
}
MIXINS = {
    "shop/mixins.py": "from shop.db import db\n"
    "class Timed(db.Model):\n    __abstract__ = True\n    at = db.Column()\n"
}


@pytest.mark.parametrize("source", HAS_MODELS.values(), ids=HAS_MODELS.keys())
def test_models_that_nothing_imports(look, source):
    tree = {"shop/__init__.py": FACTORY, "shop/db.py": DB, "shop/data.py": source}
    assert look({**tree, **MIXINS}).models == ("shop.data",)


NO_MODELS = {
    "an abstract class": MIXINS["shop/mixins.py"],
    "rich's Table": "from rich.table import Table\nx = Table('x', Column())\n",
    "a form": "from wtforms import Form\nclass F(Form):\n    c = Column()\n",
    "a mixin": "class M:\n    __tablename__ = 'x'\n",
    "a schema": "from sqlmodel import SQLModel\nclass S(SQLModel):\n    id: int\n",
    "another db": DB + "class A(db.Model):\n    id = db.Column()\n",
}


@pytest.mark.parametrize("source", NO_MODELS.values(), ids=NO_MODELS.keys())
def test_no_models(look, source):
    tree = {"shop/__init__.py": FACTORY, "shop/db.py": DB, "shop/models.py": MODEL}
    assert look({**tree, "shop/x.py": source}).models == ("shop.models",)


@pytest.mark.parametrize(
    "name", ["wsgi", "run", "manage", "shop/__main__", "setup", "scripts/load"]
)
def test_scripts_are_no_modules_of_models(look, name):
    tree = {"shop/__init__.py": FACTORY, "shop/db.py": DB, f"{name}.py": MODEL}
    assert look(tree).models == ()


REACHES = {
    "at the top": ("from shop import models\n{app}", True),
    "relative": ("from . import models\n{app}", True),
    "the thing": ("from .models import User\n{app}", True),
    "a star": ("from .models import *\n{app}", True),
    "dotted": ("import shop.models\n{app}", True),
    "in a try": ("try:\n    import shop.models\nexcept X:\n    pass\n{app}", True),
    "in the factory": ("{app}    from . import models\n    return app\n", True),
    "by its name": (
        "import importlib\nimportlib.import_module('shop.models')\n{app}",
        True,
    ),
    "by its relative name": (
        "from importlib import import_module as im, import_module\n"
        "import_module('.models', __name__)\n{app}",
        True,
    ),
    "in a function that the factory calls": (
        "def more():\n    from shop.models import User\n"
        "{app}    more()\n    return app\n",
        True,
    ),
    "in a function of another module": (
        "from shop.more import load\n{app}    load(app)\n    return app\n",
        True,
    ),
    "in a function imported in the factory": (
        "{app}    from shop.more import load\n    load(app)\n    return app\n",
        True,
    ),
    "in a function called at the top": (
        "from shop import more\nmore.load(1)\n{app}",
        True,
    ),
    "in a function inside the factory": (
        "{app}    def go():\n        import shop.models\n    go()\n    return app\n",
        True,
    ),
    "in a constructor": (
        "class X:\n    def __init__(self):\n        self.go()\n"
        "    def go(self):\n        import shop.models\nX()\n{app}",
        True,
    ),
    "in a method of what is made at once": (
        "class X:\n    def go(self):\n        import shop.models\nX().go()\n{app}",
        True,
    ),
    "in a method of an object": (
        "class X:\n    def go(self):\n        import shop.models\n"
        "x = X()\nx.go()\n{app}",
        True,
    ),
    "through the package above": ("import shop.sub.leaf\n{app}", True),
    "not for a type checker": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from shop.models import User\n{app}",
        False,
    ),
    "not below a main guard": (
        "if __name__ == '__main__':\n    import shop.models\n{app}",
        False,
    ),
    "not in a function that nobody calls": (
        "def more():\n    from shop.models import User\n{app}",
        False,
    ),
    "not in a module that nobody imports": ("{app}", False),
    "not by a name that is made": (
        "from importlib import import_module\nimport_module(f'shop.{x}')\n{app}",
        False,
    ),
}
IN_FACTORY = FACTORY.removesuffix("    return app\n")


@pytest.mark.parametrize(("source", "reached"), REACHES.values(), ids=REACHES.keys())
def test_reach(look, source, reached):
    app = IN_FACTORY if "return app" in source else FACTORY
    tree = {
        "shop/__init__.py": source.replace("{app}", app),
        "shop/db.py": DB,
        "shop/models.py": MODEL,
        "shop/more.py": "def load(app):\n    from shop import models\n",
        "shop/sub/__init__.py": "import shop.models\n",
        "shop/sub/leaf.py": "x = 1\n",
    }
    found = look(tree)
    assert values(found.app) == ["shop:create_app()"]
    assert found.models == (() if reached else ("shop.models",))


def test_entry_file_that_calls_the_factory_reaches_what_it_imports(look):
    tree = {
        "shop/__init__.py": REQUIRED.replace(
            "    return", "    import shop.models\n    return"
        ),
        "shop/db.py": DB,
        "shop/models.py": MODEL,
        "wsgi.py": "import os\nfrom shop import create_app\n"
        "app = create_app(os.name)\n",
    }
    found = look(tree)
    assert values(found.app) == ["wsgi:app"]
    assert found.models == ()


def test_models_reached_by_the_module_of_db(look):
    tree = {"shop/db.py": DB + "import shop.models\n", "shop/models.py": MODEL}
    assert look({**tree, "app.py": APP}).models == ()


def test_module_that_starts_a_server_is_no_module_of_models(look):
    tree = {"shop/db.py": DB, "old.py": MODEL + "from x import app\napp.run()\n"}
    assert look(tree).models == ()


def test_models_beyond_what_is_parsed_are_not_lost(look, monkeypatch):
    monkeypatch.setattr("local_extensions.reading.modules.MAX_PARSED", 400)
    filler = "x = 1\n" * 100
    tree = {"shop/__init__.py": FACTORY, "shop/db.py": DB}
    tree |= {"shop/models.py": MODEL + filler, "shop/views.py": "# Column\n" + filler}
    assert look(tree).models == ("shop.models",)


def test_a_copy_of_a_module_is_left_out(look):
    tree = {
        "shop/__init__.py": FACTORY + "from . import models\n",
        "shop/db.py": DB,
        "shop/models.py": MODEL,
        "shop/models_v2.py": MODEL,
        "shop/more.py": MODEL.replace("User", "More"),
        "shop/more_old.py": MODEL.replace("User", "More"),
    }
    found = look(tree)
    assert found.models == ("shop.more",)
    assert {each.value: each.why for each in found.left_out} == {
        "shop.models_v2": "its table user is in shop.models, too",
        "shop.more_old": "its table more is in shop.more, too",
    }


@pytest.mark.parametrize(
    ("revision", "models"),
    [
        ("op.create_table('user')", ("shop.a",)),
        (
            "op.create_table('user')\nop.create_table('user_group')",
            ("shop.a", "shop.b"),
        ),
        ("op.execute('CREATE TABLE user (id INT)')", ("shop.a",)),
        ("op.create_table('something_else')", ("shop.a", "shop.b")),
    ],
)
def test_models_whose_tables_no_revision_makes_are_left_out(look, revision, models):
    found = look(
        {
            "shop/__init__.py": FACTORY,
            "shop/db.py": DB,
            "shop/a.py": MODEL,
            "shop/b.py": MODEL.replace("User", "UserGroup"),
            **environment("migrations"),
            "migrations/versions/1_a.py": f"down_revision = None\n{revision}\n",
        }
    )
    assert found.models == models


def test_models_that_the_old_environment_imports_are_not_left_out(look):
    env = "import alembic\nimport shop.all\ntarget_metadata = None\n"
    tree = {
        "shop/__init__.py": FACTORY,
        "shop/db.py": DB,
        "shop/all.py": "from shop import a, b\n",
        "shop/a.py": MODEL,
        "shop/b.py": MODEL.replace("User", "UserGroup"),
        **environment("migrations"),
        "migrations/env.py": env,
        "migrations/versions/1_a.py": "op.create_table('user')\n",
    }
    assert look(tree).models == ("shop.a", "shop.b")


def test_models_in_order(look):
    other = MODEL.replace("User", "Item")
    tree = {"shop/db.py": DB, "shop/b.py": MODEL, "shop/a/__init__.py": other}
    assert look(tree).models == ("shop.a", "shop.b")


# The migrations folder

FOLDERS = {
    "none": ({"alembic.ini": "x = 1\n"}, None),
    "migrations": (environment("migrations"), "migrations"),
    "in a package": (environment("src/shop/migrations"), "src/shop/migrations"),
    "another name": (environment("db/alembic"), "db/alembic"),
    "a template beside it": (
        {"m/env.py": "import alembic\n", "m/script.py.mako": ""},
        "m",
    ),
    "env.py without alembic": ({"m/env.py": "x = 1\n", "m/versions/a.py": ""}, None),
    "a hidden folder": (environment(".tox/migrations"), None),
    "env.py alone": ({"m/env.py": "import alembic\n"}, None),
    "the shallowest": ({**environment("a/b/c"), **environment("z/m")}, "z/m"),
    "alembic.ini": (
        {
            **environment("a"),
            **environment("b/c"),
            "alembic.ini": "[alembic]\nscript_location = %(here)s/b/c\n",
        },
        "b/c",
    ),
    "alembic.ini below": (
        {**environment("a"), **environment("b/c")}
        | {"b/alembic.ini": "[alembic]\nscript_location = c\n"},
        "b/c",
    ),
    "alembic.ini, package": (
        {**environment("a"), **environment("shop/data/c")}
        | {"alembic.ini": "script_location = shop.data:c\n"},
        "shop/data/c",
    ),
    "alembic.ini, elsewhere": (
        {**environment("a"), "alembic.ini": "script_location = ../other\n"},
        "a",
    ),
    "alembic.ini, absolute": (
        {**environment("a"), "alembic.ini": "script_location = /etc\n"},
        "a",
    ),
    "pyproject.toml": (
        {
            **environment("a"),
            **environment("b/c"),
            "pyproject.toml": "[tool.other]\nscript_location = 'a'\n"
            '[tool.alembic]\nscript_location = "b/c"\n[tool.x]\n',
        },
        "b/c",
    ),
    "Migrate": (
        {
            **environment("a"),
            **environment("b/c"),
            "m.py": "m = Migrate(app, db, directory='b/c')\n",
        },
        "b/c",
    ),
    "init_app": (
        {
            **environment("a"),
            **environment("b/c"),
            "m.py": "migrate.init_app(app, db, directory='b/c')\n",
        },
        "b/c",
    ),
    "a template for environments": (
        {
            **environment("z/m"),
            "a/env.py": "import alembic\n",
            "a/script.py.mako": "",
            "a/alembic.ini.mako": "",
        },
        "z/m",
    ),
    "one with revisions before one without": (
        {"a/env.py": "import alembic\n", "a/script.py.mako": "", **environment("z/m")},
        "z/m",
    ),
    "versions without env.py": ({"m/versions/1.py": "down_revision = None\n"}, "m"),
    "Flask-Alembic": (
        {"shop/migrations/1_a.py": "revision = '1'\ndown_revision = None\n"},
        "shop/migrations/environment",
    ),
    "Migrate, joined": (
        {
            **environment("a"),
            **environment("b/c"),
            "m.py": "import os\nWHERE = os.path.join(BASE, 'b', 'c')\n"
            "migrate = Migrate(directory=WHERE)\n",
        },
        "b/c",
    ),
}


@pytest.mark.parametrize(("tree", "directory"), FOLDERS.values(), ids=FOLDERS.keys())
def test_directory(look, tree, directory):
    assert look(tree).directory == directory


def test_package_that_is_a_migrations_folder_too(look):
    tree = {**environment("shop/db"), "shop/db/__init__.py": DB}
    found = look(tree)
    assert found.directory == "shop/db"
    assert values(found.db) == ["shop.db:db"]


# The source root

LAYOUTS = {
    "flat": ({"shop/__init__.py": FACTORY, "shop/db.py": DB}, "", "shop:create_app()"),
    "src": (
        {"src/shop/__init__.py": FACTORY, "src/shop/db.py": DB},
        "src",
        "shop:create_app()",
    ),
    "src that is a package": (
        {"src/__init__.py": FACTORY, "src/db.py": DB},
        "",
        "src:create_app()",
    ),
    "src that is imported as a package": (
        {"src/web.py": APP + "from src.db import db\n", "src/db.py": DB},
        "",
        "src.web:app",
    ),
    "src with modules": (
        {"src/web.py": APP + "from db import db\n", "src/db.py": DB},
        "src",
        "web:app",
    ),
    "backend": (
        {"backend/shop/web.py": APP + "import shop.db\n", "backend/shop/db.py": DB},
        "backend",
        "shop.web:app",
    ),
    "a folder below": (
        {"a/src/shop/web.py": APP + "import shop.db\n", "a/src/shop/db.py": DB},
        "a/src",
        "shop.web:app",
    ),
    "a name that no import can name": (
        {"my-shop/web.py": APP},
        "my-shop",
        "web:app",
    ),
    "a namespace package": (
        {"shop/web.py": APP + "from shop.db import db\n", "shop/db.py": DB},
        "",
        "shop.web:app",
    ),
    "src with __init__.py that nothing imports as a package": (
        {
            "src/__init__.py": "",
            "src/web.py": APP + "from db import db\n",
            "src/db.py": DB,
        },
        "src",
        "web:app",
    ),
    "one of several services": (
        {
            "services/api/api/web.py": APP + "from api.db import db\n",
            "services/api/api/db.py": DB,
            "services/jobs/jobs/web.py": APP,
        },
        "services/api",
        "api.web:app",
    ),
    "a package with a module that is called like a library": (
        {
            "shop/__init__.py": FACTORY,
            "shop/db.py": DB,
            "shop/celery.py": "from celery import Celery\nfrom flask import x\n",
        },
        "",
        "shop:create_app()",
    ),
    "scripts beside it": (
        {
            "shop/__init__.py": FACTORY,
            "shop/db.py": DB,
            "scripts/a.py": "import helper\nfrom flask import x\n",
            "scripts/helper.py": "",
        },
        "",
        "shop:create_app()",
    ),
}


@pytest.mark.parametrize(
    ("tree", "source_root", "app"), LAYOUTS.values(), ids=LAYOUTS.keys()
)
def test_source_root(look, tree, source_root, app):
    found = look(tree)
    assert found.source_root == source_root
    assert values(found.app)[0] == app


def test_where_is_relative_to_the_root(look):
    found = look({"src/shop/__init__.py": "\n" + FACTORY, "src/shop/db.py": DB})
    assert found.app[0].where == "src/shop/__init__.py:4"


# Is it a Flask application?


@pytest.mark.parametrize(
    ("source", "is_flask"),
    [
        (APP, True),
        (DB, True),
        (FLASK + "def create_app(config):\n    return Flask('x')\n", True),
        ("from sqlalchemy import create_engine\ne = create_engine('x')\n", False),
        ("print('flask')\n", False),
        ("import django\n", False),
    ],
)
def test_is_flask(look, source, is_flask):
    assert look({"m.py": source}).is_flask is is_flask


# What does no harm


def test_nothing_there(tmp_path):
    assert find(tmp_path) == Findings()
    assert find(str(tmp_path / "missing")) == Findings()


BROKEN = {
    "no syntax": b"from flask import Flask\ndef (:\n",
    "Python 2": b"from flask import Flask\nprint 'x'\n",
    "NUL": b"from flask import Flask\x00\napp = Flask('x')\n",
    "Latin-1 without saying so": b"from flask import Flask\nx = '\xe9'\n",
    "an unknown encoding": b"# coding: klingon\nfrom flask import Flask\n",
    "UTF-16": "from flask import Flask\napp = Flask('x')\n".encode("utf-16"),
    "too deep": b"from flask import Flask\nx = " + b"(" * 500 + b")" * 500,
    "long sums": b"from flask import Flask\napp = " + b"+".join([b"Flask"] * 9_000),
    "long chains": b"from flask import Flask\napp = Flask('x')" + b".a()" * 3_000,
    "long ladders": b"from flask import Flask\nif 0:\n    pass\n"
    + b"elif 1:\n    app = 1\n" * 1_500,
    "huge": b"from flask import Flask\napp = Flask('x')\n" + b"#" * 1_100_000,
    "a circle": b"from flask import Flask\nfrom broken import app\nx = app\n"
    b"class A(B): pass\nclass B(A): pass\n"
    b"def f():\n    return f()\ndef g():\n    return h()\ndef h():\n    return g()\n"
    b"app = f() or g() or A()\ny = z\nz = y\n",
    "a name that grows": b"from flask import Flask\nfrom broken import app\n"
    b"import broken.app as broken\nimport broken.x.y as x\nz = x.x.x.y\n",
    "odd definitions": b"from flask import Flask\na = b, *c = d = ()\n"
    b"app: Flask\nx[0] = Flask\nf().y = Flask\ndel app\n(q := Flask)\n"
    b"from ..... import up\nfrom . import broken\nimport a.b.c as d\n"
    b"@x[1]\ndef m(a, /, b, *, c): return a, *b\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_broken_file_does_no_harm(look, data):
    found = look({"broken.py": data, "shop/web.py": APP, "shop/db.py": DB})
    assert values(found.app) == ["shop.web:app"]
    assert values(found.db) == ["shop.db:db"]


def test_declared_encoding_and_byte_order_mark(look):
    found = look(
        {
            "a.py": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n" + APP.encode(),
            "b.py": b"\xef\xbb\xbf" + APP.encode(),
        }
    )
    assert values(found.app) == ["a:app", "b:app"]


def test_warnings_of_the_code_are_not_shown(look, recwarn):
    look({"m.py": APP + "x = '\\d' is 1\n"})
    assert not recwarn.list


@pytest.mark.skipif(sys.platform == "win32", reason="links and FIFOs")
def test_odd_files_do_no_harm(look, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.py").symlink_to("self.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / ".flaskenv")
    (tmp_path / "folder.py").mkdir()
    found = look({"closed/web.py": APP, "shop.py": APP})
    assert values(found.app) == ["shop:app", "closed.web:app"]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text")
def test_names_that_are_no_text(look, tmp_path):
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    with open(os.fsencode(tmp_path) + b"/\xfe.py", "w") as file:
        file.write(APP)
    assert values(look({"shop.py": APP}).app) == ["shop:app"]


def test_nothing_is_executed(look, tmp_path):
    mark = tmp_path / "mark"
    look({"m.py": APP + f"open({str(mark)!r}, 'w')\n", ".flaskenv": "FLASK_APP=m\n"})
    assert not mark.exists()
    assert "m" not in sys.modules


def test_five_thousand_files(tmp_path):
    """Less than two seconds on a slow machine; the bound leaves room for a busy one."""
    view = "from flask import Blueprint\nfrom shop.db import db\n" + "x = [1, 2]\n" * 50
    tree = {f"shop/p{n // 50}/m{n}.py": view for n in range(5_000)}
    tree |= {f"shop/p{n}/__init__.py": f"from . import m{n * 50}\n" for n in range(100)}
    models = [MODEL.replace("User", f"User{n}") for n in range(100)]
    tree |= {f"shop/p{n}/models.py": models[n] for n in range(100)}
    every = "".join(f"import shop.p{n}\n" for n in range(50))
    tree |= {"shop/__init__.py": FACTORY + every, "shop/db.py": DB}
    write(tmp_path, tree)
    start = time.perf_counter()
    found = find(tmp_path)
    assert time.perf_counter() - start < 5
    assert values(found.app) == ["shop:create_app()"]
    assert values(found.db) == ["shop.db:db"]
    assert len(found.models) == 100


def test_app_beyond_what_is_parsed(look, monkeypatch):
    monkeypatch.setattr("local_extensions.reading.modules.MAX_PARSED", 400)
    tree = {f"z/y/a{n}.py": "import Flask_a\n" + "x = 1\n" * 60 for n in range(9)}
    tree |= {"web.py": APP + "from shop.db import db\n", "shop/db.py": DB}
    found = look(tree)
    assert values(found.app) == ["web:app"]
    assert values(found.db) == ["shop.db:db"]


def test_files_that_cannot_be_parsed_are_named(look):
    assert look({"m.py": "from flask import Flask\nmatch x\n"}).broken == ("m.py",)


def test_more_code_than_is_parsed(tmp_path):
    """Beyond the bound only the import lines count: models are never lost by it."""
    big = "from shop import db\n" + "x = [" + "1, " * 100_000 + "]\n"
    tree = {f"shop/m{n}.py": big.replace("x =", f"x{n} =") for n in range(60)}
    every = "".join(f"import shop.m{n}\n" for n in range(60))
    tree |= {"shop/__init__.py": FACTORY + every, "shop/db.py": DB}
    tree |= {"shop/models.py": MODEL}
    write(tmp_path, tree)
    start = time.perf_counter()
    found = find(tmp_path)
    assert time.perf_counter() - start < 15
    assert values(found.app) == ["shop:create_app()"]
    assert found.models == ("shop.models",)
