"""Was it renamed, or dropped and added?

A person at the terminal is asked. Options answer it, too:

    alembic -x rename=post:article revision --autogenerate ...
    alembic -x rename=user.name:full_name revision --autogenerate ...

Without an answer it is dropped and added, with a REVIEW comment.
"""

from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import Column, Table, UniqueConstraint
from sqlalchemy.exc import SQLAlchemyError

from .operations import Revision, comment_on, dotted, of_kind
from .options import ask, pairs_of

DROPS = (ops.DropConstraintOp, ops.DropIndexOp)


class RenameColumn(ops.AlterColumnOp):
    """An `alter_column` with a new name, which Alembic's own cannot reverse."""

    def reverse(self) -> ops.AlterColumnOp:
        """Return the renaming back to the old name."""
        new = str(self.modify_name)
        return renaming(self, new, self.column_name, self.kw["column"])


class RenameTable(ops.RenameTableOp):
    """A `rename_table`, which Alembic's autogenerate neither writes nor reverses."""

    def reverse(self) -> ops.MigrateOperation:
        """Return the renaming back to the old name."""
        return RenameTable(self.new_table_name, self.table_name, schema=self.schema)


@renderers.dispatch_for(RenameTable)
def render_rename_table(autogen_context: AutogenContext, op: RenameTable) -> str:
    """Return the code for a renamed table."""
    schema = f", schema={op.schema!r}" if op.schema else ""
    return f"op.rename_table({op.table_name!r}, {op.new_table_name!r}{schema})"


def find_renames(revision: Revision) -> None:
    """Turn a drop and an addition into a rename, if somebody says that it is one."""
    changes = revision.upgrade
    renames: list[ops.MigrateOperation] = []
    for drop in sorted(of_kind(changes, ops.DropTableOp), key=dotted):
        for create in of_kind(changes, ops.CreateTableOp):
            if is_same_table(revision, drop, create) and is_renamed(
                revision, drop, dotted(drop), create.table_name
            ):
                changes.ops.remove(drop)
                changes.ops.remove(create)
                new = create.table_name
                renames.append(RenameTable(drop.table_name, new, schema=drop.schema))
                changes.ops += renamed_uniques(drop, create)
                break
    for batch in of_kind(changes, ops.ModifyTableOps):
        if columns := renamed_columns(revision, batch):
            renames.append(
                ops.ModifyTableOps(batch.table_name, columns, schema=batch.schema)
            )
    if renames:
        # Constraints and indexes of the old names go first: reversed, they come last.
        changes.ops[:] = [*take_drops(changes), *renames, *changes.ops]


def is_same_table(
    revision: Revision, drop: ops.DropTableOp, create: ops.CreateTableOp
) -> bool:
    """Return whether two tables have the same schema and columns."""
    old, new = drop.to_table(), create.to_table()
    if old.schema != new.schema or set(old.c.keys()) != set(new.c.keys()):
        return False
    return all(is_same_type(revision, each, new.c[key]) for key, each in old.c.items())


def renamed_uniques(
    drop: ops.DropTableOp, create: ops.CreateTableOp
) -> list[ops.MigrateOperation]:
    """Return the batches for the unique constraints whose names have the table's."""
    old, new = uniques_of(drop.to_table()), uniques_of(create.to_table())
    gone: list[ops.MigrateOperation] = []
    made: list[ops.MigrateOperation] = []
    for columns, unique in new.items():
        before = old.get(columns)
        if before is not None and unique.name in (None, before.name):
            continue
        if before is not None:  # MySQL has an index instead, which is dropped anyway
            gone.append(ops.DropConstraintOp.from_constraint(before))
        made.append(ops.CreateUniqueConstraintOp.from_constraint(unique))
    return [
        ops.ModifyTableOps(drop.table_name, gone, schema=drop.schema),
        ops.ModifyTableOps(create.table_name, made, schema=create.schema),
    ]


def uniques_of(table: Table) -> dict[tuple[str, ...], UniqueConstraint]:
    """Return the unique constraints of a table by their columns."""
    uniques = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    uniques.sort(key=lambda each: each.columns.keys())
    return {tuple(each.columns.keys()): each for each in uniques}


def is_same_type(revision: Revision, old: Column[Any], new: Column[Any]) -> bool:
    """Return whether the database stores two columns in the same type."""
    try:
        return not revision.context.impl.compare_type(old, new)
    except SQLAlchemyError:  # this database does not have the type
        return False


def is_renamed(
    revision: Revision, op: ops.MigrateOperation, old: str, new: str
) -> bool:
    """Return whether an option or a person says that `old` is called `new` now."""
    given = pairs_of("rename")
    if old in given:
        return given[old] == new
    table = old.rpartition(".")[0]
    if any(key.rpartition(".")[0] == table and given[key] == new for key in given):
        return False
    answer = ask(f"Was {old} renamed to {new}? [y/N]", yes_or_no)
    if answer is None:
        question = f"was {old} renamed to {new}? If so, use -x rename={old}:{new}"
        comment_on(revision.upgrade, op, question)
    return bool(answer) and yes_or_no(str(answer))


def yes_or_no(answer: str) -> bool:
    """Return whether the answer is yes."""
    if answer.lower() not in ("y", "yes", "n", "no"):
        raise ValueError("Answer y or n")
    return answer.lower() in ("y", "yes")


def renamed_columns(
    revision: Revision, batch: ops.ModifyTableOps
) -> list[ops.MigrateOperation]:
    """Remove renamed columns from a batch, and return what renames them."""
    renames: list[ops.MigrateOperation] = []
    for drop in sorted(of_kind(batch, ops.DropColumnOp), key=lambda op: op.column_name):
        for add in of_kind(batch, ops.AddColumnOp):
            old, new = drop.to_column(), add.column
            name = dotted(batch, old.name)
            is_given = pairs_of("rename").get(name) == new.name
            if not is_given and not is_same_type(revision, old, new):
                continue
            if is_renamed(revision, batch, name, new.name):
                renames.append(renaming(batch, old.name, new.name, old))
                batch.ops.remove(drop)
                rest = other_changes(revision, add, old)
                place = batch.ops.index(add)
                batch.ops[place : place + 1] = [rest] if rest.has_changes() else []
                break
    return renames


def renaming(
    table: ops.ModifyTableOps | ops.AlterColumnOp,
    old: str,
    new: str,
    column: Column[Any],
) -> RenameColumn:
    """Return the operation that renames a column."""
    return RenameColumn(
        table.table_name,
        old,
        schema=table.schema,
        modify_name=new,
        existing_type=column.type,
        existing_nullable=column.nullable,
        existing_server_default=column.server_default or False,
        existing_comment=column.comment,
        column=column,
    )


def other_changes(
    revision: Revision, add: ops.AddColumnOp, old: Column[Any]
) -> ops.AlterColumnOp:
    """Return what else has changed in a renamed column."""
    new = add.column
    is_other_type = not is_same_type(revision, old, new)
    change = ops.AlterColumnOp(
        add.table_name,
        new.name,
        schema=add.schema,
        existing_type=old.type,
        existing_nullable=old.nullable,
        existing_server_default=old.server_default or False,
        existing_comment=old.comment,
        modify_type=new.type if is_other_type else None,
        modify_nullable=new.nullable if new.nullable != old.nullable else None,
        modify_comment=new.comment if new.comment != old.comment else False,
    )
    if (new.server_default is None) != (old.server_default is None):
        change.existing_server_default = old.server_default
        change.modify_server_default = new.server_default
    return change


def take_drops(changes: ops.UpgradeOps) -> list[ops.MigrateOperation]:
    """Remove the drops of constraints and indexes, and return them in batches."""
    taken: list[ops.MigrateOperation] = []
    for batch in of_kind(changes, ops.ModifyTableOps):
        drops = [part for part in batch.ops if isinstance(part, DROPS)]
        batch.ops = [part for part in batch.ops if part not in drops]
        taken.append(ops.ModifyTableOps(batch.table_name, drops, schema=batch.schema))
    return taken
