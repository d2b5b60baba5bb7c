"""A module with the name that revisions have for Alembic's operations."""

import sqlalchemy as sa


class Percent(sa.TypeDecorator):
    impl = sa.SmallInteger
    cache_ok = True
