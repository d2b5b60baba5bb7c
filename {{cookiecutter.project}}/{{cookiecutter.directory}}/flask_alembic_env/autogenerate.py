"""What autogenerate compares, and the steps from its comparison to a revision.

See "Customizing Revision Generation" in Alembic's documentation.
"""

from collections.abc import Callable
from typing import Any

from alembic import context
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Enum, String

from .change import steps_of
from .databases import Database
from .names import name_constraints
from .not_null import fill_new_columns, fill_old_columns
from .operations import Revision, comment_on, dotted, of_kind
from .questions import find_renames
from .refusals import refuse_unmatched_options
from .tables import is_ignored, name_filter, refuse_drops
from .types import add_enum_values, create_and_drop_enums, render_item


def options_for(
    database: Database, settings: dict[str, Any], **mode: Any
) -> dict[str, Any]:
    """Return the arguments for `context.configure()`. What is in `settings` wins.

    Callbacks are combined: an object is compared if our filter and the owner's accept
    it, the owner's render_item is asked first, and the owner processes a revision last.
    """
    options: dict[str, Any] = {
        "target_metadata": database.metadata,
        "include_schemas": any(table.schema for table in database.tables),
        "fn": steps_of(database),
        "transaction_per_migration": database.dialect != "sqlite",
        **mode,
    }
    if database.dialect == "sqlite":  # one transaction for the command
        options["transactional_ddl"] = True
    if database.is_one_of_several:
        options["upgrade_token"] = f"{database.engine_name}_upgrades"
        options["downgrade_token"] = f"{database.engine_name}_downgrades"
    include = name_filter(database)
    include_of_owner = settings.get("include_name", lambda *arguments: True)
    object_of_owner = settings.get("include_object", lambda *arguments: True)
    render_of_owner = settings.get("render_item", lambda *arguments: False)
    process_of_owner = settings.get("process_revision_directives", lambda *more: None)

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        is_ours = include(name, kind, parents)
        return bool(is_ours and include_of_owner(name, kind, parents))

    def include_object(item: Any, name: str | None, kind: str, *more: Any) -> bool:
        is_other = kind == "table" and is_ignored(name or "")
        return not is_other and bool(object_of_owner(item, name, kind, *more))

    def render(kind: str, item: Any, autogen_context: Any) -> Any:
        code = render_of_owner(kind, item, autogen_context)
        return render_item(kind, item, autogen_context) if code is False else code

    def process(ctx: MigrationContext, heads: Any, directives: list[Any]) -> None:
        # There is no public name for this (Alembic 1.18 to 1.20).
        is_autogenerate = ctx.opts["revision_context"].command_args["autogenerate"]
        if is_autogenerate and directives:
            revise(ctx, database, directives[0])
        process_of_owner(ctx, heads, directives)
        is_end = database.is_last and database.command == "revision"
        if is_autogenerate and directives and is_end:
            refuse_unmatched_options(directives[0])
            write_no_empty_revision(directives)

    return {
        **options,
        **settings,
        "include_name": include_name,
        "include_object": include_object,
        "render_item": render,
        "process_revision_directives": process,
    }


def revise(
    ctx: MigrationContext, database: Database, script: ops.MigrationScript
) -> None:
    """Run the steps on what Alembic has found in a database."""
    if not database.tables and not database.is_one_of_several:
        raise CommandError(
            "The metadata has no tables, because no module with models is imported."
            " Import them in the application, or in env.py"
        )
    upgrade, downgrade = script.upgrade_ops_list[-1], script.downgrade_ops_list[-1]
    revision = Revision(ctx, database.tables, upgrade, downgrade)
    for step in CHECK_STEPS if database.command == "check" else STEPS:
        step(revision)


def sort_drops(revision: Revision) -> None:
    """Drop a table after those that refer to it: Alembic 1.20 has any order."""
    changes = revision.upgrade
    drops = of_kind(changes, ops.DropTableOp)
    changes.ops[:] = [op for op in changes.ops if op not in drops]
    while drops:
        targets: set[str] = set()
        for drop in drops:
            keys = drop.to_table().foreign_keys
            names = {key.target_fullname.rpartition(".")[0] for key in keys}
            targets |= names - {dotted(drop)}
        free = [op for op in drops if dotted(op) not in targets] or drops
        changes.ops += free
        drops = [op for op in drops if op not in free]


def write_downgrade(revision: Revision) -> None:
    """Undo what the upgrade does, from its end."""
    revision.upgrade.reverse_into(revision.downgrade)
    for changes in (revision.upgrade, revision.downgrade):
        dropped = {dotted(op) for op in of_kind(changes, ops.DropTableOp)}
        for batch in of_kind(changes, ops.ModifyTableOps):
            if dotted(batch) in dropped:
                # MySQL refuses to drop an index that a foreign key needs.
                indexes = of_kind(batch, ops.DropIndexOp)
                batch.ops = [part for part in batch.ops if part not in indexes]
        # Batches and lines that have become empty.
        changes.ops[:] = [
            op for op in changes.ops if getattr(op, "ops", getattr(op, "lines", [op]))
        ]


def comment_risks(revision: Revision) -> None:
    """Put a comment before what loses data, or locks a table that has rows."""
    changes, dialect = revision.upgrade, revision.context.dialect.name
    new = {dotted(op) for op in of_kind(changes, ops.CreateTableOp)}
    for op in list(changes.ops):
        is_new = isinstance(op, ops.ModifyTableOps) and dotted(op) in new
        for part in [] if is_new else getattr(op, "ops", [op]):
            if risk := risk_of(part, dialect):
                comment_on(changes, op, risk, aloud=False)


def risk_of(op: Any, dialect: str) -> str:
    """Return what a reviewer has to know of an operation, or an empty string."""
    name = dotted(op, getattr(op, "column_name", "")) if hasattr(op, "schema") else ""
    if isinstance(op, ops.DropTableOp):
        return f"the rows of table {name} are lost"
    if isinstance(op, ops.DropColumnOp):
        return f"the values of column {name} are lost"
    if isinstance(op, ops.CreateIndexOp) and dialect == "postgresql":
        risk = f"building {op.index_name} blocks writes to {name}"
        return f"{risk}. On a large table, use postgresql_concurrently=True"
    if isinstance(op, ops.AlterColumnOp) and op.modify_type is not None:
        risk = f"{name} changes its type. Values may not fit. The table is rewritten"
        return "" if holds_all(op.existing_type, op.modify_type) else risk
    if getattr(op, "modify_nullable", None) is False and op.existing_nullable:
        return f"{name} becomes NOT NULL. This fails if a row has NULL"
    return ""


def holds_all(old: Any, new: Any) -> bool:
    """Return whether the new type is a longer text, or an enum with more values."""
    if isinstance(old, Enum) and isinstance(new, Enum):
        return set(old.enums) <= set(new.enums)
    if not isinstance(old, String) or not isinstance(new, String) or old.length is None:
        return False
    return new.length is None or new.length >= old.length


def write_no_empty_revision(directives: list[ops.MigrationScript]) -> None:
    """Drop a revision without changes, and say what to do about existing tables."""
    if not all(each.is_empty() for each in directives[0].upgrade_ops_list):
        return
    directives.clear()
    outcome = "No changes found: no revision is written."
    if not context.script.get_bases():
        outcome += " If the database has the tables already, write the first revision"
        outcome += " with `alembic -x baseline revision --autogenerate -m first`."
    context.config.print_stdout(outcome)


# What becomes of Alembic's comparison, in this order. To leave out a step, delete it.
STEPS: list[Callable[[Revision], None]] = [
    find_renames,
    refuse_drops,
    sort_drops,
    add_enum_values,
    create_and_drop_enums,
    name_constraints,
    fill_new_columns,
    write_downgrade,
    fill_old_columns,
    comment_risks,
]
# `alembic check` reports what Alembic finds, and these.
CHECK_STEPS: list[Callable[[Revision], None]] = [add_enum_values]
