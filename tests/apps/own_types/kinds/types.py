"""Types of the kinds that applications have, and that revisions have trouble with."""

import enum
import uuid

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


class Money(sa.TypeDecorator):
    impl = sa.Numeric(10, 2)
    cache_ok = True


class Document(sa.TypeDecorator):
    """Its repr is Document(astext_type=Text()) on PostgreSQL."""

    impl = postgresql.JSONB
    cache_ok = True


class Choice(sa.TypeDecorator):
    """As ChoiceType of sqlalchemy-utils: can't be made from what its repr shows."""

    impl = sa.String(20)
    cache_ok = True

    def __init__(self, choices):
        self.choices = tuple(choices)
        super().__init__()


class Guid(sa.TypeDecorator):
    """Stored in different types; and with an argument that is not shown."""

    impl = sa.CHAR
    cache_ok = True

    def __init__(self, namespace):
        self.namespace = namespace
        super().__init__()

    def load_dialect_impl(self, dialect):
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID())
        return dialect.type_descriptor(sa.CHAR(32))

    def process_bind_param(self, value, dialect):
        return value if dialect.name == "postgresql" else uuid.UUID(value).hex


class Level(enum.Enum):
    low = "L"
    high = "H"


class EnumOf(sa.TypeDecorator):
    impl = sa.Enum
    cache_ok = True

    def __init__(self, choices):
        super().__init__(choices, native_enum=False, length=10)


class Outer:
    class Inner(sa.TypeDecorator):
        impl = sa.String(5)
        cache_ok = True


def made_here():
    class Local(sa.Unicode):
        pass

    return Local(40)


class Point(sa.types.UserDefinedType):
    cache_ok = True

    def __init__(self, size=30):
        self.size = size

    def get_col_spec(self, **kw):
        return f"VARCHAR({self.size})"
