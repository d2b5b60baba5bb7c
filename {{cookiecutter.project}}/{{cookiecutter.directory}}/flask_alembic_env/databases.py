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
from sqlalchemy import MetaData, Table
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.util import greenlet_spawn

from .application import first_line, refuse_old_versions
from .options import refuse_misspelled, running_function, value_of

log = logging.getLogger("alembic.env")


@dataclass
class Progress:
    """How far an upgrade or downgrade of a database is."""

    total: int = 0  # revisions to run
    number: int = 0  # of the present one
    revision: str = ""  # its identifier and file
    has_changed: bool = False  # a statement of it has changed something
    is_behind_commit: bool = False  # and was committed, maybe as its end
    is_committed: bool = False  # and was committed before its end
    is_done: bool = False


@dataclass(eq=False)  # each refers to all of them
class Database:
    """A database that the command works on."""

    name: str  # of the bind; empty for the default database
    engine: Engine
    metadata: Any  # a MetaData, or a list of them
    run: list["Database"] = field(default_factory=list)  # all databases of the run
    progress: Progress = field(default_factory=Progress)
    function: Any = field(default_factory=running_function)

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
    def tables(self) -> list[Table]:
        """The tables of the models."""
        is_one = isinstance(self.metadata, MetaData)
        collections = [self.metadata] if is_one else self.metadata
        return [table for metadata in collections for table in metadata.tables.values()]

    @property
    def sharing(self) -> list["Database"]:
        """The other binds whose tables are in this same database."""
        same = [other for other in self.run if other.engine.url == self.engine.url]
        return [other for other in same if other is not self]

    @property
    def version_table(self) -> str:
        """One table for each bind, if several binds share the database."""
        earlier = self.run[: self.run.index(self)]
        is_shared = any(other in earlier for other in self.sharing)
        return f"alembic_version_{self.engine_name}" if is_shared else "alembic_version"

    @property
    def given(self) -> Connection | Engine | None:
        """The connection or engine that code which calls Alembic wants to be used.

        See "Sharing a Connection across one or more programmatic migration commands"
        in Alembic's cookbook.
        """
        return None if self.name else context.config.attributes.get("connection")

    def connect(self) -> AbstractContextManager[Connection]:
        """Connect; the `alembic` command says in one line why that fails."""
        if isinstance(self.given, Connection):
            return nullcontext(self.given)  # its owner closes it
        return connected(self.given or self.engine)

    @contextmanager
    def sql_file(self) -> Iterator[TextIO | None]:
        """Open the file for `--sql`: one for each of several databases."""
        if len(self.run) == 1:
            yield None  # standard output
            return
        path = f"{self.name or 'default'}.sql"
        log.info("Writing %s", path)
        with open(path, "w", encoding="utf-8") as file:
            yield file

    def call(self, function: Callable[["Database"], None]) -> None:
        """Call a function with this database; drivers of asyncio need a greenlet."""
        if len(self.run) > 1:
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
    refuse_old_versions()
    refuse_misspelled()
    engines = engines_of(db)
    metadatas = getattr(db, "metadatas", {})
    names = binds_to_migrate(engines, metadatas)
    run = [Database("", engines[""], metadata)] if "" in engines else []
    run += [Database(name, engines[name], metadatas[name]) for name in names]
    several = len(run) > 1
    for database in run:
        database.run = run
    # script.py.mako writes a function for each.
    names = [database.engine_name for database in run] if several else []
    context.config.attributes["engine_names"] = names
    only = value_of("bind")
    found = [each for each in run if only in ("", each.name or "default")]
    if not found and only:
        raise CommandError(f"-x bind={only}: the application migrates no such bind")
    if not found:
        raise CommandError(
            "The application has no default database. Set SQLALCHEMY_DATABASE_URI"
        )
    return found


def engines_of(db: Any) -> dict[str, Engine]:
    """Return the application's engines, with their options and event listeners.

    :raises CommandError: if `db` does not know the application.
    """
    if isinstance(db, Engine) or hasattr(db, "sync_engine"):
        engines = {None: db}
    else:
        try:
            engines = {**getattr(db, "async_engines", {}), **db.engines}
        except RuntimeError as error:
            raise CommandError(str(error)) from None
    # Flask-SQLAlchemy-Lite says "default" for what Flask-SQLAlchemy calls None.
    return {
        "" if name in (None, "default") else name: getattr(
            engine, "sync_engine", engine
        )
        for name, engine in engines.items()
    }


def binds_to_migrate(
    engines: dict[str, Engine], metadatas: dict[str, MetaData]
) -> list[str]:
    """Return the binds that alembic.ini names, or else those that have tables.

    :raises CommandError: if the application does not configure one of them.
    """
    named = context.config.get_main_option("binds")
    with_tables = [name for name in metadatas if name and metadatas[name].tables]
    binds = with_tables if named is None else re.findall(r"[^\s,]+", named)
    for name in binds:
        if name not in engines or name not in metadatas:
            raise CommandError(
                f"SQLALCHEMY_BINDS has no {name}. Set it, or name the binds to migrate"
                " as `binds = ...` in alembic.ini"
            )
    if named is None and binds and is_history_of_one_database():
        log.info(
            "Not migrated, because no revision is for them: %s. To change that, set"
            " `binds = %s` in alembic.ini",
            *[", ".join(binds)] * 2,
        )
        return []
    return binds


def is_history_of_one_database() -> bool:
    """Return whether there are revisions, and none has functions for binds."""
    revisions = list(context.script.walk_revisions())
    takes_name = [signature(each.module.upgrade).parameters for each in revisions]
    return bool(revisions) and not any(takes_name)
