"""Load `.env` files, import the application, and explain what goes wrong."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb

import alembic
import sqlalchemy
from alembic import context
from alembic.util import CommandError
from flask.cli import load_dotenv
from sqlalchemy.exc import ArgumentError, DBAPIError

log = logging.getLogger("alembic.env")
SKIP = "Skip that if os.environ has ALEMBIC_RUNNING"


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
def importing_app(root: Path, factory: bool = False) -> Iterator[None]:
    """Prepare the import of the application, and explain its errors in one line.

    An error that the application's own code raises keeps its traceback.

    :param root: the project's folder, in which `.env` and `.flaskenv` are looked for.
    :param factory: whether the application is made by a function.
    :raises CommandError: if the setup cannot work.
    """
    refuse_old_versions()
    if factory:
        refuse_second_app()
    if not os.environ.get("FLASK_SKIP_DOTENV"):
        load_env_files(root)
    before = set(threading.enumerate())
    try:
        with alembic_running():
            yield
    except SystemExit as error:
        raise CommandError(f"The application exits on import: {error}") from None
    except Exception as error:
        explain(error)
        raise
    try:
        context.is_offline_mode()
    except (AttributeError, NameError):  # Alembic can run only once at a time
        message = f"The application runs Alembic while it is imported. {SKIP}"
        raise CommandError(message) from None
    threads = [each for each in threading.enumerate() if each not in before]
    names = sorted(thread.name for thread in threads if not thread.daemon)
    if names and context.config.cmd_opts:
        log.warning(
            "The application has started threads, and the command ends after them: %s."
            " Do not start them if os.environ has ALEMBIC_RUNNING",
            ", ".join(names),
        )


def refuse_old_versions() -> None:
    """Stop if a library is older than the helpers support."""
    for library, lowest in ((alembic, (1, 18)), (sqlalchemy, (2, 0))):
        major, minor = lowest
        version = tuple(map(int, library.__version__.split(".")[:2]))
        if version < lowest:
            name = f"{library.__name__} {library.__version__}"
            raise CommandError(f"{name} is too old: install {major}.{minor} or newer")


def refuse_second_app() -> None:
    """Stop a test that would migrate another database than the one it means.

    The factory would make a second app here, with the settings of development.
    """
    config = context.config
    url = config.get_main_option("sqlalchemy.url")
    given = config.attributes.get("connection") or url
    if "PYTEST_CURRENT_TEST" in os.environ and not config.cmd_opts and not given:
        raise CommandError(
            "This test would migrate the database of a second app. Nothing was done."
            " Run Alembic in the context of the test's own app:"
            ' `with app.app_context(): command.upgrade(Config("alembic.ini"), "head")`'
        )


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
        message = f"Cannot get the application: {message}."
        message += f" Correct line {frames[-1].lineno} of env.py"
    elif isinstance(error, DBAPIError):
        message = "The application uses its database while it is imported, when its"
        message += f" tables may not exist yet: {first_line(error)}. {SKIP}"
    elif "SQLALCHEMY_DATABASE_URI" in message:
        message = f"Set SQLALCHEMY_DATABASE_URI: {message}"
    elif isinstance(error, ArgumentError) or frames[-1].name == "import_dbapi":
        # Old versions of SQLAlchemy show the URL, with its password, after "from".
        message = f"SQLALCHEMY_DATABASE_URI: {message.partition(' from ')[0]}"
    else:
        return
    raise CommandError(message) from None


def first_line(error: DBAPIError) -> str:
    """Return what the database says, without the statement and its parameters."""
    return str(error.orig).strip().partition("\n")[0]
