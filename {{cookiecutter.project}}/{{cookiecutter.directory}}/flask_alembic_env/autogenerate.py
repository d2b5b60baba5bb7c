"""What autogenerate compares, and the steps from its comparison to a revision.

See "Customizing Revision Generation" in Alembic's documentation.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic import context
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Enum, String
from sqlalchemy.exc import OperationalError

from .databases import Database
from .names import drop_indexes_of_foreign_keys, name_constraints
from .not_null import fill_new_columns, fill_old_columns
from .operations import Comment, Revision, dotted, of_kind, parts_of, remove_empty
from .options import is_on, pairs_of
from .questions import find_renames
from .types import add_enum_values, create_and_drop_enums, render_item

# Tables without a model that no revision is about: SQL for their schemas and names.
SPECIAL_TABLES = {
    # those of extensions, such as PostGIS, and partitions
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
# The names of tables that a revision makes.
MADE = re.compile(
    r"""(?:create_table\(|[^.]Table\(|rename_table\(\s*['"]\w+['"],|CREATE\s+TABLE
    (?:\s+IF\s+NOT\s+EXISTS)?)\s*['"`]?(\w+)""",
    re.IGNORECASE | re.VERBOSE,
)


def callbacks(database: Database, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the callbacks for `context.configure()`, each with the owner's."""
    tables = Tables(database)
    owner_name = settings.get("include_name")
    owner_object = settings.get("include_object")
    owner_item = settings.get("render_item")
    owner_process = settings.get("process_revision_directives")

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        included = tables.include_name(name, kind, parents)
        return included and (not owner_name or owner_name(name, kind, parents))

    def include_object(item: Any, name: str | None, kind: str, *more: Any) -> bool:
        included = kind != "table" or not is_ignored(name)
        return included and (not owner_object or owner_object(item, name, kind, *more))

    def render(kind: str, item: Any, autogen_context: Any) -> Any:
        text = owner_item(kind, item, autogen_context) if owner_item else False
        return render_item(kind, item, autogen_context) if text is False else text

    def process(ctx: MigrationContext, heads: Any, directives: list[Any]) -> None:
        # There is no public name for this (Alembic 1.18 to 1.20).
        is_autogenerate = ctx.opts["revision_context"].command_args["autogenerate"]
        if is_autogenerate and directives:
            revise(ctx, database, directives[0])
        if owner_process:
            owner_process(ctx, heads, directives)
        if is_autogenerate and directives and database.command != "check":
            finish(database, directives)

    return {
        "include_name": include_name,
        "include_object": include_object,
        "render_item": render,
        "process_revision_directives": process,
    }


class Tables:
    """Tells the tables of the models from those of others."""

    def __init__(self, database: Database) -> None:
        self.own = {(table.schema, table.name) for table in database.tables}
        self.schemas = {schema for schema, _ in self.own}
        self.of_binds = {
            table.name for each in database.sharing for table in each.tables
        }

    @cached_property
    def special(self) -> set[tuple[str | None, str]]:
        """The tables that the database itself or an extension manages."""
        bind = context.get_bind()
        query = SPECIAL_TABLES.get(bind.dialect.name)
        default = bind.dialect.default_schema_name
        if query is None:
            return set()
        with suppress(OperationalError):  # SQLite before 3.37
            rows = bind.exec_driver_sql(query).all()
            return {
                (None if schema == default else schema, name) for schema, name in rows
            }
        return set()

    def include_name(self, name: str | None, kind: str, parents: Any) -> bool:
        """Compare the schemas that the models name, and no table of others."""
        if kind == "schema":
            return name in self.schemas
        if kind != "table" or name is None:
            return True
        key = (parents["schema_name"], name)
        is_foreign = name in self.of_binds or name.startswith("alembic_version")
        return key in self.own or not (
            is_foreign or is_ignored(name) or key in self.special
        )


def is_ignored(name: str | None) -> bool:
    """Return whether `ignore_tables` in alembic.ini names a table."""
    patterns = context.config.get_main_option("ignore_tables") or ""
    return any(
        fnmatchcase(name or "", each) for each in re.findall(r"[^\s,]+", patterns)
    )


def revise(
    ctx: MigrationContext, database: Database, script: ops.MigrationScript
) -> None:
    """Run the steps on what Alembic has found in a database."""
    if not any(each.tables for each in database.run):
        raise CommandError(
            "The metadata has no tables, because no module with models is imported."
            " Import them in the application, or in env.py"
        )
    revision = Revision(
        ctx,
        database.tables,
        script.upgrade_ops_list[-1],
        script.downgrade_ops_list[-1],
    )
    for step in CHECK_STEPS if database.command == "check" else STEPS:
        step(revision)


def refuse_drops(revision: Revision) -> None:
    """Stop before tables of another application, or all tables, are dropped.

    A table that no revision has made belongs to somebody else.

    :raises CommandError: unless `-x allow-drops` is given.
    """
    drops = {
        (op.schema, op.table_name) for op in of_kind(revision.upgrade, ops.DropTableOp)
    }
    if not drops or is_on("allow-drops"):
        return
    made: set[str] = set()
    for script in context.script.walk_revisions():
        made.update(MADE.findall(Path(script.path).read_text(encoding="utf-8")))
    inspector = sqlalchemy.inspect(context.get_bind())
    left = {
        (schema, name)
        for schema in {schema for schema, _ in drops}
        for name in inspector.get_table_names(schema)
        if name != revision.context.version_table
    }
    foreign = sorted(name for _, name in drops if name not in made)
    if foreign or left <= drops:
        names = ", ".join(foreign or sorted(name for _, name in drops))
        why = "no revision has made" if foreign else "are all that the database has"
        raise CommandError(
            f"This would drop tables that {why}: {names}. Nothing was written. Name"
            " them as `ignore_tables` in alembic.ini, or import their models. To drop"
            " them, give -x allow-drops"
        )


def sort_drops(revision: Revision) -> None:
    """Drop a table after those that refer to it, and foreign keys before the rest.

    Alembic 1.20 drops tables in any order.
    """
    changes = revision.upgrade
    drops = of_kind(changes, ops.DropTableOp)
    changes.ops[:] = [op for op in changes.ops if op not in drops]
    while drops:
        targets = {target for op in drops for target in targets_of(op)}
        free = [op for op in drops if dotted(op) not in targets] or drops
        changes.ops += free
        drops = [op for op in drops if op not in free]
    for batch in of_kind(changes, ops.ModifyTableOps):
        batch.ops.sort(key=lambda part: not is_foreign_key_drop(part))


def targets_of(drop: ops.DropTableOp) -> set[str]:
    """Return the other tables that the foreign keys of a table refer to."""
    keys = drop.to_table().foreign_keys
    return {key.target_fullname.rpartition(".")[0] for key in keys} - {dotted(drop)}


def is_foreign_key_drop(op: ops.MigrateOperation) -> bool:
    """Return whether an operation drops a foreign key."""
    return isinstance(op, ops.DropConstraintOp) and op.constraint_type == "foreignkey"


def write_downgrade(revision: Revision) -> None:
    """Undo what the upgrade does, from its end."""
    revision.upgrade.reverse_into(revision.downgrade)
    for changes in (revision.upgrade, revision.downgrade):
        remove_empty(changes)
        dropped = {dotted(op) for op in of_kind(changes, ops.DropTableOp)}
        for batch in of_kind(changes, ops.ModifyTableOps):
            if dotted(batch) in dropped:
                # MySQL refuses to drop an index that a foreign key needs.
                indexes = of_kind(batch, ops.DropIndexOp)
                batch.ops = [part for part in batch.ops if part not in indexes]
        remove_empty(changes)


def comment_risks(revision: Revision) -> None:
    """Put a comment before what loses data, or locks a table that has rows."""
    new = {dotted(op) for op in of_kind(revision.upgrade, ops.CreateTableOp)}
    commented: list[ops.MigrateOperation] = []
    for op in revision.upgrade.ops:
        if isinstance(op, ops.DropTableOp):
            commented.append(Comment(f"the rows of table {dotted(op)} are lost"))
        if isinstance(op, ops.ModifyTableOps) and dotted(op) not in new:
            texts = [risk_of(part, revision.dialect.name) for part in op.ops]
            commented += [Comment(text) for text in texts if text]
        commented.append(op)
    revision.upgrade.ops[:] = commented


def risk_of(op: ops.MigrateOperation, dialect: str) -> str:
    """Return what a reviewer has to know of an operation, or an empty string."""
    if isinstance(op, ops.DropColumnOp):
        return f"the values of column {dotted(op, op.column_name)} are lost"
    if isinstance(op, ops.CreateIndexOp) and dialect == "postgresql":
        return (
            f"building {op.index_name} blocks writes to {dotted(op)}. On a large table,"
            " use postgresql_concurrently=True"
        )
    if not isinstance(op, ops.AlterColumnOp):
        return ""
    name = dotted(op, op.column_name)
    if op.modify_type is not None and not holds_all(op.existing_type, op.modify_type):
        return f"{name} changes its type. Values may not fit. The table is rewritten"
    if op.modify_nullable is False and op.existing_nullable:
        return f"{name} becomes NOT NULL. This fails if a row has NULL"
    return ""


def holds_all(old: Any, new: Any) -> bool:
    """Return whether the new type is a longer text, or an enum with more values."""
    if isinstance(old, Enum) and isinstance(new, Enum):
        return set(old.enums) <= set(new.enums)
    if not isinstance(old, String) or not isinstance(new, String) or old.length is None:
        return False
    return new.length is None or new.length >= old.length


def finish(database: Database, directives: list[ops.MigrationScript]) -> None:
    """Refuse options that match no change, and write no revision without changes."""
    if database is not database.run[-1]:
        return
    script = directives[0]
    changed = {name for ops_ in script.upgrade_ops_list for name in names_in(ops_)}
    for option in ("rename", "default"):
        for name, value in pairs_of(option).items():
            if name not in changed:
                raise CommandError(f"-x {option}={name}:{value} matches no change")
    if all(changes.is_empty() for changes in script.upgrade_ops_list):
        directives.clear()
        context.config.print_stdout("No changes found: no revision is written.")


def names_in(changes: ops.UpgradeOps) -> Iterator[str]:
    """Yield the names that the options `rename` and `default` can mean."""
    for part in parts_of(changes):
        if isinstance(part, ops.AddColumnOp):
            yield dotted(part, part.column.name)
        elif isinstance(part, (ops.AlterColumnOp, ops.DropColumnOp)):
            yield dotted(part, part.column_name)
        elif isinstance(part, ops.RenameTableOp):
            yield dotted(part)


# What becomes of Alembic's comparison, in this order. To leave out a step, delete it.
STEPS: list[Callable[[Revision], None]] = [
    find_renames,
    refuse_drops,
    sort_drops,
    add_enum_values,
    create_and_drop_enums,
    name_constraints,
    drop_indexes_of_foreign_keys,
    fill_new_columns,
    write_downgrade,
    fill_old_columns,
    comment_risks,
]
# `alembic check` reports what Alembic finds, and these.
CHECK_STEPS: list[Callable[[Revision], None]] = [add_enum_values]
