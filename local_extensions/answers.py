"""Checks the answers, and turns them into the lines of env.py that import the app."""

import ast
import copy
import io
import keyword
import os
import re
import tokenize
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

DATABASES = ("sqlite", "postgresql", "mysql")

# The app in the starter. Where other answers are given, no starter is written.
STARTER = {"app": "app:app", "db": "app:db", "metadata": "db.metadata", "models": ""}

# What env.py uses these names for: something imported under one of them is renamed.
TAKEN = frozenset(
    "Any Path app attempt config conn context current_app database databases db"
    " file fileConfig has_app_context helpers options run_migrations_offline"
    " run_migrations_online settings sys target_metadata".split()
)

# The names at the top of a project that are files, and so can't be folders.
FILES = frozenset(
    "alembic.ini app.py test_app.py pyproject.toml readme.md .gitignore .dockerignore"
    " .env.example .pre-commit-config.yaml compose.yaml conftest.py dockerfile"
    " test_migrations.py".split()
)

# The options in alembic.ini, besides the place of the scripts.
DATE = "%%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d"
INI = {
    "path_separator": "os",
    "file_template": f"{DATE}-%%(rev)s_%%(slug)s",
    "timezone": "UTC",
}
LINE_LENGTH = 71  # 79 columns, less the indentation of the lines in env.py


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

    def code(self, root: str) -> str:
        """The expression in double quotes, with its leftmost name written as `root`."""
        node = copy.deepcopy(self.node)
        root_of(node).id = root
        return in_double_quotes(ast.unparse(node))

    def imported_as(self, target: str) -> tuple[str, str]:
        """The line that imports what is needed, and the expression for the object."""
        if self.is_plain:
            return from_import(self.module, self.root, target), target
        name = f"{self.root}_of_app" if self.root in TAKEN else self.root
        return from_import(self.module, self.root, name), self.code(name)


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


def in_double_quotes(code: str) -> str:
    """One line of code with the strings in it quoted as ruff and black do."""
    pieces, end = [], 0
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.STRING and '"' not in token.string:
            start, stop = token.start[1], token.end[1]
            pieces += [code[end:start], code[start:stop].replace("'", '"')]
            end = stop
    return "".join(pieces) + code[end:]


def from_import(module: str, name: str, target: str) -> str:
    """Return an import of `name` as `target`."""
    imported = name if name == target else f"{name} as {target}"
    return from_imports(module, [imported])


def assigned(target: str, *parts: str) -> str:
    """An assignment of an expression, which is wrapped between its parts if too long."""
    code = " ".join(parts)
    line = f"{target} = {code}"
    if len(line) <= LINE_LENGTH:
        return line
    inner = code if len(code) <= LINE_LENGTH - 4 else "\n    ".join(parts)
    return f"{target} = (\n    {inner}\n)"


def import_lines(answers: Mapping[str, str], has_extension: bool) -> str:
    """Return the lines of env.py that bind `app`, `db` and `target_metadata`.

    The app comes first, so that what is imported after it finds the modules as in the
    running app: `db` may be bound by the factory only.

    :param has_extension: whether `db` can be had from the running app.
    """
    app = Reference("app", answers["app"])
    db = Reference("db", answers["db"])
    app_import, app_code = app.imported_as("app")
    db_import, db_code = db.imported_as("db")
    app_value = [] if app_code == "app" else [assigned("app", app_code)]
    db_value = [] if db_code == "db" else [assigned("db", db_code)]
    models = models_imports(model_modules(answers["models"]))
    metadata_code, late = "db.metadata", []
    if answers["metadata"].strip() != "db.metadata":
        metadata = Reference("metadata", answers["metadata"])
        line, metadata_code = metadata.imported_as("target_metadata")
        late = [line]
    if has_extension:
        running = ['app, db = current_app, current_app.extensions["sqlalchemy"]']
        imports = [app_import, db_import]
        if app.module == db.module:
            first, then = merged(imports), []
        else:
            first, then = [app_import], [db_import]
        imported = [first, app_value, then, db_value, models]
    else:
        running = ["app = current_app"]
        imported = [[app_import], app_value, models]
        late = [*merged([db_import, *late]), *db_value]

    lines = ["if has_app_context():  # migrate the application that is running"]
    lines += ["    " + line for line in running]
    depth = len(PurePosixPath(answers["directory"]).parts)
    context = f"with helpers.importing_app(Path(__file__).parents[{depth}]):"
    lines += ["else:", *importing(f"    {context}  # loads .env", imported)]
    if late:
        lines += ["", *importing(context, [late])]
    if metadata_code != "target_metadata":
        lines += ["", assigned("target_metadata", metadata_code)]
    return "\n".join(lines)


def importing(context: str, blocks: list[list[str]]) -> list[str]:
    """Return imports in the context manager that explains their errors."""
    indent = " " * (len(context) - len(context.lstrip()) + 4)
    filled = [block for block in blocks if block]
    texts = []
    for before, block in zip([[], *filled], filled, strict=False):
        if before and before[0].startswith(IMPORT) and block[0].startswith(IMPORT):
            texts.append("# isort: split")  # the app is imported first
        texts.append("\n".join(block))
    text = "\n\n".join(texts)
    return [context, *(f"{indent}{line}" if line else "" for line in text.split("\n"))]


def merged(imports: list[str]) -> list[str]:
    """Return `from` imports sorted, with one for all plain names of a module."""
    names: dict[tuple[str, str], set[str]] = {}
    for line in imports:
        module, _, imported = line.removeprefix("from ").partition(" import ")
        name = imported.strip("(), \n")
        alias = name if " as " in name else ""
        names.setdefault((module, alias), set()).add(name)
    return [
        from_imports(key[0], sorted(names[key], key=isort_key)) for key in sorted(names)
    ]


IMPORT = ("import ", "from ")


def isort_key(name: str) -> tuple[int, str]:
    """Sort constants before classes before the rest, as isort does."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return rank, name


def from_imports(module: str, names: list[str]) -> str:
    """Return an import of several names, in parentheses if the line is too long."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) > LINE_LENGTH:
        line = (
            f"from {module} import (\n"
            + "".join(f"    {each},\n" for each in names)
            + ")"
        )
    return line


def models_imports(modules: list[str]) -> list[str]:
    """Imports of the modules with models, under names that env.py does not use."""
    lines = {}
    for module in sorted(set(modules), key=str.lower):
        name = module.partition(".")[0]
        if name in TAKEN:
            name = f"{module.replace('.', '_')}_module"
            lines[name] = [f"import {module} as {name}"]
        else:
            lines.setdefault(name, []).append(f"import {module}")
    # Linters report the last import of a name that is not used.
    return [
        line + ("  # noqa: F401" if line is group[-1] else "")
        for group in lines.values()
        for line in group
    ]


def model_modules(text: str) -> list[str]:
    """The modules named in an answer, which commas or spaces separate."""
    return [module for module in re.split(r"[,\s]+", text) if module]


def path_lines(directory: str, source: str) -> str:
    """Return the lines of env.py that put the project's folders on sys.path.

    They are in an `if` statement, so that linters allow the import below it.
    """
    here = "Path(__file__).absolute()"
    depth = len(PurePosixPath(directory).parts)
    lines = [
        f"if str({here}.parent) not in sys.path:",
        f"    sys.path.insert(0, str({here}.parents[{depth}]))",
    ]
    if source:
        folder = in_double_quotes(repr(source))
        lines += [f"    sys.path.insert(0, str({here}.parents[{depth}] / {folder}))"]
    lines += [f"    sys.path.append(str({here}.parent))  # for the helpers"]
    return "\n".join(lines)


def check(answers: Mapping[str, str], target: Path) -> None:
    """Refuse what can't work, before anything is written.

    :param target: the project's folder, whether it exists or not.
    :raises Refused: for the first answer that can't be used.
    """
    check_path("project", answers["project"], target)
    Reference("app", answers["app"])
    Reference("db", answers["db"])
    if answers["metadata"].strip() != "db.metadata":
        Reference("metadata", answers["metadata"])
    for module in model_modules(answers["models"]):
        if not is_dotted_name(module):
            raise Refused(
                f"models: {shown(module)} is not the name of a module, as in shop.models"
            )
    check_directory(answers["directory"], target)
    if answers["database"] not in DATABASES:
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
