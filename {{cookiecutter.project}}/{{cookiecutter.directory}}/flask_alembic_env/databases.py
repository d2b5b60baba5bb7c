"""The databases of the application: the default one, and binds.

With binds, a revision has a function for each database, as Flask-Migrate and
Alembic write them: `upgrade(engine_name)` calls `upgrade_audit()`. The option
`-x bind=audit` migrates that one only, and `-x bind=default` the default one.
`binds = audit` in alembic.ini names the binds to migrate.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, TextIO

from alembic import context
from alembic.util import CommandError
from sqlalchemy import MetaData, Table, create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.util import greenlet_spawn

from .application import first_line
from .options import refuse_misspelled, value_of

log = logging.getLogger("alembic.env")


def running_function() -> Any:
    """Return the function of the command, such as `upgrade.<locals>.upgrade`."""
    # Alembic has no public name for it (1.18 to 1.20).
    return context._proxy.context_opts["fn"]  # type: ignore[attr-defined]


def dialect_name(source: Engine | Connection) -> str:
    """Return the name of the dialect; MariaDB counts as MySQL."""
    return source.dialect.name.replace("mariadb", "mysql")


@dataclass
class Database:
    """A database that the command works on, and how far it is."""

    name: str  # of the bind; empty for the default database
    engine: Engine
    metadata: Any  # a MetaData, or a list of them
    is_one_of_several: bool
    function: Any = field(default_factory=running_function)
    is_last: bool = False
    total: int = 0  # revisions to run
    number: int = 0  # of the present one
    revision: str = ""  # its identifier and file
    is_undone: bool = True  # by the database, if it fails
    is_done: bool = False

    @property
    def command(self) -> str:
        """The name of the command: `upgrade`, `check`, ..."""
        return str(self.function.__qualname__).partition(".")[0]

    @property
    def engine_name(self) -> str:
        """The name in a revision's functions: `audit` in `upgrade_audit()`."""
        return re.sub(r"\W", "_", self.name)

    @property
    def ini_url(self) -> str:
        """The URL as alembic.ini has it, where a percent sign is doubled."""
        url = self.engine.url.render_as_string(hide_password=False)
        return url.replace("%", "%%")

    @property
    def dialect(self) -> str:
        """The name of the dialect; MariaDB counts as MySQL."""
        return dialect_name(self.engine)

    @property
    def tables(self) -> list[Table]:
        """The tables of the models."""
        is_one = isinstance(self.metadata, MetaData)
        collections = [self.metadata] if is_one else self.metadata
        return [table for metadata in collections for table in metadata.tables.values()]

    @property
    def given(self) -> Connection | Engine | None:
        """What code that calls Alembic has set as `config.attributes["connection"]`."""
        return None if self.name else context.config.attributes.get("connection")

    def connect(self) -> AbstractContextManager[Connection]:
        """Connect; the `alembic` command says in one line why that fails."""
        if isinstance(self.given, Connection):
            return nullcontext(self.given)  # its owner closes it
        return connected(self.given or self.engine)

    @contextmanager
    def sql_file(self) -> Iterator[TextIO | None]:
        """Open the file for `--sql`: one for each of several databases."""
        if not self.is_one_of_several:
            yield None  # standard output
            return
        path = f"{self.name or 'default'}.sql"
        log.info("Writing %s", path)
        with open(path, "w", encoding="utf-8") as file:
            yield file

    def call(self, function: Callable[["Database"], None]) -> None:
        """Call a function with this database; drivers of asyncio need a greenlet."""
        if self.is_one_of_several:
            log.info("Database: %s", self.name or "default")
        if self.engine.dialect.is_async and self.given is None:
            asyncio.run(greenlet_spawn(function, self))
        else:
            function(self)


def connected(engine: Engine) -> Connection:
    """Return a connection, or say in one line why there is none."""
    try:
        return engine.connect()
    except OperationalError as error:
        if not context.config.cmd_opts:
            raise
        message = f"Cannot connect to {engine.url!r}: {first_line(error)}"
        raise CommandError(message) from None


def databases_of(db: Any, metadata: Any) -> list[Database]:
    """Return the databases to migrate, the default one first.

    :param db: Flask-SQLAlchemy or -Lite, in an active app context; or an Engine.
    :param metadata: that of the default database.
    :raises CommandError: if there is none, or none of the name in `-x bind`.
    """
    refuse_misspelled()
    engines = engines_of(db)
    metadatas = {**getattr(db, "metadatas", {}), "": metadata}
    names = binds_to_migrate(engines, metadatas)
    if "" in engines:
        names.insert(0, "")
    found = [Database(n, engines[n], metadatas[n], len(names) > 1) for n in names]
    urls = [each.engine.url for each in found if each.engine.url.database]
    if len(set(urls)) < len(urls):
        raise CommandError(
            "Two binds are the same database, which has one history. Name only one of"
            " them as `binds = ...` in alembic.ini"
        )
    # script.py.mako writes a function for each.
    several = [each.engine_name for each in found if each.is_one_of_several]
    context.config.attributes["engine_names"] = several
    only = value_of("bind")
    found = [each for each in found if only in ("", each.name or "default")]
    if not found:
        raise CommandError(
            f"-x bind={only}: the application migrates no such bind"
            if only
            else "The application has no default database. Set SQLALCHEMY_DATABASE_URI"
            " (SQLALCHEMY_ENGINES for Flask-SQLAlchemy-Lite)"
        )
    found[-1].is_last = True
    context.config.attributes["url of env.py"] = found[0].ini_url
    return found


def engines_of(db: Any) -> dict[str, Engine]:
    """Return the application's engines, with their options and event listeners.

    A `sqlalchemy.url` that somebody has set is used for the default database.
    """
    if isinstance(db, Engine) or hasattr(db, "sync_engine"):
        engines = {None: db}
    else:
        try:
            engines = {**getattr(db, "async_engines", {}), **db.engines}
        except RuntimeError as error:  # db does not know the application
            raise CommandError(str(error)) from None
    # Flask-SQLAlchemy-Lite says "default" for what Flask-SQLAlchemy calls None.
    found = {
        "" if name in (None, "default") else name: getattr(each, "sync_engine", each)
        for name, each in engines.items()
    }
    config = context.config
    url = config.get_main_option("sqlalchemy.url") or ""
    if url and url.replace("%", "%%") != config.attributes.get("url of env.py"):
        log.info("sqlalchemy.url is set: it replaces the application's database")
        found[""] = create_engine(url)
    return found


def binds_to_migrate(
    engines: dict[str, Engine], metadatas: dict[str, MetaData]
) -> list[str]:
    """Return the binds that alembic.ini names, or else those that have tables."""
    named = context.config.get_main_option("binds")
    binds = [name for name, each in metadatas.items() if name and each.tables]
    if named is not None:
        binds = named.replace(",", " ").split()
    for name in binds:
        if name not in engines or name not in metadatas:
            raise CommandError(
                f"The application has no engine or no models for the bind {name}. Add"
                " it to SQLALCHEMY_BINDS, or name the binds to migrate as `binds = ...`"
                " in alembic.ini"
            )
    revisions = list(context.script.walk_revisions()) if binds and not named else []
    if revisions and not any(signature(r.module.upgrade).parameters for r in revisions):
        log.info(
            "Not migrated, because no revision is for them: %s. To change that, set"
            " `binds = %s` in alembic.ini",
            *[", ".join(binds)] * 2,
        )
        return []
    return binds
