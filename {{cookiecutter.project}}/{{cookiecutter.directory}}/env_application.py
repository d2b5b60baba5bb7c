"""For env.py: get the application and its database, and say what is wrong if they can't be had."""

import atexit
import gc
import os
import sys
import threading
from contextlib import contextmanager
from traceback import walk_tb

from alembic import context
from alembic.util import CommandError
from flask import has_app_context
from flask.cli import load_dotenv
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

NO_URL = "Either 'SQLALCHEMY_"  # as Flask-SQLAlchemy and -Lite begin their message


def load_env_files(root):
    """Load `.env` and `.flaskenv` as the `flask` command does in the folder `root`."""
    if has_app_context() or os.environ.get("FLASK_SKIP_DOTENV"):
        return
    here = os.getcwd()
    os.chdir(root)  # load_dotenv looks in the current folder, then in those above it
    try:
        load_dotenv()
    finally:
        os.chdir(here)


class explained:
    """Turn what is wrong with env.py or the settings into one line that says what to do.

    An error inside the application's own code keeps its traceback.
    """

    runs = 0  # of env.py: an app may run Alembic while env.py imports it

    def __enter__(self):
        explained.runs += 1
        # No public name for it (Alembic 1.20). An app that itself runs Alembic while it is
        # imported takes the `context` of this run away.
        self.environment = context._proxy

    def __exit__(self, kind, error, traceback):
        self.environment.__enter__()
        if error is not None:
            explained.runs -= 1
            os.environ.pop("ALEMBIC_RUNNING", None)
        message = str(error)
        if isinstance(error, (ImportError, AttributeError, TypeError)):
            if traceback.tb_next is None:  # raised by env.py, not by what it calls
                raise CommandError(
                    f"Can't get the application: {message}."
                    f" Correct line {traceback.tb_lineno} of env.py"
                ) from None
            names = {frame.f_code.co_name for frame, _ in walk_tb(traceback)}
            if isinstance(error, ModuleNotFoundError) and "import_dbapi" in names:
                raise CommandError(no_driver(error.name)) from None
        elif isinstance(error, NoSuchModuleError):
            raise CommandError(no_dialect(message)) from None
        elif isinstance(error, RuntimeError) and message.startswith(NO_URL):
            raise CommandError(
                "The application has no database URL: set SQLALCHEMY_DATABASE_URI in"
                f" its config, before Flask-SQLAlchemy gets the app ({message})"
            ) from None
        elif isinstance(error, ArgumentError) and "SQLAlchemy URL" in message:
            raise CommandError(
                "SQLALCHEMY_DATABASE_URI in the application's config is not a URL of"
                " the form dialect://user:password@host/database"
            ) from None
        elif isinstance(error, DBAPIError):
            add_note(
                error,
                "The application uses its database while it is imported, when its tables"
                " may not be there yet. It should not where os.environ has"
                " ALEMBIC_RUNNING",
            )


def no_dialect(message):
    """What to say of a URL that begins with what SQLAlchemy does not know."""
    name = message.rpartition(":")[2]
    if name.partition(".")[0] == "postgres":
        return (
            "SQLALCHEMY_DATABASE_URI begins with postgres://, which SQLAlchemy does"
            " not know: write postgresql://"
        )
    return (
        f"SQLALCHEMY_DATABASE_URI names a database or driver that is not there: {name}"
    )


def no_driver(name):
    """What to say of a database driver that is not installed."""
    text = f"The database driver {name} is not installed"
    if name == "psycopg":
        return (
            f"{text}. Since SQLAlchemy 2.1, postgresql:// means psycopg: install"
            " psycopg[binary], or write postgresql+psycopg2:// in the URL"
        )
    return f"{text}: install it, or name another in SQLALCHEMY_DATABASE_URI"


def add_note(error, text):
    """Print a text at the end of a traceback."""
    if hasattr(error, "add_note"):
        error.add_note(text)
    else:  # Python 3.10
        print(text, file=sys.stderr)


@contextmanager
def daemon_threads():
    """Let threads that the app starts not keep the `alembic` command from ending."""
    start = threading.Thread.start

    def start_daemon(thread):
        thread.daemon = True
        start(thread)

    if context.config.cmd_opts:
        threading.Thread.start = start_daemon
    try:
        yield
    finally:
        threading.Thread.start = start


@contextmanager
def gc_off():
    """Keep the garbage collector from what is imported, none of which is garbage.

    In a short command it takes a fifth of the time, most of it as the process ends. It is
    on while revisions run, so that their garbage is collected as ever.
    """
    if not context.config.cmd_opts:
        yield
        return
    atexit.register(gc.freeze)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def forget(folder):
    """Let another environment in this process import its own files of these names."""
    explained.runs -= 1
    if explained.runs:
        return
    if context.config.cmd_opts:
        gc.unfreeze()  # for a program that goes on
    if folder in sys.path:
        sys.path.remove(folder)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name.startswith("env_") and os.path.dirname(file) == folder:
            del sys.modules[name]
