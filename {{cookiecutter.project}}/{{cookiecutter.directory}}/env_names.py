"""For env.py: a constraint that has no name in the models gets one in the revision.

SQLite can't drop a constraint that has none. The names are those that PostgreSQL gives, as
in user_email_key: it has them from older revisions, too, that named nothing.
https://www.postgresql.org/docs/current/sql-createtable.html
"""

import re
from contextlib import suppress

import sqlalchemy
from alembic.autogenerate import renderers
from alembic.operations import ops
from env_review import of_kind, parts
from sqlalchemy.schema import conv

LABELS = {
    sqlalchemy.UniqueConstraint: "key",
    sqlalchemy.ForeignKeyConstraint: "fkey",
    sqlalchemy.CheckConstraint: "check",
}
ADDED = (
    ops.CreateUniqueConstraintOp,
    ops.CreateForeignKeyOp,
    ops.CreateCheckConstraintOp,
)


class BatchOfUnnamed(ops.ModifyTableOps):
    """A batch that drops constraints which have no name in SQLite."""

    convention = None


class AddCheck(ops.CreateCheckConstraintOp):
    """A CHECK of a column that is added: before 1.19, Alembic can't write it."""


@renderers.dispatch_for(AddCheck)
def render_check(autogen_context, check):
    in_batch = autogen_context.opts["render_as_batch"]
    prefix = "batch_op" if in_batch else "op"
    name = repr(str(check.constraint_name))
    if isinstance(check.constraint_name, conv):  # it is final
        name = f"{prefix}.f({name})"
    place = "" if in_batch else f"{check.table_name!r}, "
    schema = "" if in_batch else f", schema={check.schema!r}"
    text = str(check.condition)
    return f"{prefix}.create_check_constraint({name}, {place}{text!r}{schema})"


class IndexOfForeignKey(ops.MigrateOperation):
    """The index that MySQL makes for a foreign key, and does not drop with it."""

    def __init__(self, name, table, columns, schema, is_made):
        self.name, self.table, self.columns, self.schema = name, table, columns, schema
        self.is_made = is_made

    def reverse(self):
        return IndexOfForeignKey(
            self.name, self.table, self.columns, self.schema, not self.is_made
        )


@renderers.dispatch_for(IndexOfForeignKey)
def render_index(autogen_context, index):
    schema = f", schema={index.schema!r}" if index.schema else ""
    if index.is_made:
        call = (
            f"create_index({index.name!r}, {index.table!r}, {index.columns!r}{schema})"
        )
    else:
        call = f"drop_index({index.name!r}, table_name={index.table!r}{schema})"
    return [
        "# The index that MySQL has made for the foreign key is not dropped with it.",
        'if op.get_context().dialect.name in ("mysql", "mariadb"):',
        f"op.{call}",
        "",  # ends the block, in which Alembic indents the lines
    ]


@renderers.dispatch_for(BatchOfUnnamed)
def render_batch(autogen_context, batch):
    plain = ops.ModifyTableOps(batch.table_name, batch.ops, schema=batch.schema)
    head, *lines = renderers.dispatch(plain)(autogen_context, plain)
    head = head.replace(") as batch_op:", ", naming_convention=names) as batch_op:")
    return [
        "# SQLite has no names for some constraints: here they get those of PostgreSQL.",
        f"names = {batch.convention!r}",
        head,
        *lines,
    ]


def name_constraints(migration_context, changes):
    """Name what has no name in the operations of an upgrade or a downgrade."""
    names = Names(migration_context, changes)
    named = []
    for op in changes.ops:
        named.append(op)
        if isinstance(op, ops.CreateTableOp):
            name_in_table(op, names)
        elif isinstance(op, ops.ModifyTableOps):
            op.ops[:] = name_in_batch(op, names)
            if migration_context.opts["render_as_batch"]:
                named[-1] = name_dropped(op, names)
            named += indexes_left(op, names)
    changes.ops[:] = named


def name_in_table(op, names):
    """Name the constraints of a table that is created.

    CHECKs that are written in a column become the table's: Alembic leaves them out.
    """
    table = op.to_table()  # a copy
    for column in table.c:
        for check in column_checks(column):
            column.constraints.remove(check)
            table.append_constraint(as_text(check, names.dialect))
    constraints = [item for item in table.constraints if not item._type_bound]
    for constraint in sorted(constraints, key=description):
        if label_of(constraint) and not isinstance(constraint.name, str):
            constraint.name = names.new(constraint, columns_of(constraint))
    op.columns = [*table.c, *constraints]


def name_in_batch(op, names):
    """The operations on a table that exists, with names for what they add."""
    for part in op.ops:
        if isinstance(part, ADDED) and not isinstance(part.constraint_name, str):
            constraint = part.to_constraint()
            part.constraint_name = names.new(constraint, columns_of(constraint))
        yield part
        if isinstance(part, ops.AddColumnOp):
            for check in column_checks(part.column):
                copy = as_text(check, names.dialect)
                table = sqlalchemy.Table(
                    op.table_name, sqlalchemy.MetaData(), copy, schema=op.schema
                )
                if not isinstance(copy.name, str):
                    copy.name = names.new(copy, [part.column.name])
                yield AddCheck(copy.name, table.name, copy.sqltext, schema=op.schema)


def name_dropped(op, names):
    """A batch in which SQLite finds the constraints that are dropped and have no name.

    The operation as it is, where there is none, or the names would not be clear.
    """
    convention, found = {}, {}
    for part in op.ops:
        if not isinstance(part, ops.DropConstraintOp):
            continue
        if isinstance(part.constraint_name, str):
            continue
        constraint = part.to_constraint()
        label, columns = label_of(constraint), "_".join(columns_of(constraint))
        table, rest = fitted(op.table_name, columns, label)
        found[part] = f"{table}_{rest}_{label}"
        # As many letters as there is room for: "%(table_name).20s"
        most = [
            f".{len(short)}" if short != long else ""
            for short, long in ((table, op.table_name), (rest, columns))
        ]
        convention["fk" if label == "fkey" else "uq"] = (
            f"%(table_name){most[0]}s_%(column_0_N_name){most[1]}s_{label}"
        )
    if not found:
        return op
    given = names.by_convention(op.table_name, op.schema, convention)
    if not all(given.count(name) == 1 for name in (*given, *found.values())):
        return op
    for part, name in found.items():
        part.constraint_name = name
    batch = BatchOfUnnamed(op.table_name, op.ops, schema=op.schema)
    batch.convention = convention
    return batch


def indexes_left(op, names):
    """What is left on MySQL of the foreign keys that are dropped, and not made anew."""
    place = op.table_name, op.schema
    dropped = of_kind(op, ops.DropConstraintOp)
    if not dropped or names.dialect.name not in ("mysql", "mariadb"):
        return
    if not names.inspector.has_table(*place):
        return
    gone = {part.constraint_name for part in dropped}
    keys = names.inspector.get_foreign_keys(*place)
    used = {key["constrained_columns"][0] for key in keys if key["name"] not in gone}
    for part in op.ops:
        if isinstance(part, ops.CreateForeignKeyOp):
            used.add(part.local_cols[0])
        elif isinstance(part, ops.DropColumnOp):
            used.add(part.column_name)  # and its indexes go with it
    indexes = {
        index["name"]: index["column_names"]
        for index in names.inspector.get_indexes(*place)
        if not index["unique"]
    }
    for key in keys:
        columns = key["constrained_columns"]
        for name in {key["name"], columns[0]} & {*indexes} - names.of_models(*place):
            if (
                key["name"] in gone
                and indexes[name] == columns
                and columns[0] not in used
            ):
                yield IndexOfForeignKey(name, op.table_name, columns, op.schema, False)


class Names:
    """The names that there are, and the new ones."""

    def __init__(self, migration_context, changes):
        self.inspector = sqlalchemy.inspect(migration_context.connection)
        self.dialect = migration_context.dialect
        self.metadata = migration_context.opts["target_metadata"]
        self.changes = changes
        self.taken = {}

    def new(self, constraint, columns):
        """The first name that is free in the schema, as PostgreSQL looks for it."""
        table, label = constraint.table, label_of(constraint)
        if table.schema not in self.taken:
            self.taken[table.schema] = self.there(table.schema) | self.coming()
        taken = self.taken[table.schema]
        for number in ("", *range(1, len(taken) + 2)):
            end = f"{label}{number}"
            begin = fitted(table.name, "_".join(columns), end)
            name = "_".join(filter(None, (*begin, end)))
            if name not in taken:
                break
        taken.add(name)
        return name

    def there(self, schema):
        """The names that the database has, less those that are dropped."""
        names = set(self.inspector.get_table_names(schema))
        kinds = "check_constraints", "foreign_keys", "indexes", "unique_constraints"
        for kind in kinds:
            # Not every dialect has all of them, and SQLAlchemy 1.4 has none.
            with suppress(AttributeError, NotImplementedError):
                found = getattr(self.inspector, f"get_multi_{kind}")(schema=schema)
                names.update(item["name"] for items in found.values() for item in items)
        for part in parts(self.changes):
            if isinstance(part, ops.DropConstraintOp) and part.schema == schema:
                names.discard(part.constraint_name)
        return names

    def coming(self):
        """The names that are given in the models to what is added."""
        names = set()
        for part in parts(self.changes):
            if isinstance(part, ops.CreateTableOp):
                table = part.to_table()
                names.update(item.name for item in (table, *table.constraints))
            elif isinstance(part, ops.CreateIndexOp):
                names.add(part.index_name)
            elif isinstance(part, ADDED):
                names.add(part.constraint_name)
        return names

    def of_models(self, name, schema):
        """The names of the indexes that the models want for a table."""
        table = self.metadata.tables.get(f"{schema}.{name}" if schema else name)
        return set() if table is None else {index.name for index in table.indexes}

    def by_convention(self, table, schema, convention):
        """What is called how in a batch with that naming convention."""
        found = [
            ("uq", item["column_names"], item["name"])
            for item in self.inspector.get_unique_constraints(table, schema)
        ]
        found += [
            ("fk", item["constrained_columns"], item["name"])
            for item in self.inspector.get_foreign_keys(table, schema)
        ]
        return [
            convention[kind]
            % {"table_name": table, "column_0_N_name": "_".join(columns)}
            for kind, columns, name in found
            if name is None and kind in convention
        ]


def fitted(table, columns, label):
    """The names of the table and its columns, cut so that all of it has 63 bytes."""
    first, second = len(table.encode()), len(columns.encode())
    while first + second + len(label) + 1 + bool(columns) > 63:
        if first > second:
            first -= 1
        else:
            second -= 1
    return (
        table.encode()[:first].decode(errors="ignore"),
        columns.encode()[:second].decode(errors="ignore"),
    )


def label_of(constraint):
    """The end of the constraint's name, or None where it needs none."""
    return next(
        (end for kind, end in LABELS.items() if isinstance(constraint, kind)), None
    )


def columns_of(constraint):
    """The names of the columns that the constraint's name tells."""
    if label_of(constraint) != "check":
        return [column.name for column in constraint.columns]
    text = re.sub("'[^']*'", "", str(constraint.sqltext))
    names = [
        column.name
        for column in constraint.table.c
        if re.search(rf"\b{re.escape(column.name)}\b", text)
    ]
    return names if len(names) == 1 else []


def description(constraint):
    """What constraints are sorted by, so that the same ones get the same names."""
    text = str(getattr(constraint, "sqltext", ""))
    return (
        type(constraint).__name__,
        text,
        [column.name for column in constraint.columns],
    )


def column_checks(column):
    """The CHECKs that are written in a column, but for those of a Boolean or Enum."""
    return [
        item
        for item in column.constraints
        # There is no public name for this (SQLAlchemy 2.0 to 2.1).
        if isinstance(item, sqlalchemy.CheckConstraint) and not item._type_bound
    ]


def as_text(check, dialect):
    """A copy of a CHECK which is not bound to the application's table."""
    text = getattr(check.sqltext, "text", None)
    if text is None:
        options = {"literal_binds": True, "include_table": False}
        text = str(check.sqltext.compile(dialect=dialect, compile_kwargs=options))
    return sqlalchemy.CheckConstraint(sqlalchemy.text(text), name=check.name)
