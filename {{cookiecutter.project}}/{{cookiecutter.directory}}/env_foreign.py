"""For env.py: tables in the database that are not the app's, which autogenerate leaves alone.

Recognized are those of PostgreSQL's extensions (PostGIS, ...) and partitions, SQLite's
virtual tables, and the ones listed below. Others are named in alembic.ini:

    ignore_tables = sessions, legacy_*
"""

import re
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache

import sqlalchemy
from alembic import context
from sqlalchemy.exc import OperationalError

# By their names and columns, as their makers create them.
KNOWN = {
    "apscheduler_jobs": {"id", "next_run_time", "job_state"},
    "celery_taskmeta": {"id", "task_id", "status", "result", "date_done", "traceback"},
    "celery_tasksetmeta": {"id", "taskset_id", "result", "date_done"},
    "kombu_message": {"id", "visible", "timestamp", "payload", "version", "queue_id"},
    "kombu_queue": {"id", "name"},
    "sessions": {"id", "session_id", "data", "expiry"},  # Flask-Session
}
QUERIES = {
    "postgresql": """
        SELECT n.nspname, c.relname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relispartition OR EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.deptype = 'e'
            AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
        )""",
    "sqlite": """
        SELECT NULL, name FROM pragma_table_list WHERE type IN ('virtual', 'shadow')""",
}


def names_of(database):
    """What Alembic looks at: the schemas that the models name, and no foreign tables."""
    tables = [(table.schema, table.name) for table in database.metadata.tables.values()]
    schemas = {schema for schema, _ in tables}
    of_binds = {name for other in database.others for name in names_in(other)}

    @cache
    def own():
        return {(plain(schema), name) for schema, name in tables}

    def include_name(name, kind, parents):
        if kind == "schema":
            return name in schemas
        schema = parents["schema_name"]
        if kind != "table" or (schema, name) in own():
            return True
        return not (name in of_binds or is_foreign(schema, name))

    def include_object(item, name, kind, *_):
        return kind != "table" or not is_ignored(name)

    return {
        "include_schemas": bool(schemas - {None}),
        "include_name": include_name,
        "include_object": include_object,
    }


def names_in(database):
    """The tables of a bind that is the same database, where each bind has its own."""
    yield database.options.get("version_table") or "alembic_version"
    for table in database.metadata.tables.values():
        yield table.name


def is_foreign(schema, name):
    return (
        is_ignored(name)
        or (schema, name) in special(context.get_bind())
        or is_known(schema, name)
    )


def is_ignored(name):
    patterns = context.config.get_main_option("ignore_tables") or ""
    return any(
        fnmatchcase(name, pattern) for pattern in re.findall(r"[^\s,]+", patterns)
    )


@cache
def special(connection):
    """Tables of which the database says that nobody wrote a model for them."""
    query = QUERIES.get(connection.dialect.name)
    if query is None:
        return set()
    with suppress(OperationalError):  # SQLite before 3.37
        rows = connection.exec_driver_sql(query)
        return {(plain(schema), name) for schema, name in rows}
    return set()


def plain(schema):
    """The name of a schema as Alembic gives it: None is the default one."""
    return None if schema == context.get_bind().dialect.default_schema_name else schema


def is_known(schema, name):
    if name not in KNOWN and not name.startswith("alembic_version"):
        return False
    columns = sqlalchemy.inspect(context.get_bind()).get_columns(name, schema)
    return {column["name"] for column in columns} == KNOWN.get(name, {"version_num"})
