"""Alembic's environment for this Flask application.

The `alembic` command runs this file from top to bottom. Edit it freely: an
update of flask-alembic-env replaces the helpers beside it, and not this file.
Written by flask-alembic-env {{ cookiecutter._version }}.
"""

import sys
from logging.config import fileConfig
from pathlib import Path
from typing import Any

from alembic import context
from flask import current_app, has_app_context

# Find the application and the helpers from any current folder.
{{ cookiecutter | path_lines }}

import flask_alembic_env as helpers

config = context.config

# The `alembic` command logs as alembic.ini says; other programs as they do.
if config.cmd_opts and config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

{{ cookiecutter | import_lines }}

# Any argument of context.configure(). What you set here wins.
settings: dict[str, Any] = {
    "compare_type": True,
    "render_as_batch": True,  # SQLite alters a table by copying it
    # "compare_server_default": True,
}
{{ cookiecutter | carried_settings -}}


def run_migrations_offline(database: helpers.Database) -> None:
    """Write SQL for `--sql`, without a connection."""
    with database.sql_file() as file:
        options = helpers.options_for(
            database,
            settings,
            url=database.engine.url,
            output_buffer=file,
            literal_binds=True,
            dialect_opts={"paramstyle": "named"},
        )
        context.configure(**options)
        with context.begin_transaction():
            context.run_migrations()


def run_migrations_online(database: helpers.Database) -> None:
    """Run the command; try again if another session holds a lock."""
    for attempt in helpers.attempts(database):
        with attempt as conn:
            options = helpers.options_for(database, settings, connection=conn)
            context.configure(**options)
            with context.begin_transaction():
                context.run_migrations()


with app.app_context(), helpers.alembic_running():
    databases = helpers.databases_of(db, target_metadata)
    config.set_main_option("sqlalchemy.url", databases[0].ini_url)
    for database in databases:
        if context.is_offline_mode():
            run_migrations_offline(database)
        else:
            database.call(run_migrations_online)
