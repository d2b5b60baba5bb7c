"""Helpers for env.py. Do not edit them: an update of the template replaces them."""

from .application import alembic_running, importing_app
from .autogenerate import options_for
from .change import attempts
from .databases import Database, databases_of

__all__ = [
    "Database",
    "alembic_running",
    "attempts",
    "databases_of",
    "importing_app",
    "options_for",
]
