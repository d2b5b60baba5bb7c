"""What would go wrong, and is refused with a line that says what to do instead."""

import re
from pathlib import Path

import sqlalchemy
from alembic import context
from alembic.operations import ops
from alembic.util import CommandError

from .databases import Database
from .operations import Revision, dotted, of_kind, parts_of
from .options import is_on, pairs_of

# The names of tables that a revision makes.
MADE = re.compile(
    r"""(?:create_table\(|[^.]Table\(|rename_table\(\s*['"]\w+['"],|CREATE\s+TABLE
    (?:\s+IF\s+NOT\s+EXISTS)?)\s*['"`]?(\w+)""",
    re.IGNORECASE | re.VERBOSE,
)


def refuse_several_heads() -> None:
    """Name the heads if there are several, and what to do about them."""
    scripts = [each for each in context.script.get_revisions("heads") if each]
    names = [f"{each.revision} ({Path(each.path).name})" for each in scripts]
    if len(names) > 1:
        raise CommandError(
            f"There are {len(names)} heads: {' and '.join(names)}. Nothing was done."
            " Join them with `alembic merge heads`, or use `heads` if you want several"
        ) from None


def refuse_lost_revisions(heads: tuple[str, ...]) -> None:
    """Stop if the database has run a revision whose file is not here."""
    known = {script.revision for script in context.script.walk_revisions()}
    lost = ", ".join(head for head in heads if head not in known)
    if lost:
        raise CommandError(
            f"The database has run revision {lost}, of which there is no file here."
            " Nothing was done. Get the file back, from another branch for example. Or"
            " bring the schema to an older revision by hand, and run"
            " `alembic stamp --purge REVISION`"
        ) from None


def tables_of_revisions() -> set[str]:
    """Return the names of the tables that revisions make."""
    scripts = context.script.walk_revisions()
    texts = [Path(script.path).read_text(encoding="utf-8") for script in scripts]
    return {name for text in texts for name in MADE.findall(text)}


def refuse_unmanaged(database: Database) -> None:
    """Stop at a database that has tables of the models, but no revision."""
    made = tables_of_revisions()
    commands = ("upgrade",) if made else ("upgrade", "stamp")
    if database.command not in commands or is_on("allow-tables"):
        return
    inspector = sqlalchemy.inspect(context.get_bind())
    tables = [
        table.key
        for table in database.tables
        if (table.name in made or not made)
        and inspector.has_table(table.name, table.schema)
    ]
    advice = "If they are those of a revision, run `alembic stamp REVISION`"
    if not made:
        advice = "Write the first revision with `alembic -x baseline revision"
        advice += " --autogenerate -m first`, and then run `alembic stamp head`"
    if tables:
        raise CommandError(
            f"The database has tables of the application ({', '.join(tables[:5])}), but"
            f" no revision is recorded in it. Nothing was done. {advice}. To go on all"
            " the same, give -x allow-tables"
        )


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


def refuse_unmatched_options(script: ops.MigrationScript) -> None:
    """Stop if an option names a column that the revision does not change."""
    changed = set()
    for changes in script.upgrade_ops_list:
        parts = [part for part in parts_of(changes) if hasattr(part, "table_name")]
        for part in parts:
            column = getattr(part, "column_name", "") or getattr(part, "column", "")
            changed.add(dotted(part, getattr(column, "name", column)))
    for option in ("rename", "default"):
        for name, value in pairs_of(option).items():
            if name not in changed:
                raise CommandError(
                    f"-x {option}={name}:{value} matches no change. Nothing was written"
                )
