"""For env_autogenerate.py: something is gone, and something like it is new: was it renamed?

At a terminal it is asked. Where nobody can be asked, the answers are options:

    alembic -x rename=user.name:full_name revision --autogenerate ...    a column
    alembic -x rename=post:article revision --autogenerate ...           a table

Without an answer the old one is dropped, and a comment in the revision says so.
"""

from alembic.autogenerate import renderers
from alembic.operations import ops
from env_enums import literal, plain
from env_options import USED, answers, ask
from env_review import comment_on, dotted, of_kind, remove_empty
from sqlalchemy import UniqueConstraint
from sqlalchemy.exc import CompileError

YES_OR_NO = {"y": True, "yes": True, "n": False, "no": False, "": False}
DROPS = (ops.DropConstraintOp, ops.DropIndexOp)


class RenameColumn(ops.AlterColumnOp):
    """`alter_column` with a new name, which Alembic's own can't turn round."""

    @classmethod
    def of(cls, op, old, new, column):
        default = column.server_default
        renamed = cls(
            op.table_name,
            old,
            schema=op.schema,
            modify_name=new,
            existing_type=column.type,
            existing_nullable=column.nullable,
            existing_server_default=False if default is None else default,
            existing_comment=column.comment,
        )
        renamed.column = column
        return renamed

    def reverse(self):
        return self.of(self, self.modify_name, self.column_name, self.column)


@renderers.dispatch_for(RenameColumn)
def render_rename_column(autogen_context, op):
    text = renderers.dispatch(ops.AlterColumnOp)(autogen_context, op)
    if "new_column_name=" in text:
        return text
    return f"{text[:-1]}, new_column_name={op.modify_name!r})"  # before Alembic 1.15


class RenameTable(ops.RenameTableOp):
    """`rename_table`, which Alembic's own autogenerate does not write."""

    def reverse(self):
        return RenameTable(self.new_table_name, self.table_name, schema=self.schema)


@renderers.dispatch_for(RenameTable)
def render_rename_table(autogen_context, op):
    prefix = autogen_context.opts["alembic_module_prefix"]
    schema = f", schema={op.schema!r}" if op.schema else ""
    return f"{prefix}rename_table({op.table_name!r}, {op.new_table_name!r}{schema})"


ASKED = set()


def is_renamed(changes, op, old, new):
    """Whether somebody says that `old`, which `op` would drop, is called `new` now."""
    given = answers("rename")
    if given.get(old) == new:
        USED.add(("rename", old))
        return True
    taken = {(name.rpartition(".")[0], to) for name, to in given.items()}
    if old in given or (old.rpartition(".")[0], new) in taken or (old, new) in ASKED:
        return False
    ASKED.add((old, new))
    answer = ask(f"Was {old} renamed to {new}? [y/N]", YES_OR_NO)
    if answer is None:
        text = (
            f"was {old} renamed to {new}? If so, begin again with -x rename={old}:{new}"
        )
        comment_on(changes, op, text)
    return answer


def find_renames(migration_context, changes):
    """Turn drops and additions into renames, where they are that."""
    impl = migration_context.impl
    while pair := renamed_table(impl, changes):
        rename_table(changes, *pair)
    rename_columns(impl, changes)


def renamed_table(impl, changes):
    drops = of_kind(changes, ops.DropTableOp)
    for drop in sorted(drops, key=lambda op: op.table_name):
        for create in of_kind(changes, ops.CreateTableOp):
            if are_alike(impl, changes, drop, create) and is_renamed(
                changes, drop, dotted(drop), create.table_name
            ):
                return drop, create
    return None


def are_alike(impl, changes, drop, create):
    """Whether two tables have the same columns and foreign keys."""
    old, new = drop.to_table(), create.to_table()
    renames = {op.table_name: op.new_table_name for op in of_kind(changes, RenameTable)}
    names = set(old.c.keys())
    return (
        old.schema == new.schema
        and names == set(new.c.keys())
        and all(has_same_type(impl, old.c[name], new.c[name]) for name in names)
        and targets(old, {**renames, old.name: new.name}) == targets(new, {})
    )


def targets(table, renames):
    """What the foreign keys of a table refer to, with the names that tables get."""
    return {
        (element.parent.name, schema, renames.get(name, name), column)
        for key in table.foreign_key_constraints
        for element in key.elements
        for schema, name, column in [
            (None, None, *element.target_fullname.split("."))[-3:]
        ]
    }


def has_same_type(impl, old, new):
    try:
        return not impl.compare_type(old, new)
    except CompileError:  # a type that this kind of database doesn't have
        return False


def rename_table(changes, drop, create):
    """Rename it, and its indexes and constraints where their names come from its own."""
    old, new = drop.to_table(), create.to_table()
    changes.ops.remove(drop)
    changes.ops.remove(create)
    parts = [*drop_uniques(old, new), *create_uniques(old, new)]
    for table in of_kind(changes, ops.ModifyTableOps):
        if table.schema == old.schema and table.table_name in (old.name, new.name):
            parts += table.ops
            changes.ops.remove(table)
        else:
            keep_foreign_keys(table, old.name, new.name)
    parts = without_what_stays(parts)
    for part in parts:
        part.table_name = new.name
    drops = of_kind(parts, DROPS)
    others = [part for part in parts if not isinstance(part, DROPS)]
    place = len(of_kind(changes, RenameTable))
    changes.ops[place:place] = [
        RenameTable(old.name, new.name, schema=old.schema),
        ops.ModifyTableOps(new.name, drops + others, schema=new.schema),
    ]
    remove_empty(changes)


def drop_uniques(old, new):
    kept = {constraint.name for constraint in uniques_of(new)} | {None}
    unnamed = [
        constraint.columns.keys()
        for constraint in uniques_of(new)
        if constraint.name is None
    ]
    for constraint in uniques_of(old):
        if constraint.name not in kept and constraint.columns.keys() not in unnamed:
            yield ops.DropConstraintOp.from_constraint(constraint)


def create_uniques(old, new):
    names = {constraint.name for constraint in uniques_of(old)}
    columns = [constraint.columns.keys() for constraint in uniques_of(old)]
    for constraint in uniques_of(new):
        is_there = constraint.name is None and constraint.columns.keys() in columns
        if constraint.name not in names and not is_there:
            yield ops.AddConstraintOp.from_constraint(constraint)


def uniques_of(table):
    return of_kind(table.constraints, UniqueConstraint)


def without_what_stays(parts):
    """Leave out what would be dropped and created again under the same name.

    (MySQL has unique constraints as indexes.)
    """
    made = {name_of(part) for part in parts if not isinstance(part, DROPS)}
    gone = {name_of(part) for part in parts if isinstance(part, DROPS)}
    return [part for part in parts if name_of(part) not in made & gone]


def name_of(part):
    return getattr(part, "index_name", None) or getattr(part, "constraint_name", None)


def keep_foreign_keys(table, old_name, new_name):
    """Don't drop and create again what refers to a renamed table: it follows by itself."""
    for drop in of_kind(table, ops.DropConstraintOp):
        was = drop.reverse()
        if (
            not isinstance(was, ops.CreateForeignKeyOp)
            or was.referent_table != old_name
        ):
            continue
        for add in of_kind(table, ops.CreateForeignKeyOp):
            if add.referent_table == new_name and (was.local_cols, was.remote_cols) == (
                add.local_cols,
                add.remote_cols,
            ):
                table.ops.remove(drop)
                table.ops.remove(add)
                break
        else:  # the downgrade makes it again before the table has its old name
            was.referent_table = new_name
            key = ops.DropConstraintOp.from_constraint(was.to_constraint())
            table.ops[table.ops.index(drop)] = key


def rename_columns(impl, changes):
    renames = []
    for table in of_kind(changes, ops.ModifyTableOps):
        columns = []
        drops = of_kind(table, ops.DropColumnOp)
        for drop in sorted(drops, key=lambda op: op.column_name):
            for add in of_kind(table, ops.AddColumnOp):
                old, new = drop.to_column(), add.column
                name = dotted(table, old.name)
                given = answers("rename").get(name) == new.name
                if not given and not has_same_type(impl, old, new):
                    continue
                if is_renamed(changes, table, name, new.name):
                    columns.append(RenameColumn.of(table, old.name, new.name, old))
                    table.ops.remove(drop)
                    place = table.ops.index(add)
                    table.ops[place : place + 1] = other_changes(impl, table, old, new)
                    break
        if columns:
            renames.append(
                ops.ModifyTableOps(table.table_name, columns, schema=table.schema)
            )
    if renames:
        # First goes what is on the old names, so that the downgrade can make it again.
        place = len(changes.ops) and changes.ops.index(
            next(op for op in changes.ops if not isinstance(op, RenameTable))
        )
        changes.ops[place:place] = [*take_drops(changes), *renames]
        remove_empty(changes)


def other_changes(impl, table, old, new):
    """What else has become of a renamed column."""
    same_type = has_same_type(impl, old, new)
    change = ops.AlterColumnOp(
        table.table_name,
        new.name,
        schema=table.schema,
        existing_type=old.type,
        existing_nullable=old.nullable,
        existing_server_default=False
        if old.server_default is None
        else old.server_default,
        existing_comment=old.comment,
        modify_type=None if same_type else new.type,
        modify_nullable=None if old.nullable == new.nullable else new.nullable,
        modify_comment=False if old.comment == new.comment else new.comment,
    )
    if is_other_default(old, new):
        change.existing_server_default = old.server_default
        change.modify_server_default = new.server_default
    return [change] if change.has_changes() else []


def is_other_default(old, new):
    """Whether the server default changes, as far as it is a value."""
    old, new = old.server_default, new.server_default
    if old is None or new is None:
        return (old is None) != (new is None)
    text, wanted = getattr(old, "arg", None), getattr(new, "arg", None)
    if not isinstance(wanted, str) or text is None:
        return False
    return plain(str(text)) not in (wanted, literal(wanted))


def take_drops(changes):
    for table in of_kind(changes, ops.ModifyTableOps):
        drops = of_kind(table, DROPS)
        table.ops = [op for op in table.ops if op not in drops]
        if drops:
            yield ops.ModifyTableOps(table.table_name, drops, schema=table.schema)
