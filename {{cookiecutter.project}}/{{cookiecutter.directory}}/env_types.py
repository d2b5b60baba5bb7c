"""For env.py: column types in a revision are written so that it runs.

https://alembic.sqlalchemy.org/en/latest/autogenerate.html#affecting-the-rendering-of-types-themselves

A type that SQLAlchemy does not have is written with the import that it needs. One that
can't be made anew from what it shows is written as the type that the database gets.
"""

import copy
import logging
import sys
from functools import cache
from importlib import import_module

# There is no public name for this function (Alembic 1.13 to 1.20).
from alembic.autogenerate.render import _repr_type as render_type
from alembic.ddl.postgresql import PostgresqlImpl
from env_enums import DIALECT, render_enum
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

log = logging.getLogger("alembic.env")

# What a revision binds already: a module of such a name is imported as another.
TAKEN = {
    *("op", "sa", "mssql", "mysql", "oracle", "postgresql", "sqlite"),
    *("branch_labels", "depends_on", "down_revision", "revision"),
    *("upgrade", "downgrade"),
}

# What the code of others may raise where it gets arguments that it does not expect.
ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    SQLAlchemyError,
    SyntaxError,
    TypeError,
    ValueError,
)


def render_item(kind, item, autogen_context):
    """The code for a type, or False for what Alembic writes well by itself."""
    prefix = autogen_context.opts["user_module_prefix"]
    if kind != "type" or prefix is not None:
        return False
    # There is no public name for this (SQLAlchemy 2.0 to 2.1).
    if variants := getattr(item, "_variant_mapping", None):
        plain = copy.copy(item)
        plain._variant_mapping = {}
        code = render_type(plain, autogen_context)
        for name, variant in sorted(variants.items()):
            code += f".with_variant({render_type(variant, autogen_context)}, {name!r})"
        return code
    if enum := render_enum(item, autogen_context):
        return enum
    home = type(item).__module__
    if home.startswith("sqlalchemy.dialects.postgresql"):
        # Alembic writes the types in these well only where it runs on PostgreSQL.
        autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
        on_postgresql = PostgresqlImpl(DIALECT, None, True, None, None, {})
        return on_postgresql.render_type(item, autogen_context)
    if home.startswith("sqlalchemy."):
        return False
    return as_itself(item, autogen_context) or as_stored(item, autogen_context)


def as_itself(item, autogen_context):
    """A call of the type's own class, or None where that does not give the same type."""
    kind, shown = type(item), repr(item)
    name, root = kind.__module__, kind.__module__.partition(".")[0]
    if name == "__main__":
        return None
    bound, line = name, f"import {name}"
    if root in TAKEN or root.startswith(("upgrade_", "downgrade_")):
        bound = f"{name.replace('.', '_')}_module"
        line = f"import {name} as {bound}"
    called = f"{bound}.{kind.__qualname__}"
    for code in (shown.replace(kind.__name__, called, 1), f"{called}()"):
        try:
            names = {bound: import_module(name), root: sys.modules[root]}
            made = eval(code, names)
        except ERRORS:
            continue
        if isinstance(made, TypeEngine) and stored(made) == stored(item):
            autogen_context.imports.add(line)
            return code
    return None


def as_stored(item, autogen_context):
    """The type that the database gets, written with the types of SQLAlchemy."""
    if not isinstance(item, TypeDecorator):
        plain = public(item)
        if plain is not None and stored(plain) == stored(item):
            return render_type(plain, autogen_context)
        log.warning("Type %r can't be written down: edit the revision", item)
        return False
    code = render_type(item.impl, autogen_context)
    for dialect in dialects():
        if ddl(item, dialect) not in (None, ddl(item.impl, dialect)):
            variant = item.load_dialect_impl(dialect)
            variant = render_type(public(variant) or variant, autogen_context)
            code += f".with_variant({variant}, {dialect.name!r})"
    return code


def public(item):
    """The same type as an object of the nearest class that SQLAlchemy has a name for."""
    for base in type(item).__mro__:
        if issubclass(base, UserDefinedType):
            return None
        home = ".".join(base.__module__.split(".")[:3])
        if not home.startswith("sqlalchemy.dialects."):
            home = "sqlalchemy"
        if getattr(sys.modules[home], base.__name__, None) is base:
            return item if base is type(item) else item.adapt(base)
    return None


@cache
def dialects():
    """Those of the databases that a revision is to run on. To import them takes time."""
    from sqlalchemy.dialects import mysql, sqlite

    return mysql.dialect(), DIALECT, sqlite.dialect()


def stored(item):
    """All that makes a difference to the databases."""
    return [ddl(item, dialect) for dialect in dialects()], getattr(item, "enums", None)


def ddl(item, dialect):
    """The type as it is in CREATE TABLE, or None where the database has no such type."""
    try:
        return item.compile(dialect=dialect)
    except ERRORS:
        return None
