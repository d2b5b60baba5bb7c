"""For env.py: on PostgreSQL, a revision makes, changes and drops the types of Enums.

Alembic does not look at their values, makes a type anew with each table, and drops none.
https://www.postgresql.org/docs/current/sql-altertype.html

The statements are run on PostgreSQL only: the revision runs on other databases, too.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

import sqlalchemy
from alembic.autogenerate import renderers
from alembic.operations import ops
from env_review import parts
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

DIALECT = postgresql.dialect(paramstyle="named")
quote = DIALECT.identifier_preparer.quote

# What MySQL makes of a default.
ON_MYSQL = {"true": "1", "false": "0", "now()": "current_timestamp"}
HANDLED = set()  # the names of the types that are made, changed and dropped here

COLUMNS = sqlalchemy.text("""
SELECT tn.nspname, t.typname, n.nspname, c.relname, a.attname, a.atttypid = t.typarray,
       pg_get_expr(d.adbin, d.adrelid)
FROM pg_type t
JOIN pg_namespace tn ON tn.oid = t.typnamespace
JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray)
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE t.typtype = 'e' AND c.relkind IN ('r', 'p') AND a.attnum > 0
  AND NOT a.attisdropped AND a.attinhcount = 0
ORDER BY n.nspname, c.relname, a.attnum
""")

# Indexes and CHECKs that compare with a value, which keep the type that it had.
COMPARISONS = sqlalchemy.text("""
SELECT tn.nspname, t.typname, n.nspname, c.relname, i.relname, k.conname,
       coalesce(pg_get_indexdef(i.oid), pg_get_constraintdef(k.oid))
FROM pg_type t
JOIN pg_namespace tn ON tn.oid = t.typnamespace
JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass
  AND d.refobjid IN (t.oid, t.typarray)
LEFT JOIN pg_class i ON d.classid = 'pg_class'::regclass AND i.oid = d.objid
  AND i.relkind IN ('i', 'I')
LEFT JOIN pg_index x ON x.indexrelid = i.oid
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
  AND k.contype = 'c' AND k.coninhcount = 0
JOIN pg_class c ON c.oid IN (x.indrelid, k.conrelid)
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.typtype = 'e' AND NOT coalesce(i.relispartition, false)
GROUP BY 1, 2, 3, 4, 5, 6, 7
ORDER BY 1, 2, 3, 4, 5, 6
""")


class OnPostgresql(ops.MigrateOperation):
    """Statements for PostgreSQL: some to upgrade, and some to downgrade."""

    def __init__(self, subject, up=(), down=(), note="", note_down=""):
        self.subject, self.up, self.down = subject, list(up), list(down)
        self.note, self.note_down = note, note_down

    def reverse(self):
        return OnPostgresql(self.subject, self.down, self.up, self.note_down, self.note)

    def to_diff_tuple(self):
        """What `alembic check` shows."""
        return ("enum", self.subject, self.up)


@renderers.dispatch_for(OnPostgresql)
def render_statements(autogen_context, op):
    if not op.up:
        return []
    # A colon before a word would be a parameter.
    texts = [re.sub(r"(?<!:):(?=\w)", r"\\:", sql) for sql in op.up]
    return [
        *([f"# {op.note}"] if op.note else []),
        'if op.get_context().dialect.name == "postgresql":',
        *(f"op.execute({text!r})" for text in texts),
        "",  # ends the block, in which Alembic indents the lines
    ]


def render_enum(item, autogen_context):
    """The code for a type which CREATE TABLE must not make, or None for another type."""
    enum, is_array = enum_of(item)
    if enum is None or enum.name not in HANDLED:
        return None
    autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
    values = ", ".join(map(repr, enum.enums))
    schema = f", schema={enum.schema!r}" if enum.schema else ""
    code = f"postgresql.ENUM({values}, name={enum.name!r}{schema}, create_type=False)"
    if is_array:
        dimensions = f", dimensions={item.dimensions}" if item.dimensions else ""
        return f"sa.ARRAY({code}{dimensions})"
    if getattr(item, "create_constraint", False):  # a CHECK on other databases
        return f"sa.{item!r}.with_variant({code}, 'postgresql')"
    return code


def compare_defaults(impl):
    """Compare the defaults of columns as `is_other_default` does, or else as Alembic does.

    Not by the option `compare_server_default`, with which Alembic 1.20 fails at a column
    that is computed or an identity.
    """
    theirs = impl.compare_server_default

    def compare_server_default(column, model_column, wanted, default):
        other = is_other_default(impl.dialect, column, model_column, wanted, default)
        if other is None:
            other = theirs(column, model_column, wanted, default)
        return other

    impl.compare_server_default = compare_server_default


def is_other_default(dialect, column, model_column, wanted, default):
    """Whether a default is another than the models want, or None where Alembic tells.

    Alembic lets PostgreSQL compare them, which fails for an enum's value that it does not
    have yet, for JSON, and for a text with a quote. On MySQL it takes `true` for another
    default than `1`, `0` than `0.00`, and `now()` than `current_timestamp()`.
    """
    if not default or not wanted:
        return None
    enum, _ = enum_of(column.type)
    is_json = type(column.type) is postgresql.JSON
    if dialect.name == "postgresql" and (is_json or enum is not None):
        return plain(default) != plain(sql_of(model_column.server_default))
    text = model_column.server_default.arg
    if isinstance(text, str) and "'" in text:
        text = re.sub(r"^'|'$", "", text)  # as Alembic writes it
        return re.sub(r"''|\\'", "'", plain(default)) not in (text, f"'{text}'")
    if dialect.name not in ("mysql", "mariadb"):
        return None
    if isinstance(column.type, sqlalchemy.Numeric):
        with suppress(ArithmeticError):  # it is not a number
            return Decimal(default.strip("'")) != Decimal(wanted.strip("'"))
    if wanted.lower() in ON_MYSQL:
        default = default.lower().strip("'").removesuffix("()")
        return default not in (wanted.lower(), ON_MYSQL[wanted.lower()])
    return None


def change_enums(migration_context, changes):
    """Add to the operations of an upgrade what the types of Enums need."""
    if migration_context.dialect.name != "postgresql":
        return
    there = There(migration_context.connection)
    models = there.of_models(migration_context.opts["target_metadata"])
    HANDLED.update(name for _, name in (*there.types, *models))
    after = there.after(changes)
    first, last, made, gone = [], [], [], []
    for key in sorted({*there.types, *models}, key=str):
        old, new = there.types.get(key), models.get(key)
        is_used = any(column.type == key for column in after.values())
        was_used = any(column.type == key for column in there.columns.values())
        if old is None and is_used:
            made.append((key, new))
        elif key not in models and was_used and not is_used:
            gone.append((key, old))
        elif old and new and old != new:
            for place, op in changed(key, old, new, there, after, changes):
                (first if place == "first" else last).append(op)
    between = [part for op in changes.ops for part in with_casts(op, there, after)]
    changes.ops[:] = [*all_made(made), *first, *between, *last]
    changes.ops += [op.reverse() for op in all_made(gone)]


def all_made(types):
    """One operation which creates the types, and drops them on a downgrade."""
    if types:
        names = ", ".join(name for (_, name), _ in types)
        create = [created(key, values) for key, values in types]
        yield OnPostgresql(names, create, [dropped(key) for key, _ in types])


def changed(key, old, new, there, after, changes):
    """The operations that change the values of a type, and where they are put.

    Between the first and the last operation the type has the values of before and after,
    so that rows can be changed there.
    """
    name = key[1]
    added = [value for value in new if value not in old]
    removed = [value for value in old if value not in new]
    gets, loses = ", ".join(added), ", ".join(removed)
    stops = "rows that hold it stop this. Change them above"
    made = created_comparisons(changes, there)
    start = old
    if added:
        start = merged(new, old)
        was = [key, there.columns, there.comparisons]
        later = ""
        if [value for value in start if value in old] == old and not is_needed(
            key, added, there, after, made
        ):
            up = added_values(key, old, start)
            later = ", which can't be used in this very revision"
        else:
            up = rebuilt(start, *was)
        yield (
            "first",
            OnPostgresql(
                name,
                up,
                rebuilt(old, *was),
                f"Enum {name} gets {gets}{later}",
                f"Enum {name} loses {gets}: {stops}",
            ),
        )
    if start != new:
        places = {place[:2] for place, column in after.items() if column.type == key}
        gone = {
            (there.schema(part.schema), part.constraint_name)
            if isinstance(part, ops.DropConstraintOp)
            else (there.schema(part.schema), part.index_name)
            for part in parts(changes)
            if isinstance(part, (ops.DropConstraintOp, ops.DropIndexOp))
        }
        left = [
            each
            for each in (*there.comparisons, *made)
            if each.place in places and (each.place[0], each.name) not in gone
        ]
        will = [key, after, left]
        yield (
            "last",
            OnPostgresql(
                name,
                rebuilt(new, *will),
                rebuilt(start, *will),
                f"Enum {name} loses {loses}: {stops}"
                if loses
                else f"Enum {name} is sorted",
                f"Enum {name} gets {loses}" if loses else f"Enum {name} is sorted",
            ),
        )


def merged(new, old):
    """The values of both, in the order of the new ones."""
    values, before = list(new), None
    for value in old:
        if value not in values:
            values.insert(values.index(before) + 1 if before else 0, value)
        before = value
    return values


def is_needed(key, added, there, after, made):
    """Whether a new value is used in this very revision.

    PostgreSQL lets it be used once it is committed, or if its type is new.
    """
    texts = [comparison.made for comparison in made]
    for place, column in after.items():
        if column.type == key and column != there.columns.get(place):
            if not column.is_nullable and not column.default:
                return True  # some value will be filled in
            texts.append(column.default or "")
    return any(literal(value) in text for value in added for text in texts)


def with_casts(op, there, after):
    """An operation, and the casts that PostgreSQL does not make by itself."""
    ahead, behind = [], []
    for part in getattr(op, "ops", [op]):
        if not isinstance(part, ops.AlterColumnOp) or part.modify_type is None:
            continue
        place = there.schema(part.schema), part.table_name
        here, there_after = (
            (*place, part.column_name),
            (*place, part.modify_name or part.column_name),
        )
        old, new = there.columns.get(here), after.get(there_after)
        if old and new and (old.type, old.is_array) == (new.type, new.is_array):
            continue
        # A default stays an expression of the type before, if it is not set again.
        default = sql_of(part.existing_server_default)
        if new:
            cast = altered({here: new}, new.type, had_default=True)
            again = [] if old else set_again(here, default)
            ahead.append(OnPostgresql(new.type[1], up=cast, down=again))
        if old:
            keeps = part.modify_server_default is False and not new
            again = set_again(there_after, plain(default)) if keeps else []
            cast = altered({there_after: old}, old.type, had_default=True)
            behind.append(OnPostgresql(old.type[1], up=again, down=cast))
    return [*ahead, op, *behind]


@dataclass(frozen=True)
class Column:
    """A column that has an enum type, or an array of one."""

    type: tuple  # schema and name
    is_array: bool = False
    default: str | None = None
    is_nullable: bool = True


@dataclass(frozen=True)
class Comparison:
    """An index or a CHECK that compares with a value of an enum type."""

    type: tuple
    place: tuple  # schema and table
    name: str
    dropped: str
    made: str


class There:
    """What the database has. The default schema is None, as in the models."""

    def __init__(self, connection):
        inspector = sqlalchemy.inspect(connection)
        self.default_schema = inspector.default_schema_name
        self.types = {
            (self.schema(enum["schema"]), enum["name"]): enum["labels"]
            for enum in inspector.get_enums(schema="*")
        }
        self.columns = {
            (self.schema(schema), table, column): Column(
                (self.schema(home), name), *rest
            )
            for home, name, schema, table, column, *rest in connection.execute(COLUMNS)
        }
        self.comparisons = [
            self.compared(*row) for row in connection.execute(COMPARISONS)
        ]

    def schema(self, name):
        return None if name == self.default_schema else name

    def compared(self, home, name, schema, table, index, check, definition):
        key, place = (self.schema(home), name), (self.schema(schema), table)
        if index is not None:
            drop = f"DROP INDEX {quoted(place[0], index)}"
            return Comparison(key, place, index, drop, definition)
        alter = f"ALTER TABLE {quoted(*place)}"
        drop = f"{alter} DROP CONSTRAINT {quote(check)}"
        make = f"{alter} ADD CONSTRAINT {quote(check)} {definition}"
        return Comparison(key, place, check, drop, make)

    def of_models(self, metadata):
        """The types that the models want to be made, and their values."""
        types = {}
        for table in metadata.tables.values():
            for column in table.c:
                enum, _ = enum_of(column.type)
                if enum is not None and enum.create_type:
                    key = self.schema(enum.schema), enum.name
                    types[key] = merged(enum.enums, types.get(key, ()))
        return types

    def after(self, changes):
        """The columns that will be there after these operations."""
        after = dict(self.columns)
        for part in parts(changes):
            if isinstance(part, ops.CreateTableOp):
                for column in part.to_table().c:
                    self.put(after, part, column)
                continue
            if not hasattr(part, "table_name"):
                continue
            place = self.schema(part.schema), part.table_name
            if isinstance(part, ops.DropTableOp):
                for each in [each for each in after if each[:2] == place]:
                    del after[each]
            elif isinstance(part, ops.RenameTableOp):
                for each in [each for each in after if each[:2] == place]:
                    after[(place[0], part.new_table_name, each[2])] = after.pop(each)
            elif isinstance(part, ops.AddColumnOp):
                self.put(after, part, part.column)
            elif isinstance(part, ops.DropColumnOp):
                after.pop((*place, part.column_name), None)
            elif isinstance(part, ops.AlterColumnOp):
                column = after.pop((*place, part.column_name), None)
                if part.modify_type is not None:
                    column = self.converted(part)
                if column is not None and part.modify_server_default is not False:
                    column = replace(column, default=sql_of(part.modify_server_default))
                if column is not None:
                    after[(*place, part.modify_name or part.column_name)] = column
        return after

    def put(self, after, part, column):
        enum, is_array = enum_of(column.type)
        if enum is not None:
            after[(self.schema(part.schema), part.table_name, column.name)] = Column(
                (self.schema(enum.schema), enum.name),
                is_array,
                sql_of(column.server_default),
                bool(column.nullable),
            )

    def converted(self, part):
        """A column that gets an enum type: its default is that of before, or None."""
        enum, is_array = enum_of(part.modify_type)
        if enum is None:
            return None
        key = self.schema(enum.schema), enum.name
        return Column(key, is_array, plain(sql_of(part.existing_server_default)))


def enum_of(item):
    """The enum type of PostgreSQL that a type is or has within, and whether in an array."""
    found = item.dialect_impl(DIALECT)
    while isinstance(found, sqlalchemy.types.TypeDecorator):
        found = found.impl
    if isinstance(found, sqlalchemy.ARRAY):
        enum, _ = enum_of(found.item_type)
        return enum, True
    is_enum = isinstance(found, postgresql.ENUM) and found.name is not None
    return (found if is_enum else None), False


def created_comparisons(changes, there):
    """The indexes with a condition that are made."""
    found = []
    for part in parts(changes):
        if isinstance(part, ops.CreateIndexOp):
            index = part.to_index()
            if index.dialect_options["postgresql"]["where"] is not None:
                place = there.schema(part.schema), part.table_name
                drop = f"DROP INDEX {quoted(place[0], index.name)}"
                make = str(CreateIndex(index).compile(dialect=DIALECT))
                found.append(Comparison(None, place, index.name, drop, make))
    return found


def created(key, values):
    return f"CREATE TYPE {quoted(*key)} AS ENUM ({', '.join(map(literal, values))})"


def dropped(key):
    return f"DROP TYPE {quoted(*key)}"


def added_values(key, old, new):
    """One statement for each value that is new, in its place among the others."""
    values = list(old)
    for index, value in enumerate(new):
        if value in values:
            continue
        place = f" AFTER {literal(new[index - 1])}" if index else ""
        if not index and values:
            place = f" BEFORE {literal(values[0])}"
        elif index == len(values):
            place = ""
        values.insert(index, value)
        yield f"ALTER TYPE {quoted(*key)} ADD VALUE {literal(value)}{place}"


def rebuilt(values, key, columns, comparisons):
    """A new type in place of the old one, which keeps the rows, or fails."""
    schema, name = key
    old = f"{name[:58]}_old"
    columns = {place: column for place, column in columns.items() if column.type == key}
    compared = [each for each in comparisons if each.type in (key, None)]
    return [
        *(each.dropped for each in compared),
        f"ALTER TYPE {quoted(*key)} RENAME TO {quote(old)}",
        created(key, values),
        *altered(columns, key),
        dropped((schema, old)),
        *(each.made for each in compared),
    ]


def altered(columns, key, had_default=False):
    """One statement for each table whose columns get a type."""
    tables = {}
    for (schema, table, name), column in columns.items():
        brackets = "[]" if column.is_array else ""
        alter, name = f"ALTER COLUMN {quote(name)}", quote(name)
        cast = f"{name}::text{brackets}::{quoted(*key)}{brackets}"
        steps = tables.setdefault((schema, table), [])
        if had_default or column.default is not None:
            steps.append(f"{alter} DROP DEFAULT")
        steps.append(f"{alter} TYPE {quoted(*key)}{brackets} USING {cast}")
        if column.default is not None:
            steps.append(f"{alter} SET DEFAULT {column.default}")
    return [
        f"ALTER TABLE {quoted(*place)} {', '.join(steps)}"
        for place, steps in tables.items()
    ]


def set_again(place, default):
    """The statement that sets a column's default, if it has one."""
    schema, table, name = place
    alter = f"ALTER TABLE {quoted(schema, table)} ALTER COLUMN {quote(name)}"
    return [f"{alter} SET DEFAULT {default}"] if default is not None else []


def plain(default):
    """A default without the type of its value: 'a' for 'a'::character varying."""
    return default and re.sub(r"^('(?:[^']|'')*')::[\w\s.\"\[\]()]+$", r"\1", default)


def sql_of(default):
    """The SQL of a server default, or None where there is none of that kind."""
    value = getattr(default, "arg", default)
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, sqlalchemy.sql.ClauseElement):
        options = {"literal_binds": True}
        return str(value.compile(dialect=DIALECT, compile_kwargs=options))
    return None


def literal(value):
    return "'" + value.replace("'", "''") + "'"


def quoted(schema, name):
    return f"{quote(schema)}.{quote(name)}" if schema else quote(name)
