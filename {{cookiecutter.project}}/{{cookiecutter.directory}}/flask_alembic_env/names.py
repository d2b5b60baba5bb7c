"""Names for constraints that have none in the models.

A constraint without a name cannot be dropped on SQLite. If the metadata has a naming
convention, SQLAlchemy has named them. The others are named as PostgreSQL would.
"""

from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.sql.naming import conv

from .operations import Revision, of_kind

NAMED = (ops.CreateForeignKeyOp, ops.CreateUniqueConstraintOp, ops.DropConstraintOp)
KINDS = (ForeignKeyConstraint, UniqueConstraint)
CONVENTION = {
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
}


class NamingBatch(ops.ModifyTableOps):
    """A batch that drops constraints which have no name in SQLite."""


@renderers.dispatch_for(NamingBatch)
def render_naming_batch(autogen_context: AutogenContext, op: NamingBatch) -> list[str]:
    """Return the code for a batch that names what has no name."""
    plain = ops.ModifyTableOps(op.table_name, op.ops, schema=op.schema)
    head, *lines = renderers.dispatch(plain)(autogen_context, plain)
    convention = f", naming_convention={CONVENTION!r}) as batch_op:"
    return [head.replace(") as batch_op:", convention), *lines]


def name_constraints(revision: Revision) -> None:
    """Name what the upgrade adds or drops without a name.

    Alembic leaves out the CHECKs that are written in a column: they become the table's.
    """
    changes = revision.upgrade
    for create in of_kind(changes, ops.CreateTableOp):
        table = create.to_table()
        for constraint in table.constraints:
            if isinstance(constraint, KINDS) and not constraint.name:
                constraint.name = name_of(constraint)
        for column in table.c:
            for check in checks_of(column):
                table.append_constraint(CheckConstraint(check.sqltext, check.name))
        create.columns = [*table.c, *table.constraints]
    for batch in of_kind(changes, ops.ModifyTableOps):
        for add in of_kind(batch, ops.AddColumnOp):
            for check in checks_of(add.column):
                name = check.name or f"{batch.table_name}_{add.column.name}_check"
                batch.ops.append(
                    ops.CreateCheckConstraintOp(
                        name, batch.table_name, check.sqltext, schema=batch.schema
                    )
                )
        unnamed = [
            part
            for part in batch.ops
            if isinstance(part, NAMED) and not part.constraint_name
        ]
        for part in unnamed:
            part.constraint_name = name_of(part.to_constraint())
        if any(isinstance(part, ops.DropConstraintOp) for part in unnamed):
            naming = NamingBatch(batch.table_name, batch.ops, schema=batch.schema)
            changes.ops[changes.ops.index(batch)] = naming


def checks_of(column: Any) -> list[CheckConstraint]:
    """Return the CHECKs that are written in a column."""
    return [each for each in column.constraints if isinstance(each, CheckConstraint)]


def name_of(constraint: Any) -> conv:
    """Return a name by the convention, such as `user_email_key`."""
    is_foreign_key = isinstance(constraint, ForeignKeyConstraint)
    ending = "fkey" if is_foreign_key else "key"
    columns = [column.name for column in constraint.columns]
    return conv("_".join([constraint.table.name, *columns, ending]))
