"""Load `.env` files, import the application, and explain what goes wrong."""

import gc
import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any

import alembic
import sqlalchemy
from alembic import context
from alembic.util import CommandError
from flask.cli import load_dotenv
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

log = logging.getLogger("alembic.env")


@contextmanager
def alembic_running() -> Iterator[None]:
    """Set ALEMBIC_RUNNING=1 in the environment, for code that must not run now."""
    before = os.environ.get("ALEMBIC_RUNNING")
    os.environ["ALEMBIC_RUNNING"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["ALEMBIC_RUNNING"]
        else:
            os.environ["ALEMBIC_RUNNING"] = before


@contextmanager
def importing_app(root: Path) -> Iterator[None]:
    """Prepare the import of the application, and explain its errors in one line.

    An error that the application's own code raises keeps its traceback.

    :param root: the project's folder, in which `.env` and `.flaskenv` are looked for.
    :raises CommandError: if the setup cannot work.
    """
    if not os.environ.get("FLASK_SKIP_DOTENV"):
        load_env_files(root)
    threads = set(threading.enumerate())
    try:
        with alembic_running():
            yield
    except SystemExit as error:
        raise CommandError(
            f"The application exits while it is imported: {error}"
        ) from None
    except Exception as error:
        explain(error)
        raise
    refuse_nested_run()
    if context.config.cmd_opts:
        warn_of_threads(set(threading.enumerate()) - threads)
        gc.freeze()  # the modules stay until the end: never look for garbage in them


def load_env_files(root: Path) -> None:
    """Load the files as `flask` does in the project's folder."""
    here = Path.cwd()
    os.chdir(root)  # load_dotenv() starts to look in the current folder
    try:
        load_dotenv()
    finally:
        os.chdir(here)


def explain(error: Exception) -> None:
    """Raise a CommandError for what is wrong in env.py or in the settings.

    Return if the error is of another kind.
    """
    message = str(error)
    frames = extract_tb(error.__traceback__)  # importing_app(), env.py, ...
    is_in_env = frames[-1].filename == frames[1].filename
    if is_in_env and isinstance(error, (ImportError, AttributeError, TypeError)):
        raise CommandError(
            f"Cannot get the application: {message}."
            f" Correct line {frames[-1].lineno} of env.py"
        ) from None
    if isinstance(error, ModuleNotFoundError) and frames[-1].name == "import_dbapi":
        raise CommandError(missing_driver(str(error.name))) from None
    if isinstance(error, NoSuchModuleError):
        raise CommandError(unknown_dialect(message)) from None
    if isinstance(error, RuntimeError) and "SQLALCHEMY_DATABASE_URI" in message:
        raise CommandError(
            "The application has no database URL. Set SQLALCHEMY_DATABASE_URI in its"
            f" config before init_app() ({message})"
        ) from None
    if isinstance(error, ArgumentError) and "SQLAlchemy URL" in message:
        raise CommandError(
            "SQLALCHEMY_DATABASE_URI is not a URL of the form"
            " dialect://user:password@host/database"
        ) from None
    if isinstance(error, DBAPIError):
        raise CommandError(
            "The application uses its database while it is imported, when its tables"
            " may not exist yet. Skip that if os.environ has ALEMBIC_RUNNING"
            f" ({first_line(error)})"
        ) from error


def unknown_dialect(message: str) -> str:
    """Explain a URL that starts with a name which SQLAlchemy does not know."""
    name = message.rpartition(":")[2]
    if re.match(r"postgres\b", name):
        return (
            "SQLALCHEMY_DATABASE_URI starts with postgres://, which SQLAlchemy does not"
            " know. Write postgresql://"
        )
    return f"SQLALCHEMY_DATABASE_URI names an unknown database or driver: {name}"


def missing_driver(name: str) -> str:
    """Explain that a database driver is not installed."""
    text = f"The database driver {name} is not installed"
    if name == "psycopg":
        return (
            f"{text}. Since SQLAlchemy 2.1, postgresql:// means psycopg: install"
            " psycopg[binary], or write postgresql+psycopg2:// in the URL"
        )
    return f"{text}. Install it, or name another one in SQLALCHEMY_DATABASE_URI"


def first_line(error: Any) -> str:
    """Return what the database says, without the statement and its parameters."""
    return str(error.orig).strip().partition("\n")[0]


def refuse_nested_run() -> None:
    """Stop if the application has run Alembic, which can run only once at a time.

    :raises CommandError: Alembic's `context` now belongs to no run.
    """
    try:
        context.is_offline_mode()
    except (AttributeError, NameError):
        raise CommandError(
            "The application runs Alembic while it is imported. Skip that if os.environ"
            " has ALEMBIC_RUNNING"
        ) from None


def warn_of_threads(threads: set[threading.Thread]) -> None:
    """Name the threads that will keep the command from ending."""
    names = sorted(thread.name for thread in threads if not thread.daemon)
    if names:
        log.warning(
            "The application has started threads, and the command ends after them: %s."
            " Do not start them if os.environ has ALEMBIC_RUNNING",
            ", ".join(names),
        )


def refuse_old_versions() -> None:
    """Stop if a library is older than the helpers support.

    :raises CommandError: before anything is run.
    """
    for name, version, lowest in (
        ("Alembic", alembic.__version__, (1, 18)),
        ("SQLAlchemy", sqlalchemy.__version__, (2, 0)),
    ):
        major, minor = version.split(".")[:2]
        if (int(major), int(minor)) < lowest:
            needed = ".".join(map(str, lowest))
            raise CommandError(
                f"{name} {version} is too old: install {needed} or newer"
            )
