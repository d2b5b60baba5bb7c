"""Says what an expression makes.

Kinds are short words: "flask" an app, "connexion" an object whose .app is one, "db" and
"lite" a SQLAlchemy object with and without metadata, "engine", "metadata", "registry",
"base", or "" for all else.
"""

from __future__ import annotations

import re

# What is an attribute of an object of a kind.
MADE = {
    ("connexion", "app"): "flask",
    ("db", "Model"): "base",
    ("db", "Table"): "table",
    ("db", "metadata"): "metadata",
    ("base", "metadata"): "metadata",
    ("registry", "metadata"): "metadata",
}


def kind_outside(name: str) -> str:
    """What calling (or subclassing) something makes that is not of the tree."""
    top, last = name.partition(".")[0], name.rpartition(".")[2]
    if top == "connexion":
        return "connexion" if last in ("App", "FlaskApp") else ""
    if last in ("FlaskAPI", "Quart", "Eve") or last.endswith("Flask"):
        return "flask"
    if last == "Migrate":
        return "migrate" if top == "flask_migrate" else ""
    if last == "OpenAPI":
        return "flask" if top.startswith("flask") else ""
    if last == "SQLAlchemy" and top != "sqlalchemy" or name == "flask_appbuilder.SQLA":
        return "lite" if top == "flask_sqlalchemy_lite" else "db"
    if top not in ("sqlalchemy", "sqlmodel"):
        if re.fullmatch(r"(create|make|init)_(\w+_)?app(lication)?", last):
            return "flask" if "fastapi" not in name else ""
        return ""
    if last in ("declarative_base", "automap_base"):
        return "base"
    if last.endswith(("create_engine", "create_async_engine", "engine_from_config")):
        return "engine"
    return {"MetaData": "metadata", "registry": "registry"}.get(last, "")
