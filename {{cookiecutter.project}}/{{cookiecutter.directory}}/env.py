"""Connects Alembic to the Flask application.

Each `alembic` command that needs the application runs this file, from top to bottom.
Written by flask-alembic-env {{ cookiecutter._version }}. It is yours to change.
"""

import os
import sys
from logging.config import fileConfig
from pathlib import Path

from alembic import context
from flask import current_app, has_app_context

# The application, and the files beside this one, are found wherever alembic is started.
{{ cookiecutter | path_lines }}

from env_application import daemon_threads, explained, forget, gc_off, load_env_files
from env_autogenerate import reviewed
from env_change import change, changes_database, refuse_existing_tables
from env_databases import databases_of, run
from env_foreign import names_of
from env_options import merged

config = context.config
load_env_files(root)
os.environ["ALEMBIC_RUNNING"] = "1"  # for code that should not run in a migration

# With errors in one line; threads of the app don't keep the command from ending, and
# nothing is collected as garbage while modules are imported.
with explained(), daemon_threads(), gc_off():
{{ cookiecutter | import_lines }}

if config.cmd_opts and config.file_config.has_section("loggers"):
    # Only for the `alembic` command: code that calls Alembic has its own logging.
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def migrate(database, **options):
    """Run the command that was given."""
    settings = {  # What you set for Alembic goes in here.
{{ cookiecutter | setting_lines }}
    }
    context.configure(
        target_metadata=database.metadata,
        **merged(
            settings,
            names_of(database),
            reviewed(database, databases),
            database.options,
            options,
        ),
    )
    with context.begin_transaction():
        refuse_existing_tables(database.metadata)
        context.run_migrations(**database.arguments)


def work(database):
    if context.is_offline_mode():
        with database.offline() as options:
            migrate(database, **options)
    elif changes_database():
        change(database, migrate)  # in one process at a time, all or nothing
    else:
        with database.connect() as connection:
            migrate(database, connection=connection)


try:
    with app.app_context():
        databases = databases_of(db, metadata)
        url = databases[0].engine.url.render_as_string(hide_password=False)
        # Only for code that asks for it: what connects is the app's engine.
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        run(work, databases)
finally:
    os.environ.pop("ALEMBIC_RUNNING", None)
    forget(here)  # for another environment in this process
