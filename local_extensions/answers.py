"""Checks the answers."""

import ast
import copy
import keyword
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from .layout import in_double_quotes

DATABASES = ("sqlite", "postgresql", "mysql")

OTHER_NAMES = {"postgres": "postgresql", "mariadb": "mysql"}

# The app in the starter. Where other answers are given, no starter is written.
STARTER = {"app": "app:app", "db": "app:db", "metadata": "db.metadata", "models": ""}

# What env.py uses these names for: something imported under one of them is renamed.
TAKEN = frozenset(
    "Any Path app attempt config conn context current_app database databases"
    " db file fileConfig has_app_context helpers options run_migrations_offline"
    " run_migrations_online settings sys target_metadata".split()
)

# The names at the top of a project that are files, and so can't be folders.
FILES = frozenset(
    "alembic.ini app.py test_app.py pyproject.toml readme.md .gitignore .dockerignore"
    " .env.example .pre-commit-config.yaml compose.yaml conftest.py dockerfile"
    " test_migrations.py".split()
)


class Refused(ValueError):
    """An answer that can't be used. The message is one line, for the user."""


class Reference:
    """An object in a module: `module:name`, or a call of it with literal arguments.

    That is the syntax of `flask --app`, and besides it of dotted names, such as
    `module:connexion_app.app`.

    :raises Refused: where `text` is anything else.
    """

    def __init__(self, answer: str, text: str) -> None:
        self.module, colon, expression = text.strip().partition(":")
        if not colon or not is_dotted_name(self.module):
            raise Refused(
                f"{answer}: {shown(text)} is not of the form module:name, as in shop:db"
            )
        try:
            self.node = ast.parse(expression.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.node = None
        if not is_name_or_call(self.node):
            raise Refused(
                f"{answer}: {shown(text)} has no name after the colon, or a call with"
                ' literal arguments, as in shop:create_app("testing")'
            )

    @property
    def root(self) -> str:
        """The name that is imported from the module: `web` in `shop:web.app`."""
        return root_of(self.node).id

    @property
    def is_plain(self) -> bool:
        """Whether nothing is called or looked up once the name is imported."""
        return isinstance(self.node, ast.Name)

    @property
    def is_call(self) -> bool:
        return isinstance(self.node, ast.Call)

    def code(self, root: str) -> str:
        """The expression in double quotes, with its leftmost name written as `root`."""
        node = copy.deepcopy(self.node)
        root_of(node).id = root
        return in_double_quotes(ast.unparse(node))


def shown(text: str) -> str:
    """`text` on one line, however long and whatever is in it."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def is_dotted_name(text: str) -> bool:
    """Whether `text` can be a module's name, such as `shop` or `shop.web`."""
    return all(
        part.isidentifier() and not keyword.iskeyword(part) for part in text.split(".")
    )


def is_name_or_call(node: ast.AST | None) -> bool:
    """Whether `node` is a (dotted) name, or a call of one with literal arguments."""
    if not isinstance(node, ast.Call):
        return is_name(node)
    arguments = [*node.args, *(argument.value for argument in node.keywords)]
    return (
        is_name(node.func)
        and all(argument.arg for argument in node.keywords)
        and all(is_literal(argument) for argument in arguments)
    )


def is_name(node: ast.AST | None) -> bool:
    """Whether `node` is a name, dotted or not."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def is_literal(node: ast.AST) -> bool:
    """Whether `node` is a value written down, such as "dev", True or [1, 2]."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def root_of(node: ast.AST) -> ast.Name:
    """The leftmost name in a dotted name or in a call of one."""
    while not isinstance(node, ast.Name):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


def model_modules(text: str) -> list[str]:
    """The modules named in an answer, which commas or spaces separate."""
    return [module for module in re.split(r"[,\s]+", text) if module]


def check_paths(answers: Mapping[str, str], target: Path) -> None:
    """Refuse what can't be a folder.

    :param target: the project's folder, whether it exists or not.
    """
    check_path("project", answers["project"], target)
    check_directory(answers["directory"], target)


def refuse_empty(answers: Mapping[str, str], findings: Any) -> None:
    """Refuse what was neither found nor given, and say what to write.

    :raises Refused: in one line.
    """
    lines = {
        "app": "no Flask app was found here. Name it: app=module:name, or a factory:"
        " app='module:create_app()'",
        "db": "no SQLAlchemy object and no Engine was found here. Name it: db=module:name,"
        " or a function that returns an Engine: db='module:get_engine()'",
        "metadata": "no declarative base and no MetaData was found here. Name it:"
        " metadata=module:Base.metadata",
    }
    for factory in findings.needing[:1]:
        name = factory.value.partition("(")[0]
        lines["app"] = (
            f"{factory.value} in {factory.where} needs arguments. Give them, as in"
            f" app='{name}(\"testing\")'"
        )
    for path in findings.broken[:1]:
        lines["app"] += f" ({path} can't be parsed)"
    for name, line in lines.items():
        if not answers[name]:
            raise Refused(f"{name}: {line}")


def check(answers: Mapping[str, str]) -> None:
    """Refuse what can't work, before anything is written.

    :raises Refused: for the first answer that can't be used.
    """
    Reference("app", answers["app"])
    Reference("db", answers["db"])
    if answers["metadata"].strip() != "db.metadata":
        Reference("metadata", answers["metadata"])
    for module in model_modules(answers["models"]):
        if not is_dotted_name(module):
            raise Refused(
                f"models: {shown(module)} is not the name of a module, as in shop.models"
            )
    if answers["database"] not in (*DATABASES, *OTHER_NAMES):
        raise Refused(
            f"database: {shown(answers['database'])} is none of {', '.join(DATABASES)}"
        )


def check_path(answer: str, text: str, path: Path) -> None:
    """Refuse what can't be the name of a folder.

    :raises Refused: for a file, and for names that a file system or Jinja can't take.
    """
    if not text.strip() or not text.isprintable() or "{" in text:
        raise Refused(f"{answer}: {shown(text)} is not the name of a folder")
    if any(len(os.fsencode(part)) > 255 for part in Path(text).parts):
        raise Refused(f"{answer}: {shown(text)} has a name of over 255 bytes")
    try:
        is_file = not path.is_dir() and os.path.lexists(path)
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Refused(
            f"{answer}: {shown(text)} can't be a folder: {error.strerror}"
        ) from None
    else:
        if is_file:
            raise Refused(f"{answer}: {shown(text)} is a file, not a folder")


def check_directory(directory: str, target: Path) -> None:
    """Refuse a migrations folder that is not inside the project.

    :raises Refused: where it is absolute, leaves the project, or is the project itself.
    """
    parts = PurePosixPath(directory).parts
    windows = PureWindowsPath(directory)
    if windows.drive or windows.root or ".." in windows.parts or not parts:
        raise Refused(
            f"directory: {shown(directory)} is not a folder inside the project, as in"
            " migrations or src/shop/migrations"
        )
    if "\\" in directory or directory != "/".join(parts):
        raise Refused(
            f"directory: {shown(directory)} has to be written with single slashes, as"
            " in src/shop/migrations"
        )
    if any(part != part.strip() for part in parts) or parts[0].lower() in FILES:
        raise Refused(f"directory: {shown(directory)} is not the name of a folder")
    check_path("directory", directory, target / directory)
    if not (target / directory).resolve().is_relative_to(target.resolve()):
        raise Refused(
            f"directory: {shown(directory)} leads out of the project by a symbolic link"
        )
