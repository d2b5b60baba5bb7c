"""What would go wrong, and is refused with a line that says what to do instead."""

from pathlib import Path

import sqlalchemy
from alembic import context
from alembic.operations import ops
from alembic.util import CommandError

from .databases import Database
from .operations import dotted, parts_of
from .options import is_on, pairs_of
from .tables import tables_of_revisions


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


def refuse_unmanaged(database: Database) -> None:
    """Stop at a database that has tables of the models, but no revision."""
    if database.command not in ("upgrade", "stamp") or is_on("allow-tables"):
        return
    made = tables_of_revisions()
    if made and database.command == "stamp":
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
