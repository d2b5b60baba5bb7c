"""For env.py: what happens between autogenerate's comparison and the file it writes.

Whoever wants Alembic's own way deletes this file, and the line in env.py that calls it.

https://alembic.sqlalchemy.org/en/latest/api/autogenerate.html#customizing-revision-generation

    alembic -x allow-drops revision --autogenerate ...   tables may be dropped
"""

import re
import tokenize
from functools import cache

import sqlalchemy
from alembic import context
from alembic.operations import ops
from alembic.util import CommandError
from env_options import flag, refuse_unused
from env_review import dotted, mark_risks, of_kind, remove_empty


def reviewed(database, databases):
    """Options for `context.configure`: a revision is looked at before it is written.

    What that takes is imported when it is needed, for other commands to start fast.
    """

    types = None

    def look(migration_context, revision, directives):
        nonlocal types
        # There are no public names for these two (Alembic 1.13 to 1.20).
        arguments = migration_context.opts["revision_context"].command_args
        is_check = migration_context.opts["fn"].__qualname__.startswith("check.")
        if arguments["autogenerate"] and directives:
            refuse_no_tables(databases)
            upgrade = directives[0].upgrade_ops_list[-1]  # those of this database
            downgrade = directives[0].downgrade_ops_list[-1]
            import env_types as types  # now, as its file can't be found after env.py

            if is_check:
                find_changes(migration_context, upgrade)
                return
            improve(migration_context, upgrade, downgrade)
            if database is databases[-1]:
                finish(directives)

    def render_item(*arguments):
        return types.render_item(*arguments)

    @cache
    def prepare():
        from env_enums import compare_defaults

        compare_defaults(context.get_context().impl)

    def include_name(*_):  # asked before anything is compared
        prepare()
        return True

    return {
        "include_name": include_name,
        "process_revision_directives": look,
        "render_item": render_item,
    }


def find_changes(migration_context, upgrade):
    """Add the changes that Alembic does not see."""
    from env_enums import change_enums

    change_enums(migration_context, upgrade)


def improve(migration_context, upgrade, downgrade):
    """Let a revision do what is meant, run as it is written, and say what it loses."""
    from env_names import name_constraints
    from env_not_null import fill_columns
    from env_renames import find_renames

    find_renames(migration_context, upgrade)
    refuse_drops(upgrade)
    drop_in_order(upgrade)
    find_changes(migration_context, upgrade)
    name_constraints(migration_context, upgrade)
    fill_columns(migration_context, upgrade)  # after the CHECKs are out of the columns
    turn_round(upgrade, downgrade)
    name_constraints(migration_context, downgrade)
    fill_columns(migration_context, downgrade, may_ask=False)
    drop_indexes_with_tables(upgrade)
    drop_indexes_with_tables(downgrade)
    mark_risks(migration_context, upgrade)


def finish(directives):
    from env_format import format_as_project

    refuse_unused("rename", "default")
    skip_no_changes(directives)
    format_as_project()


def refuse_no_tables(databases):
    """Stop where there are no models, for which autogenerate would drop every table."""
    if not any(database.metadata.tables for database in databases):
        raise CommandError(
            "The metadata has no tables: the modules that define the models were not"
            " imported. Import them in the application, or in env.py below `metadata =`"
        )


def refuse_drops(changes):
    """Stop before the tables of another application, or all tables, would be dropped.

    A table that no revision of ours mentions was made by somebody else.
    """
    drops = {(op.schema, op.table_name) for op in of_kind(changes, ops.DropTableOp)}
    if not drops or flag("allow-drops"):
        return
    revisions = ""
    for script in context.script.walk_revisions():
        with tokenize.open(script.path) as file:
            revisions += file.read()
    foreign = [
        name for _, name in drops if not re.search(rf"\b{re.escape(name)}\b", revisions)
    ]
    inspector = sqlalchemy.inspect(context.get_bind())
    left = {
        (schema, name)
        for schema in {schema for schema, _ in drops}
        for name in inspector.get_table_names(schema)
        if name != context.get_context().version_table
    }
    if foreign or left <= drops:
        why = "no revision has made" if foreign else "are all that the database has"
        names = sorted(foreign or (name for _, name in drops))
        raise CommandError(
            f"This would drop tables that {why}: {', '.join(names)}."
            " Name them as `ignore_tables` in alembic.ini, or import their models;"
            " to drop them, give -x allow-drops"
        )


def drop_in_order(changes):
    """Drop what refers to something before it: Alembic 1.20 has it the other way round."""
    drops = of_kind(changes, ops.DropTableOp)
    changes.ops[:] = [op for op in changes.ops if op not in drops]
    while drops:
        targets = {target for op in drops for target in targets_of(op)}
        free = [op for op in drops if dotted(op) not in targets] or drops
        changes.ops += free
        drops = [op for op in drops if op not in free]
    for table in of_kind(changes, ops.ModifyTableOps):
        table.ops.sort(key=lambda part: not is_foreign_key_drop(part))


def targets_of(drop):
    """The other tables that a table's foreign keys refer to."""
    table = drop.to_table()
    targets = {key.target_fullname.rpartition(".")[0] for key in table.foreign_keys}
    return targets - {dotted(drop)}


def is_foreign_key_drop(op):
    return isinstance(op, ops.DropConstraintOp) and op.constraint_type == "foreignkey"


def drop_indexes_with_tables(changes):
    """Drop no index just before its table: MySQL keeps one that a foreign key needs."""
    dropped = {dotted(op) for op in of_kind(changes, ops.DropTableOp)}
    for table in of_kind(changes, ops.ModifyTableOps):
        if dotted(table) in dropped:
            indexes = of_kind(table, ops.DropIndexOp)
            table.ops = [part for part in table.ops if part not in indexes]
    remove_empty(changes)


def turn_round(upgrade, downgrade):
    """Make the downgrade anew: what the upgrade does, undone from its end."""
    upgrade.reverse_into(downgrade)
    downgrade.ops[:] = [op for op in downgrade.ops if op is not None]
    for table in of_kind(downgrade, ops.ModifyTableOps):
        table.ops = [part for part in table.ops if part is not None]
    remove_empty(downgrade)


def skip_no_changes(directives):
    """Write no file where nothing has changed, and say so."""
    if all(changes.is_empty() for changes in directives[0].upgrade_ops_list):
        directives.clear()
        context.config.print_stdout("No changes found: no revision is written.")
