"""What is found in an old environment: one small tree for each rule."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import alembic
import flask_migrate
import pytest

from local_extensions.findings import TakeOver
from local_extensions.takeover import take_over

# Files with the structure of stock ones, in their older and newer forms.
HEAD = """
    import logging
    from logging.config import fileConfig
    from alembic import context
    from flask import current_app

    config = context.config
    fileConfig(config.config_file_name)
    logger = logging.getLogger("alembic.env")
"""
OFFLINE = """
    def run_migrations_offline():
        '''Emit SQL. The lock_timeout is none of ours.'''
        url = config.get_main_option("sqlalchemy.url")
        context.configure(url=url, target_metadata=target_metadata, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
"""
SKIP_EMPTY = """
        def process_revision_directives(context, revision, directives):
            if getattr(config.cmd_opts, "autogenerate", False):
                if directives[0].upgrade_ops.is_empty():
                    directives[:] = []
                    logger.info("nothing to do")
"""
ONLINE = """
    def run_migrations_online():
        {skip}
        {before}
        with get_engine().connect() as connection:
            {inside}
            context.configure(
                connection=connection,
                target_metadata=target_metadata,
                {keywords}
            )
            with context.begin_transaction():
                context.run_migrations()


    if context.is_offline_mode():
        run_migrations_offline()
    else:
        run_migrations_online()
"""
URL = """
    def get_engine():
        return current_app.extensions["migrate"].db.engine

    def get_engine_url():
        return str(get_engine().url).replace("%", "%%")

    config.set_main_option("sqlalchemy.url", get_engine_url())
    target_db = current_app.extensions["migrate"].db
    target_metadata = target_db.metadata
"""
ARGS = 'conf_args = current_app.extensions["migrate"].configure_args\n'
UNLESS_GIVEN = (
    'if conf_args.get("process_revision_directives") is None:\n'
    '    conf_args["process_revision_directives"] = process_revision_directives\n'
)


def lines(text: str, depth: int) -> str:
    return indent(dedent(text).strip(), " " * depth).strip()


def env(top="", before="", inside="", keywords="**conf_args", args=True) -> str:
    """An env.py as Flask-Migrate 4 writes it, with something added."""
    before = (ARGS + UNLESS_GIVEN if args else "") + dedent(before)
    online = ONLINE.format(
        skip=lines(SKIP_EMPTY, 8),
        before=lines(before, 8),
        inside=lines(inside, 12),
        keywords=lines(keywords, 16),
    )
    return dedent(HEAD) + dedent(URL) + dedent(top) + dedent(OFFLINE) + dedent(online)


FLASK_2 = dedent(HEAD + OFFLINE) + dedent(
    """
    from sqlalchemy import engine_from_config, pool
    config.set_main_option(
        "sqlalchemy.url", current_app.config.get("SQLALCHEMY_DATABASE_URI")
    )
    target_metadata = current_app.extensions["migrate"].db.metadata

    def run_migrations_online():
        def process_revision_directives(context, revision, directives):
            if getattr(config.cmd_opts, "autogenerate", False):
                if directives[0].upgrade_ops.is_empty():
                    directives[:] = []
        engine = engine_from_config(
            config.get_section(config.config_ini_section),
            prefix="sqlalchemy.",
            poolclass=pool.NullPool,
        )
        connection = engine.connect()
        context.configure(
            connection=connection,
            target_metadata=target_metadata,
            process_revision_directives=process_revision_directives,
            **current_app.extensions["migrate"].configure_args
        )
        try:
            with context.begin_transaction():
                context.run_migrations()
        finally:
            connection.close()
    """
)
MULTIDB = dedent(HEAD) + dedent(
    """
    from sqlalchemy import MetaData
    bind_names = list(current_app.config["SQLALCHEMY_BINDS"].keys())
    target_db = current_app.extensions["migrate"].db

    def get_metadata(bind):
        m = MetaData()
        for t in target_db.metadata.tables.values():
            t.tometadata(m)
        return m

    def run_migrations_offline():
        for name, rec in engines.items():
            with open(name + ".sql", "w") as buffer:
                context.configure(
                    url=rec["url"],
                    output_buffer=buffer,
                    target_metadata=get_metadata(name),
                    literal_binds=True,
                )

    def run_migrations_online():
        for name, rec in engines.items():
            rec["connection"] = conn = engine.connect()
            rec["transaction"] = conn.begin_twophase()
            context.configure(
                connection=rec["connection"],
                upgrade_token="%s_upgrades" % name,
                downgrade_token="%s_downgrades" % name,
                target_metadata=get_metadata(name),
                **current_app.extensions["migrate"].configure_args
            )
            context.run_migrations(engine_name=name)
            rec["transaction"].prepare()
    """
)
GENERIC = dedent(
    """
    import asyncio
    from logging.config import fileConfig
    from sqlalchemy import pool
    from sqlalchemy.ext.asyncio import async_engine_from_config
    from alembic import context

    config = context.config
    if config.config_file_name is not None:
        fileConfig(config.config_file_name)
    target_metadata = None

    def do_run_migrations(connection):
        context.configure(connection=connection, target_metadata=target_metadata)
        with context.begin_transaction():
            context.run_migrations()

    async def run_async_migrations():
        connectable = async_engine_from_config(
            config.get_section(config.config_ini_section, {}),
            prefix="sqlalchemy.",
            poolclass=pool.NullPool,
        )
        async with connectable.connect() as connection:
            await connection.run_sync(do_run_migrations)
        await connectable.dispose()

    def run_migrations_offline():
        url = config.get_main_option("sqlalchemy.url")
        context.configure(url=url, target_metadata=target_metadata, literal_binds=True,
                          dialect_opts={"paramstyle": "named"})

    asyncio.run(run_async_migrations())
    """
)
INI = """
    [alembic]
    script_location = migrations
    prepend_sys_path = .
    version_path_separator = os  # Use os.pathsep.
    sqlalchemy.url = driver://user:pass@localhost/dbname
    # truncate_slug_length = 40

    [post_write_hooks]
    # hooks = black

    # Logging
    [loggers]
    keys = root,sqlalchemy,alembic,flask_migrate

    [logger_root]
    level = WARN
    handlers = console
    qualname =

    [logger_flask_migrate]
    level = INFO
    handlers =
    qualname = flask_migrate

    [formatter_generic]
    format = %(levelname)-5.5s [%(name)s] %(message)s
    datefmt = %H:%M:%S
"""
MIGRATE = "from flask_migrate import Migrate\n"
ENV, OLD_INI = "migrations/env.py", "migrations/alembic.ini"


@pytest.fixture
def look(tmp_path):
    """Take over from a tree that is given as a dictionary of its files."""

    def look(files: dict[str, str | bytes], directory="migrations") -> TakeOver:
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            text = text if isinstance(text, bytes) else dedent(text).encode()
            file.write_bytes(text)
        return take_over(tmp_path, directory)

    return look


def told(taken: TakeOver) -> list[tuple[str, str]]:
    """What is not carried over."""
    return [(item.name, item.code) for item in taken.settings if not item.carried]


@pytest.mark.parametrize(
    "text",
    [
        env(),
        env(before='conf_args.setdefault("compare_type", True)'),
        env(keywords="compare_type=True, render_as_batch=True, **conf_args"),
        env(top='import os, sys\nsys.path.insert(0, os.path.join(".", ".."))'),
        env(top="import sys\nif '.' not in sys.path:\n    sys.path.append('.')"),
        env(top="from app import create_app, db\ntarget_metadata = db.metadata\n"),
        env(top="from dotenv import load_dotenv\nload_dotenv('.env')\nprint('hi')\n"),
        env(top="import re\n'a docstring'\nprint(re)\n"),
        FLASK_2,
        MULTIDB,
        GENERIC,
    ],
)
@pytest.mark.parametrize("ini", [OLD_INI, "alembic.ini"])
def test_stock_files_have_nothing_special(look, text, ini):
    app = f"{MIGRATE}Migrate(app, db, directory='migrations', compare_type=True)\n"
    assert look({"app.py": app, ENV: text, ini: INI}) == TakeOver()


STOCK = [
    path
    for package in (alembic, flask_migrate)
    for path in sorted(Path(package.__file__).parent.glob("templates/*/env.py"))
]


@pytest.mark.parametrize("path", STOCK, ids=lambda path: path.parent.name)
def test_files_that_the_tools_write_have_nothing_special(look, path):
    files = {ENV: path.read_text(encoding="utf-8")}
    for name in ("alembic.ini.mako", "pyproject.toml.mako"):
        if (path.parent / name).exists():
            text = (path.parent / name).read_text(encoding="utf-8")
            text = text.replace("${script_location}", "migrations")
            files[name.removesuffix(".mako")] = text.replace("${prepend_sys_path}", ".")
    taken = look(files)
    assert (taken.settings, taken.configure, taken.ini) == ((), {}, {})


def test_a_new_environment_is_not_special_itself(bake):
    project = bake()
    assert take_over(project.path, "migrations") == TakeOver()
    project.edit(
        "migrations/env.py",
        '"compare_type": True,',
        '"compare_type": False, "version_table": "mine", "include_object": ours,',
    )
    taken = take_over(project.path, "migrations")
    assert taken.configure == {"compare_type": "False", "version_table": '"mine"'}
    assert told(taken) == [("include_object", "ours")]


@pytest.mark.parametrize(
    ("app", "configure"),
    [
        ("Migrate(app, db, include_schemas=True)", {"include_schemas": "True"}),
        ("M(app, db, version_table='my')", {"version_table": '"my"'}),
        ("fm.Migrate(app, db, compare_type=False)", {"compare_type": "False"}),
        (
            "migrate.init_app(app, db, render_as_batch=False)",
            {"render_as_batch": "False"},
        ),
        ("mg.init_app(app, db, include_schemas=True)", {"include_schemas": "True"}),
        ("M().init_app(app, db, include_schemas=True)", {"include_schemas": "True"}),
        ("S = 'a'\nMigrate(version_table_schema=S)", {"version_table_schema": '"a"'}),
        ("A = dict(include_schemas=True)\nM(**A)", {"include_schemas": "True"}),
        ("A = {'compare_type': False}\nM(a, b, **A)", {"compare_type": "False"}),
        (
            "if __name__ == '__main__':\n    M(a, b, compare_type=False)",
            {"compare_type": "False"},
        ),
        # not of this environment, not Flask-Migrate's, not known before run time
        ("M(a, b, 'other', compare_type=False)\nM(a, b, directory='./migrations')", {}),
        ("login.init_app(app, include_schemas=True)", {}),
        ("Manager(app, include_schemas=True)", {}),
        ("if sqlite:\n    M(a, b, compare_type=False)", {}),
        ("M(a, b, version_table='c')\nM(c, d, version_table='d')", {}),
        ("M(a, b, version_table=name())", {}),
        ("M(a, b, frobnicate=True)", {}),
    ],
)
@pytest.mark.parametrize("old", [{}, {ENV: env()}])
def test_what_the_app_gives_to_flask_migrate(look, app, configure, old):
    imports = (
        "import flask_migrate as fm\nfrom flask_migrate import Migrate, Migrate as M\n"
        "from .extensions import migrate, migrate as mg\n"
    )
    made = f"{MIGRATE}migrate: Migrate = Migrate()\n"
    taken = look({"shop/extensions.py": made, "shop/app.py": imports + app, **old})
    assert taken.configure == configure
    carried = {item.name: item.code for item in taken.settings if item.carried}
    assert carried == configure


def test_another_app_in_the_folder_has_settings_of_its_own(look):
    """Only the `Migrate(...)` of the db that is chosen counts."""
    app = (
        "from flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\n"
        f"{MIGRATE}app = Flask('x')\ndb = SQLAlchemy(app)\n"
    )
    first = (
        f"{app}class A(db.Model):\n    pass\nMigrate(app, db, include_schemas=True)\n"
    )
    other = f"{app}Migrate(app, db, version_table='b', compare_type=False)\n"
    taken = look({"app.py": first, "other.py": other, ENV: env()})
    assert taken.configure == {"include_schemas": "True"}


@pytest.mark.parametrize(
    "config",
    [
        "app.config['ALEMBIC_CONTEXT'] = {'version_table': 'mine'}",
        "class Config:\n    ALEMBIC_CONTEXT = {'version_table': 'mine'}",
        "app.config.from_mapping(ALEMBIC_CONTEXT=dict(version_table='mine'))",
        "app.config.update({'ALEMBIC_CONTEXT': {'version_table': 'mine'}})",
    ],
)
def test_what_the_app_gives_to_flask_alembic(look, config):
    """Its revisions lie in a folder without env.py, which Alembic is told of."""
    files = {
        "shop/app.py": f"from flask_alembic import Alembic\n{config}\n",
        "shop/migrations/1_first.py": "revision = '1'\ndown_revision = None\n",
    }
    taken = look(files, "shop/migrations/environment")
    assert taken.configure == {"version_table": '"mine"'}
    assert taken.ini == {"version_locations": "%(here)s/shop/migrations"}
    assert taken.keeps_style


@pytest.mark.parametrize(
    ("given", "env_py", "configure"),
    [
        # Who wins is who wins when the old env.py runs.
        ("", env(keywords="include_schemas=True"), {"include_schemas": "True"}),
        ("compare_type=False", env(keywords="", args=False), {}),
        (
            "version_table='a'",
            env(
                before='conf_args.pop("version_table")',
                keywords="version_table='b', **conf_args",
            ),
            {"version_table": '"b"'},
        ),
        ("version_table='a'", env(before='del conf_args["version_table"]'), {}),
        (
            "version_table='a'",
            env(before='conf_args["version_table"] = "b"'),
            {"version_table": '"b"'},
        ),
        (
            "version_table='a'",
            env(before='conf_args.setdefault("version_table", "b")'),
            {"version_table": '"a"'},
        ),
        (
            "",
            env(before='conf_args.setdefault("version_table", "b")'),
            {"version_table": '"b"'},
        ),
        (
            "version_table='a'",
            env(
                before="if not conf_args.get('version_table'):\n    conf_args['version_table'] = 'b'"
            ),
            {"version_table": '"a"'},
        ),
        (
            "version_table='a'",
            env(
                before="more = {'version_table': 'b'}\nmore.update(conf_args)",
                keywords="**more",
            ),
            {},  # told: nothing says in which order
        ),
        (
            "version_table='a'",
            env(before="more = {**conf_args, 'version_table': 'b'}", keywords="**more"),
            {"version_table": '"b"'},
        ),
        ("", env(before='conf_args.setdefault("render_as_batch", False)'), {}),
        ("", env(before="if mysql:\n    conf_args['include_schemas'] = True"), {}),
        (
            "",
            env(
                top="def more():\n    return {'include_schemas': True}",
                keywords="**more()",
            ),
            {"include_schemas": "True"},
        ),
        ("", env(top='T = "t"', keywords="version_table=T"), {"version_table": '"t"'}),
        (
            "",
            "def go(**more):\n    context.configure(include_schemas=True, **more)\n"
            "go(connection=c, version_table='b')\ngo(url=u, version_table='b')\n",
            {"include_schemas": "True", "version_table": '"b"'},
        ),
        (
            "",
            f"def go(**more):\n    {ARGS}    conf_args.update(more)\n"
            "    context.configure(connection=c, **conf_args)\ngo(include_schemas=True)\n",
            {"include_schemas": "True"},
        ),
        ("", "context.configure(url=u, version_table='b')", {"version_table": '"b"'}),
        (
            "",
            "context.configure(url=u, version_table='b')\ncontext.configure(connection=c)",
            {},
        ),
        (
            "",
            "context.configure(connection=c, version_table='b')\n"
            "context.configure(connection=d, version_table='c')\n",
            {},
        ),
        (
            "",
            env(keywords="transaction_per_migration=False, transactional_ddl=True"),
            {"transaction_per_migration": "False", "transactional_ddl": "True"},
        ),
        ("", env(keywords="include_object=None, **conf_args"), {}),
        (
            "",
            env(keywords="compare_server_default=False, template_args={'a': [1]}"),
            {"compare_server_default": "False", "template_args": '{"a": [1]}'},
        ),
    ],
)
def test_what_env_py_gives_to_configure(look, given, env_py, configure):
    app = f"{MIGRATE}Migrate(app, db, {given})\n"
    assert look({"app.py": app, ENV: env_py}).configure == configure


LEFT = {
    "a statement": ("inside", "connection.execute(text('SET ROLE owner'))"),
    "a lock": ("inside", "connection.execute(select(func.pg_advisory_lock(1)))"),
    "a call": ("inside", "notify_team()"),
    "before the connection": ("before", "engine.dispose()"),
    "a text": ("top", "OPTIONS = '-c lock_timeout=4s'"),
    "a listener": ("top", "event.listen(Engine, 'connect', set_up)"),
    "an argument": ("top", "tenant = context.get_x_argument(as_dictionary=True)"),
    "a variable": ("top", "quiet = os.environ['QUIET']"),
    "binds": ("top", "current_app.config['SQLALCHEMY_BINDS'].pop('logs')"),
    "a patch": ("top", "Impl.compare_type = lambda *args: False"),
    "an attribute": ("top", "quiet = config.attributes.get('quiet')"),
    "a section": ("top", "skip = config.get_section('alembic:exclude')"),
    "two collections": ("top", "target_metadata = [a.metadata, b.metadata]"),
    "a path": ("top", "sys.path.append('lib')"),
    "a file": ("top", "load_dotenv('.env.migrations')"),
    "an engine": ("top", "engine = create_engine(url, connect_args={})"),
    "a class": ("top", "class Thing:\n    pass"),
    "a function": ("top", "def other():\n    return 1"),
    "a decorated function": ("top", "@mark(1)\ndef other():\n    pass"),
    "a condition": ("top", "if mysql:\n    patch()"),
    "a module": ("top", "import shop.audit"),
}


@pytest.mark.parametrize(("place", "code"), LEFT.values(), ids=LEFT)
def test_every_statement_that_no_stock_file_has_is_told(look, place, code):
    files = {"shop/__init__.py": "", "shop/models.py": "", "shop/audit.py": ""}
    text = env(**{place: code})
    (setting,) = look({**files, ENV: text}).settings
    assert (setting.name, setting.code) == ("", " ".join(code.split()))
    assert not setting.carried
    path, _, line = setting.where.partition(":")
    here = dedent(text).splitlines()[int(line) - 1 :]
    assert path == ENV and code.splitlines()[-1].strip() in "\n".join(here[:2])


def test_a_password_is_not_told(look):
    text = env(top="config.set_main_option('sqlalchemy.url', 'x://me:secret@host/db')")
    (setting,) = look({ENV: text}).settings
    assert "x://me:***@host/db" in setting.code


def test_statements_of_a_block_that_is_not_stock(look):
    """The block holds what each env.py has: only what is new in it is told."""
    text = env().replace("with get_engine().connect()", "with engine.begin()")
    text = text.replace("context.run_migrations()", "lock(); context.run_migrations()")
    assert told(look({ENV: text})) == [("", "lock()")] * 2


# The code that a value needs

INCLUDE = """
    def include_object(object, name, type_, reflected, compare_to):
        # those of PostGIS
        return name not in SKIP
"""
COPIED = {
    "a function": (
        f"SKIP = {{'spatial_ref_sys'}}\n{dedent(INCLUDE)}",
        "include_object=include_object",
        "SKIP = {'spatial_ref_sys'}\n\n\n" + dedent(INCLUDE).strip(),
    ),
    "a module": (
        "import os, re\nSKIP = re.compile(os.sep)\n"
        "def name_of(*args):\n    return SKIP.match(args[1])\n",
        "include_name=name_of",
        "import os\nimport re\nSKIP = re.compile(os.sep)\n\n\n"
        "def name_of(*args):\n    return SKIP.match(args[1])",
    ),
    "a lambda": ("SKIP = 'a'", "include_name=lambda n, t, p: n != SKIP", "SKIP = 'a'"),
    "a variable with a default": (
        "import os",
        "version_table_schema=os.getenv('SCHEMA', 'public')",
        "import os",
    ),
    "a section of alembic.ini": (
        "SKIP = config.get_section('alembic:exclude')['tables']\n" + dedent(INCLUDE),
        "include_object=include_object",
        "SKIP = config.get_section('alembic:exclude')['tables']\n\n\n"
        + dedent(INCLUDE).strip(),
    ),
    "a library": (
        "from geoalchemy2 import alembic_helpers",
        "render_item=alembic_helpers.render_item",
        "from geoalchemy2 import alembic_helpers",
    ),
    "the application at run time": (
        "def mine(*args):\n    return current_app.debug",
        "include_object=mine",
        "def mine(*args):\n    return current_app.debug",
    ),
    "a rewriter with what is registered": (
        "from alembic.autogenerate import rewriter\nwriter = rewriter.Rewriter()\n"
        "@writer.rewrites(1)\ndef order(context, revision, op):\n    return op\n",
        "process_revision_directives=writer",
        "from alembic.autogenerate import rewriter\nwriter = rewriter.Rewriter()\n\n\n"
        "@writer.rewrites(1)\ndef order(context, revision, op):\n    return op",
    ),
    "two functions": (
        "def a():\n    return b()\ndef b():\n    return 1\n",
        "on_version_apply=a",
        "def a():\n    return b()\n\n\ndef b():\n    return 1",
    ),
}


@pytest.mark.parametrize(("top", "keyword", "code"), COPIED.values(), ids=COPIED)
def test_the_code_that_a_value_needs_is_copied(look, top, keyword, code):
    taken = look({ENV: env(top=top, keywords=f"{keyword}, **conf_args")})
    name, _, value = keyword.partition("=")
    assert taken.configure == {name: value.replace("'", '"')}
    assert "\n".join(filter(None, [*taken.imports, taken.code])) == code
    assert told(taken) == []


def test_a_function_inside_a_function_is_copied(look):
    """With what stands beside it there."""
    before = (
        "ignored = {'jobs'}\ndef include_object(obj, name, *args):\n"
        "    return name not in ignored\n"
        "conf_args.setdefault('include_object', include_object)\n"
    )
    taken = look({ENV: env(before=before)})
    assert taken.configure == {"include_object": "include_object"}
    assert taken.code == (
        "ignored = {'jobs'}\n\n\ndef include_object(obj, name, *args):\n"
        "    return name not in ignored"
    )
    assert told(taken) == []


def test_a_callback_that_does_more_than_leave_out_empty_revisions_is_copied(look):
    text = env().replace("directives[:] = []", "directives[:] = []; tell(1)")
    text = text.replace(
        "config = context", "from shop.tools import tell\nconfig = context"
    )
    taken = look({ENV: text})
    name = "process_revision_directives"
    assert taken.configure == {name: name}
    assert taken.imports == ("import logging", "from shop.tools import tell")
    assert "directives[:] = []; tell(1)" in taken.code
    assert taken.code.startswith("logger = logging.getLogger")


NOT_COPIED = {
    "a name that is bound nowhere": "x = 1",
    "a name that is bound twice": "mine = 1\nmine = make()",
    "the application before it is there": "mine = current_app.config['X']",
    "a name of env.py": "def mine(*args):\n    return app.name\napp = make()",
    "Flask-Migrate": "def mine(*args):\n    return current_app.extensions['migrate']",
    "on a condition": "if x:\n    def mine(*args):\n        return True",
}


@pytest.mark.parametrize("top", NOT_COPIED.values(), ids=NOT_COPIED)
def test_a_value_that_cannot_be_copied_is_told(look, top):
    taken = look({ENV: env(top=top, keywords="include_object=mine, **conf_args")})
    assert (taken.configure, taken.code) == ({}, "")
    assert ("include_object", "mine") in told(taken)


def test_a_function_of_the_application_is_copied(look):
    app = f"import re\n{MIGRATE}SKIP = re.compile('x')\n{dedent(INCLUDE)}"
    app += "Migrate(app, db, include_object=include_object)\n"
    taken = look({"app.py": app, ENV: env()})
    assert taken.configure == {"include_object": "include_object"}
    assert taken.imports == ("import re",)
    assert taken.code.startswith("SKIP = re.compile('x')\n")


def test_a_function_that_needs_the_application_is_told(look):
    app = f"from shop import SKIP\n{MIGRATE}{dedent(INCLUDE)}"
    app += "Migrate(app, db, include_object=include_object)\n"
    taken = look({"app.py": app, ENV: env()})
    assert told(taken) == [("include_object", "include_object")]
    assert taken.settings[0].where == "app.py:7"


def test_a_library_that_changes_alembic_is_imported(look):
    taken = look({ENV: env(top="import alembic_postgresql_enum")})
    assert taken.imports == ("import alembic_postgresql_enum  # noqa: F401",)
    assert told(taken) == []


def test_an_env_py_of_a_newer_python_is_named(look):
    taken = look({ENV: "match x:\n    case (: pass\n"})
    assert taken.broken == ENV


def test_a_setting_in_an_env_py_of_ours_counts(look):
    """It was said to have no effect where `Migrate(...)` is given the same."""
    app = "from flask_migrate import Migrate\nMigrate(app, db, include_object=mine)\n"
    ours = 'import flask_alembic_env\nsettings = {\n    "include_object": mine,\n}\n'
    (item,) = look({ENV: ours, "app.py": app}).settings
    assert (item.name, item.where) == ("include_object", f"{ENV}:3")


@pytest.mark.parametrize(
    ("ini", "values"),
    [
        ("file_template = %%(rev)s_x", {"file_template": "%%(rev)s_x"}),
        ("timezone = Europe/Vienna", {"timezone": "Europe/Vienna"}),
        ("timezone = UTC\nsourceless = false\noutput_encoding = utf-8", {}),
        ("truncate_slug_length = 40\ntimezone =", {}),
        ("Truncate_Slug_Length: 60", {"truncate_slug_length": "60"}),
        ("exclude = a\n    b", {"exclude": "a\n    b"}),
        ("prepend_sys_path = . src\nscript_location = x", {}),
        ("prepend_sys_path = . lib", {"prepend_sys_path": ". lib"}),
        ("version_path_separator = :", {"version_path_separator": ":"}),
        (
            "path_separator = os\nversion_locations = a:b",
            {"version_locations": "a:b"},
        ),
        (
            "version_path_separator = os  # as usual\nversion_locations = a:b",
            {"version_locations": "a:b", "version_path_separator": "os"},
        ),
        (
            "version_locations = a, %(here)s/b",
            {
                "version_locations": "a %(here)s/migrations/b",
                "version_path_separator": "space",
                "path_separator": "space",
            },
        ),
    ],
)
def test_what_the_ini_sets(look, ini, values):
    taken = look({ENV: env(), OLD_INI: f"[alembic]\n{ini}\n"})
    assert taken.ini == values
    names = {item.name for item in taken.settings if item.carried}
    assert names == {name for name in values if name in ini.lower()} - (
        {"path_separator"} if "\npath_separator" not in f"\n{ini}" else set()
    )


@pytest.mark.parametrize(
    ("ini", "name", "code"),
    [
        (
            "sqlalchemy.url = x://me:secret@host/db",
            "sqlalchemy.url",
            "x://me:***@host/db",
        ),
        ("sqlalchemy.echo = true", "sqlalchemy.echo", "true"),
        ("databases = one, two", "databases", "one, two"),
        (
            "[one]\nsqlalchemy.url = x://me:secret@host",
            "[one]",
            "sqlalchemy.url = x://me:***@host",
        ),
        ("[logger_shop]\nlevel = INFO", "[logger_shop]", "level = INFO"),
    ],
)
def test_what_the_ini_sets_that_is_not_carried(look, ini, name, code):
    taken = look({ENV: GENERIC, "alembic.ini": f"[alembic]\n{ini}\n"})
    assert told(taken) == [(name, code)]
    assert (taken.ini, taken.sections) == ({}, "")


def test_options_in_pyproject_are_left_there(look):
    toml = '[tool.alembic]\nscript_location = "x"\n[[tool.alembic.post_write_hooks]]\n'
    assert look({"pyproject.toml": toml}).toml == (
        "script_location",
        "post_write_hooks",
    )
    assert look({"pyproject.toml": "[tool]\nalembic = 1\n"}).toml == ()
    assert look({"pyproject.toml": "tool = 1\n"}).toml == ()
    assert look({"pyproject.toml": "no TOML"}).toml == ()


@pytest.mark.parametrize(
    ("files", "keeps"),
    [
        ({ENV: env(), "migrations/versions/1_a.py": "down_revision = None\n"}, True),
        ({ENV: env(), "migrations/versions/notes.py": ""}, False),
        ({ENV: env()}, False),
        (
            {
                ENV: "import flask_alembic_env",
                "migrations/versions/1_a.py": "down_revision = None\n",
            },
            False,
        ),
    ],
)
def test_a_history_keeps_its_style(look, files, keeps):
    assert look(files).keeps_style is keeps


def test_sections_are_carried_as_they_are(look):
    hooks = "[post_write_hooks]\n# which\nhooks = black\nblack.options = -l 79 %(here)s"
    own = "[alembic:exclude]\n\ntables = a,\n  b"
    stock = "# Logging\n[loggers]\nkeys = root,sqlalchemy,alembic\n"
    ini = f"[alembic]\n{hooks}\n\n# mine\n{own}\n\n{stock}[flask_migrate]\na = b\n"
    for path, here in (("alembic.ini", "%(here)s"), (OLD_INI, "%(here)s/migrations")):
        taken = look({ENV: GENERIC, "alembic.ini": "", path: ini})
        assert taken.sections == f"{hooks}\n\n{own}".replace("%(here)s", here)
        assert [item.name for item in taken.settings if item.carried] == [
            "[post_write_hooks]",
            "[alembic:exclude]",
        ]


@pytest.mark.parametrize(("text", "counts"), [(env(), "beside"), (GENERIC, "root")])
def test_of_two_ini_files_the_one_that_is_used_counts(look, text, counts):
    files = {
        OLD_INI: "[alembic]\ntimezone = beside\n",
        "alembic.ini": "[alembic]\ntimezone = root\ntruncate_slug_length = 9\n",
    }
    taken = look({ENV: text, **files})
    assert taken.ini == {"timezone": counts, "truncate_slug_length": "9"}
    (other,) = (item for item in taken.settings if not item.carried)
    assert other.code != counts


def test_settings_are_in_the_order_of_the_files(look):
    app = f"{MIGRATE}Migrate(app, db, include_schemas=True)\n"
    text = env(
        top="a = os.environ['A']\nb = os.environ['B']",
        keywords="user_module_prefix='a.', **conf_args",
    )
    ini = "[alembic]\ntimezone = x\ntruncate_slug_length = 9\n"
    taken = look({"app.py": app, ENV: text, OLD_INI: ini})
    places = [item.where.partition(":") for item in taken.settings]
    assert [path for path, _, _ in places] == ["app.py", *[ENV] * 3, *[OLD_INI] * 2]
    numbers = [int(line) for path, _, line in places if path == ENV]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\xff\xfe\x00",
        b"def (",
        b"# coding: latin-1\nx = '\xe9'\n",
        b"(" * 5000,
        b"x = " + b"-" * 100_000 + b"1",
        b"args = args\ncontext.configure(connection=c, **args)",
        b"def f(**k): return f(**k)\ncontext.configure(url=1, **f())",
        b"target_metadata = target_metadata\ndef a(): return a()\ntarget_metadata = a()",
        b"context.configure(**{**{}, 'a': (yield)}, b=lambda: 0)",
        b"[alembic\na = b\n",
        b"a = b\n[alembic]\n  c\nkey\n = 1\n[alembic]\n[[x]]\n",
        b"[DEFAULT]\na = %(b)s\n[alembic]\ntimezone = %(nothing)s %\n",
    ],
)
def test_nothing_does_harm(look, data):
    paths = ("app.py", ENV, OLD_INI, "alembic.ini")
    for path in paths:
        assert isinstance(
            look({path: MIGRATE.encode() + data if path == "app.py" else data}),
            TakeOver,
        )


def test_no_files_give_nothing(look, tmp_path):
    assert look({}) == take_over(tmp_path / "none", ".") == TakeOver()


def test_an_unreadable_file_does_not_hide_the_others(look):
    app = f"{MIGRATE}Migrate(app, db, include_schemas=True)\n"
    files = {"app.py": app, ENV: "def (", OLD_INI: b"[alembic]\ntimezone = \xe9\n"}
    taken = look(files)
    assert taken.configure == {"include_schemas": "True"}
    assert taken.ini == {"timezone": "\xe9"}
