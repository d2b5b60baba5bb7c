"""Helpers for env.py. Do not edit them: an update of the template replaces them."""

from typing import Any

from .application import alembic_running, importing_app
from .autogenerate import callbacks
from .change import attempts, changes_database, refuse_unmanaged, steps_of
from .databases import Database, databases_of

__all__ = [
    "Database",
    "alembic_running",
    "attempts",
    "databases_of",
    "importing_app",
    "options_for",
    "refuse_unmanaged",
]


def options_for(
    database: Database, settings: dict[str, Any], **mode: Any
) -> dict[str, Any]:
    """Return the arguments for `context.configure()`.

    What is in `settings` wins. A callback in it is combined with ours: an object is
    compared if both include it, and a revision is processed by ours first.
    """
    options: dict[str, Any] = {
        "target_metadata": database.metadata,
        "include_schemas": any(table.schema for table in database.tables),
        "version_table": database.version_table,
        "transaction_per_migration": True,
        **mode,
    }
    if changes_database():
        options["fn"] = steps_of(database)
    if database.engine.dialect.name == "sqlite":  # one transaction for the command
        options |= {"transaction_per_migration": False, "transactional_ddl": True}
    if len(database.run) > 1:
        options["upgrade_token"] = f"{database.engine_name}_upgrades"
        options["downgrade_token"] = f"{database.engine_name}_downgrades"
    return options | settings | callbacks(database, settings)
