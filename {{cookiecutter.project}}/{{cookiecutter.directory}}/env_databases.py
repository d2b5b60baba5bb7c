"""For env.py: the databases of the app. Most have one; Flask-SQLAlchemy's binds are more.

With several, a revision has a function for each, as Flask-Migrate and Alembic write them:
`upgrade(engine_name)` calls `upgrade_audit()`, and each has an `alembic_version` table.

    alembic -x bind=audit upgrade head    that one only (`default`: the one without a name)

In alembic.ini, `binds = audit, cache` names those to migrate, and `binds =` is for none.
"""

import asyncio
import logging
import re
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import wraps

import sqlalchemy
from alembic import context
from alembic.util import CommandError
from env_options import option, refuse_misspelt
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

log = logging.getLogger("alembic.env")


@dataclass
class Database:
    """A database to migrate."""

    name: str  # of the bind; "" is the default
    engine: Engine
    metadata: MetaData
    options: dict = field(default_factory=dict)  # for context.configure
    others: list = field(default_factory=list)  # that are the same database again
    arguments: dict = field(default_factory=dict)  # for the functions of a revision

    def shares_with(self, other):
        """Whether two binds are one database. Each then has its own version table."""
        if self is other or self.engine is None or other.engine is None:
            return False
        return self.engine.url == other.engine.url

    @property
    def given(self):
        """The connection or engine that the code which called Alembic wants to be used.

        See "Sharing a Connection across one or more programmatic migration commands" in
        https://alembic.sqlalchemy.org/en/latest/cookbook.html
        """
        return None if self.name else context.config.attributes.get("connection")

    def connect(self):
        if isinstance(self.given, Connection):
            return nullcontext(self.given)  # to close it is not our business
        return connected(self.given or self.engine)

    @contextmanager
    def offline(self):
        """Options for --sql. With several databases, each writes a file of its own."""
        options = {
            "url": self.engine.url,
            "literal_binds": True,
            "transaction_per_migration": True,
            "dialect_opts": {"paramstyle": "named"},
        }
        if not self.arguments:
            yield options
            return
        name = f"{self.name or 'default'}.sql"
        log.info("Writing %s", name)
        with open(name, "w", encoding="utf-8") as file:
            yield {**options, "output_buffer": file}


def connected(engine):
    """A connection; if there is none, the `alembic` command says why in one line."""
    try:
        return engine.connect()
    except OperationalError as error:
        if not context.config.cmd_opts:
            raise
        reason = str(error.orig).partition("\n")[0]
        raise CommandError(f"Can't connect to {engine.url!r}: {reason}") from None


def databases_of(db, metadata):
    """The databases to migrate, the default one first.

    :raises CommandError: where there is none, or none of the name in `-x bind`.
    """
    refuse_misspelt()
    engines = engines_of(db)
    found = [Database("", engines.get(""), metadata)]
    for name in binds_to_migrate(db, [name for name in engines if name]):
        found.append(Database(name, engines[name], db.metadatas[name]))
    several = len(found) > 1
    if several:
        for number, database in enumerate(found):
            name = re.sub(r"\W", "_", database.name)
            if any(database.shares_with(other) for other in found[:number]):
                database.options["version_table"] = f"alembic_version_{name}"
            database.others = [other for other in found if database.shares_with(other)]
            database.arguments["engine_name"] = name
            database.options["upgrade_token"] = f"{name}_upgrades"
            database.options["downgrade_token"] = f"{name}_downgrades"
        names = [database.arguments["engine_name"] for database in found]
        context.config.attributes["engine_names"] = names  # for script.py.mako
        call_with_names()
    only = option("bind")
    if only is not None:
        name = "" if only == "default" else only
        found = [database for database in found if database.name == name]
    found = [database for database in found if database.engine is not None]
    if not found:
        raise CommandError(
            "The application has no default database: set SQLALCHEMY_DATABASE_URI"
            if only is None
            else f"-x bind={only}: the app has no such bind, or it is not migrated"
        )
    return found


def engines_of(db):
    """The app's own engines by their bind's name, with their options and listeners.

    :raises CommandError: where `db` and the app don't know each other.
    """
    try:
        if isinstance(db, Engine) or hasattr(db, "sync_engine"):
            engines = {None: db}
        elif hasattr(db, "engines"):
            engines = {**getattr(db, "async_engines", {}), **db.engines}
        else:  # Flask-SQLAlchemy 2
            engines = {None: db.engine}
    except RuntimeError as error:
        raise CommandError(str(error)) from None
    # Flask-SQLAlchemy-Lite calls "default" what for Flask-SQLAlchemy is None.
    return {
        "" if name in (None, "default") else name: usable(engine)
        for name, engine in engines.items()
    }


def usable(engine):
    """The engine, or one of the kind that is used here on the same pool of connections."""
    engine = getattr(engine, "sync_engine", engine)
    if sqlalchemy.__version__.startswith("1."):
        return create_engine(engine.url, pool=engine.pool, future=True)
    return engine


def binds_to_migrate(db, names):
    """The names in alembic.ini; else the binds that have tables, and a history.

    A history without functions for binds has never migrated them: they may be another
    application's, so they are left alone.
    """
    named = context.config.get_main_option("binds")
    if named is not None:
        wanted = re.findall(r"[^\s,]+", named)
        for name in set(wanted) - set(names):
            raise CommandError(f"binds in alembic.ini: the app has no bind {name}")
        return wanted
    metadatas = getattr(db, "metadatas", {})
    binds = [name for name in names if name in metadatas and metadatas[name].tables]
    if not binds:
        return []
    revisions = list(context.script.walk_revisions())
    if revisions and not any(takes_name(script.module.upgrade) for script in revisions):
        log.info(
            "Not migrated, as no revision is for them: %s. To change that, set"
            " `binds = %s` in alembic.ini",
            *(", ".join(binds),) * 2,
        )
        return []
    return binds


def takes_name(function):
    """Whether the function of a revision is called with the name of a database."""
    return function.__code__.co_argcount > 0


def call_with_names():
    """Let each revision be called with the name of a database.

    One that was written when the app had only one is for the default, and one that was
    written before a bind was added does nothing for that.
    """
    for script in context.script.walk_revisions():
        for direction in ("upgrade", "downgrade"):
            function = getattr(script.module, direction)
            setattr(script.module, direction, for_names(function, direction))


def for_names(function, direction):
    own = function.__globals__

    @wraps(function)
    def called(engine_name):
        if takes_name(function):
            parts = [name for name in own if name.startswith(f"{direction}_")]
            if f"{direction}_{engine_name}" in parts or not parts:
                function(engine_name)
        elif not engine_name:
            function()

    return called


def run(work, databases):
    """Call `work` with each database; for asyncio drivers, as they need it.

    https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#synopsis-core
    """
    for database in databases:
        if database.arguments:
            log.info("Database: %s", database.name or "default")
        if database.engine.dialect.is_async:
            asyncio.run(in_greenlet(work, database))
        else:
            work(database)


async def in_greenlet(work, database):
    from sqlalchemy.ext.asyncio import AsyncEngine  # needs greenlet

    engine = AsyncEngine(database.engine)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(lambda _: work(database))
    finally:
        await engine.dispose()
