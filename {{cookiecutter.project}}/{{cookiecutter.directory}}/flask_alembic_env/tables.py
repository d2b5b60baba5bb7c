"""Which tables are compared, and which ones no revision may drop."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic import context
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from .databases import Database
from .operations import Revision, dotted, of_kind
from .options import is_on

# The schemas and names of tables that no model describes: those of extensions such as
# PostGIS, partitions, and the parts of a virtual table.
SPECIAL_TABLES = {
    "postgresql": """
        SELECT nullif(n.nspname, current_schema), c.relname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relispartition OR c.oid IN (SELECT objid FROM pg_depend
            WHERE deptype = 'e' AND classid = 'pg_class'::regclass)""",
    "sqlite": """
        SELECT NULL, name FROM pragma_table_list WHERE type IN ('virtual', 'shadow')""",
}
# The names of tables that a revision makes.
MADE = re.compile(
    r"""(?:create_table\(|[^.]Table\(|rename_table\(\s*['"]\w+['"],|CREATE\s+TABLE
    (?:\s+IF\s+NOT\s+EXISTS)?)\s*['"`]?(\w+)""",
    re.IGNORECASE | re.VERBOSE,
)


def name_filter(database: Database) -> Callable[[Any, str, Any], bool]:
    """Return an `include_name` that leaves out what is not the application's.

    It includes the schemas that the models name, and tables that are not special,
    ignored, or of another environment. With `-x baseline` it includes no table.
    """
    own = {(table.schema, table.name) for table in database.tables}
    schemas = {schema for schema, _ in own}
    special = cache(lambda: special_tables(database) - own)  # one query for a run

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        if kind == "schema":
            return name in schemas
        if kind != "table" or name is None:
            return True
        is_version = name.startswith("alembic_version")  # of another environment
        is_special = is_version or (parents["schema_name"], name) in special()
        return not (is_special or is_ignored(name) or is_on("baseline"))

    return include_name


def special_tables(database: Database) -> set[tuple[str | None, str]]:
    """Return the tables that no model describes, with their schemas."""
    rows: Iterable[Any] = ()
    if database.dialect in SPECIAL_TABLES:
        with suppress(OperationalError):  # SQLite before 3.37
            rows = context.get_bind().execute(text(SPECIAL_TABLES[database.dialect]))
    return {(row[0], row[1]) for row in rows}


def is_ignored(name: str) -> bool:
    """Return whether `ignore_tables` in alembic.ini names a table."""
    patterns = context.config.get_main_option("ignore_tables") or ""
    return any(fnmatchcase(name, each) for each in patterns.replace(",", " ").split())


def tables_of_revisions() -> set[str]:
    """Return the names of the tables that revisions make."""
    scripts = context.script.walk_revisions()
    codes = [Path(script.path).read_text(encoding="utf-8") for script in scripts]
    return {name for code in codes for name in MADE.findall(code)}


def refuse_drops(revision: Revision) -> None:
    """Stop before tables of another application, or all tables, are dropped.

    A table that no revision has made belongs to somebody else.

    :raises CommandError: unless `-x allow-drops` is given.
    """
    drops = {dotted(op) for op in of_kind(revision.upgrade, ops.DropTableOp)}
    if not drops or is_on("allow-drops"):
        return
    made = tables_of_revisions()
    foreign = [name for name in drops if name.rpartition(".")[2] not in made]
    left = set(sqlalchemy.inspect(context.get_bind()).get_table_names())
    if foreign or left - {revision.context.version_table} <= drops:
        why = "no revision has made" if foreign else "are all that the database has"
        raise CommandError(
            f"This would drop tables that {why}: {', '.join(sorted(foreign or drops))}."
            " Nothing was written. Name them as `ignore_tables` in alembic.ini, or"
            " import their models. To drop them, give -x allow-drops"
        )
