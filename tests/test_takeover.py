"""What is found in an old environment: one small tree for each rule."""

from __future__ import annotations

import re
from textwrap import dedent, indent

import pytest

from local_extensions.takeover import TakeOver, take_over

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
            rec["transaction"] = rec["connection"].begin_twophase()
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


def listed(taken: TakeOver) -> dict[str, str]:
    return {item.name: item.code for item in taken.settings}


@pytest.mark.parametrize(
    "text",
    [
        env(),
        env(before='conf_args.setdefault("compare_type", True)'),
        env(keywords="compare_type=True, render_as_batch=True, **conf_args"),
        env(top='import os, sys\nsys.path.insert(0, os.path.join(".", ".."))'),
        env(top="from app import create_app, db\ncreate_app().app_context().push()\n"),
        env(top="from dotenv import load_dotenv\nload_dotenv('.env')\nprint('hi')\n"),
        env(top="import re\nimport click\nfrom rich import print\nclick.Abort\n"),
        FLASK_2,
        MULTIDB,
        GENERIC,
    ],
)
@pytest.mark.parametrize("ini", [OLD_INI, "alembic.ini"])
def test_stock_files_have_nothing_special(look, text, ini):
    app = f"{MIGRATE}Migrate(app, db, directory='migrations', compare_type=True)\n"
    assert look({"app.py": app, ENV: text, ini: INI}) == TakeOver()


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
    assert [item.name for item in taken.settings if not item.carried] == [
        "include_object"
    ]


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
            {"version_table": '"a"'},
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
            env(keywords="transaction_per_migration=True, transactional_ddl=True"),
            {},
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


def test_what_had_no_effect_is_told(look):
    app = f"{MIGRATE}Migrate(app, db, include_schemas=True, version_table='a')\n"
    text = env(before="conf_args['version_table'] = 'b'")
    (old,) = (
        item for item in look({"app.py": app, ENV: text}).settings if not item.carried
    )
    assert (old.name, old.code, old.where) == ("version_table", '"a"', "app.py:2")
    assert old.advice.startswith("had no effect: migrations/env.py:")
    old = look({ENV: env(keywords="", args=False)}).settings
    assert [item.advice for item in old] == ["had no effect: env.py did not use it"] * 2


@pytest.mark.parametrize(
    ("text", "name", "code", "advice"),
    [
        (
            env(keywords="include_object=mine, **conf_args"),
            "include_object",
            "mine",
            "settings",
        ),
        (env(keywords="compare_type=mine"), "compare_type", "mine", "settings"),
        (
            env(before="conf_args['render_item'] = mine"),
            "render_item",
            "mine",
            "settings",
        ),
        (
            env(keywords="on_version_apply=mine"),
            "on_version_apply",
            "mine",
            "settings",
        ),
        (
            env(keywords="transaction_per_migration=True"),
            "transaction_per_migration",
            "True",
            "not needed",
        ),
        (env(keywords="**options()"), "**", "options()", "not known"),
        (
            env().replace("directives[:] = []", "directives[0].rev_id = '1'"),
            "process_revision_directives",
            "process_revision_directives",
            "add it to `settings`",
        ),
        (
            env().replace("directives[:] = []", "sort(directives)"),
            "process_revision_directives",
            "process_revision_directives",
            "add it to `settings`",
        ),
        (
            env(inside="connection.execute(text('SET ROLE owner'))"),
            "SET ROLE statement",
            'connection.execute(text("SET ROLE owner"))',
            "context.execute",
        ),
        (
            env(inside="connection.execute('SET search_path TO ' + schema)"),
            "search_path statement",
            'connection.execute("SET search_path TO " + schema)',
            "context.execute",
        ),
        (
            env(inside="connection.execute(CreateSchema('a'))"),
            "statement",
            'connection.execute(CreateSchema("a"))',
            "context.execute",
        ),
        (
            env(top="OPTIONS = '-c lock_timeout=4s'"),
            "lock_timeout statement",
            '"-c lock_timeout=4s"',
            "not needed",
        ),
        (
            env(inside="connection.execute(select(func.pg_advisory_lock(1)))"),
            "run lock",
            "connection.execute(select(func.pg_advisory_lock(1)))",
            "not needed",
        ),
        (
            env(inside="connection.execute('PRAGMA foreign_keys=OFF')"),
            "PRAGMA foreign_keys statement",
            'connection.execute("PRAGMA foreign_keys=OFF")',
            "not needed",
        ),
        (
            env(
                top="@event.listens_for(Engine, 'connect')\ndef set_up(c, r):\n    frob(c)\n"
            ),
            "event listener",
            'event.listens_for(Engine, "connect")',
            "engine",
        ),
        (
            env(top="tenant = context.get_x_argument(as_dictionary=True)['tenant']"),
            "-x argument",
            "context.get_x_argument(as_dictionary=True)",
            "env.py",
        ),
        (
            env(top="quiet = os.environ['QUIET']"),
            "environment variable",
            'os.environ["QUIET"]',
            "env.py",
        ),
        (
            env(top="config.set_main_option('sqlalchemy.url', os.getenv('ADMIN_URL'))"),
            "environment variable",
            'os.getenv("ADMIN_URL")',
            "URL",
        ),
        (
            env(
                top="config.set_main_option('sqlalchemy.url', 'x://me:secret@host/db')"
            ),
            "sqlalchemy.url",
            'config.set_main_option("sqlalchemy.url", "x://me:***@host/db")',
            "URL",
        ),
        (
            env(top="skip = config.get_section('alembic:exclude')"),
            "option of alembic.ini",
            'config.get_section("alembic:exclude")',
            "alembic.ini",
        ),
        (
            env(top="quiet = config.attributes.get('quiet')"),
            "config.attributes",
            'config.attributes.get("quiet")',
            "env.py",
        ),
        (
            env(top="target_metadata = Base.metadata"),
            "target_metadata",
            "Base.metadata",
            "answer",
        ),
        (
            env(
                top="def both():\n    return [a.metadata, b.metadata]\ntarget_metadata = both()"
            ),
            "target_metadata",
            "[a.metadata, b.metadata]",
            "answer",
        ),
        (
            env(top="from shop import models"),
            "import",
            "from shop import models",
            "answer",
        ),
        (env(top="import shop.audit"), "import", "import shop.audit", "answer"),
        (
            env(top="import alembic_postgresql_enum"),
            "import",
            "import alembic_postgresql_enum",
            "env.py",
        ),
        (
            env(top="writer = Rewriter()"),
            "rewriter",
            "Rewriter()",
            "add it to `settings`",
        ),
        (
            env(
                top="@renderers.dispatch_for(Op)\ndef render(c, op):\n    return draw(op)\n"
            ),
            "extension of Alembic",
            "renderers.dispatch_for(Op)",
            "env.py",
        ),
        (
            env(top="sys.path.append('lib')"),
            "sys.path",
            'sys.path.append("lib")',
            "sys.path",
        ),
        (
            env(top="load_dotenv('.env.migrations')"),
            "load_dotenv",
            'load_dotenv(".env.migrations")',
            "top",
        ),
        (
            env(top="logging.basicConfig(level=10)"),
            "logging",
            "logging.basicConfig(level=10)",
            "not needed",
        ),
        (
            env(top="engine = create_engine(url, connect_args={})"),
            "engine",
            "create_engine(url, connect_args={})",
            "not needed",
        ),
        (env(inside="notify_team()"), "notify_team()", "notify_team()", "copy it"),
        (env(top="class Thing:\n    pass\n"), "class Thing", "Thing", "copy it"),
    ],
)
def test_what_env_py_does_besides(look, text, name, code, advice):
    files = {"shop/__init__.py": "", "shop/models.py": "", "shop/audit.py": ""}
    taken = look({**files, ENV: text})
    assert listed(taken) == {name: code}, "this alone is special"
    (setting,) = taken.settings
    assert not setting.carried and advice in setting.advice
    path, _, line = setting.where.partition(":")
    first = dedent(text).splitlines()[int(line) - 1]
    assert path == ENV and set(re.findall(r"\w{4,}", f"{name} {code}")) & set(
        re.findall(r"\w+", first)
    )


def test_what_migrate_is_given_has_no_effect_where_env_py_does_not_use_it(look):
    """Not even if env.py gives another one of the same name to Alembic."""
    app = "from flask_migrate import Migrate\nMigrate(app, db, include_object=mine)\n"
    text = "context.configure(connection=c, include_object=other)\n"
    first, second = look({ENV: text, "app.py": app}).settings
    assert (first.code, second.code) == ("mine", "other")
    assert "no effect" in first.advice and "no effect" not in second.advice


def test_a_setting_in_an_env_py_of_ours_counts(look):
    """It was said to have no effect where `Migrate(...)` is given the same."""
    app = "from flask_migrate import Migrate\nMigrate(app, db, include_object=mine)\n"
    ours = 'import flask_alembic_env\nsettings = {\n    "include_object": mine,\n}\n'
    (item,) = look({ENV: ours, "app.py": app}).settings
    assert (item.name, item.where) == ("include_object", f"{ENV}:3")
    assert "no effect" not in item.advice


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
    assert names == values.keys() - {"path_separator"} - (
        {"version_path_separator"} if "version_locations" in values else set()
    )


@pytest.mark.parametrize(
    ("ini", "name", "code", "advice"),
    [
        (
            "sqlalchemy.url = x://me:secret@host/db",
            "sqlalchemy.url",
            "x://me:***@host/db",
            "URL",
        ),
        ("sqlalchemy.echo = true", "sqlalchemy.echo", "true", "ENGINE_OPTIONS"),
        ("databases = one, two", "databases", "one, two", "BINDS"),
        (
            "[one]\nsqlalchemy.url = x://me:secret@host",
            "[one]",
            "sqlalchemy.url",
            "BINDS",
        ),
        ("[logger_root]\nlevel = DEBUG", "[logger_root]", "level = DEBUG", "copy it"),
        ("[logger_shop]\nlevel = INFO", "[logger_shop]", "level = INFO", "copy it"),
    ],
)
def test_what_the_ini_sets_that_is_not_carried(look, ini, name, code, advice):
    taken = look({ENV: GENERIC, "alembic.ini": f"[alembic]\n{ini}\n"})
    assert listed(taken) == {name: code}
    assert advice in taken.settings[0].advice and not taken.settings[0].carried
    assert (taken.ini, taken.sections) == ({}, "")


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
    assert other.code != counts and "counts" in other.advice


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
