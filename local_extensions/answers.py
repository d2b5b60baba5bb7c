"""Checks the answers, and turns them into the lines of env.py that import the app."""

import ast
import copy
import io
import keyword
import os
import re
import tokenize
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

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

# Where imports are in the order in which they have to run.
SPLIT = "# isort: split"

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
# The hooks that a new revision is given to, by what the project depends on.
HOOKS = {
    "ruff": """\
ruff_fix.type = module
ruff_fix.module = ruff
ruff_fix.options = check --fix-only --ignore F401 REVISION_SCRIPT_FILENAME
ruff_format.type = module
ruff_format.module = ruff
ruff_format.options = format REVISION_SCRIPT_FILENAME""",
    "black": """\
black.type = module
black.module = black
black.options = REVISION_SCRIPT_FILENAME""",
    "alembic-linear-migrations": """\
# Two Git branches that each add a revision conflict in head.txt.
alembic_linear.type = console_scripts
alembic_linear.entrypoint = alembic-linear-update""",
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

    def import_of(self, target: str = "") -> "Import":
        """The import that is needed, under the name `target` if nothing else is to be done.

        What is called or looked up first keeps its own name, unless env.py uses that.
        """
        if self.is_plain and target:
            return Import(self.module, self.root, target)
        name = f"{self.root}_of_app" if self.root in TAKEN else self.root
        return Import(self.module, self.root, name)


class Import(NamedTuple):
    """`from module import name as target`."""

    module: str
    name: str
    target: str

    @property
    def text(self) -> str:
        return (
            self.name if self.name == self.target else f"{self.name} as {self.target}"
        )


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


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts `a2` before `a10`, as isort does."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def name_order(name: str) -> tuple:
    """The place of an imported name: constants, then classes, then other names."""
    is_constant = len(name) > 1 and name.isupper()
    kind = 0 if is_constant else 1 if name[:1].isupper() else 2
    return kind, natural(name.lower()), natural(name)


def import_order(statement: list[Import]) -> tuple:
    """The place of an import statement among others."""
    module, first = statement[0].module, statement[0]
    is_renamed = first.name != first.target
    return natural(module.lower()), natural(module), name_order(first.name), is_renamed


def statements_of(imports: Iterable[Import]) -> list[list[Import]]:
    """The imports in isort's order; those that one statement makes are together."""
    together: dict[tuple[str, str], list[Import]] = {}
    for each in dict.fromkeys(imports):
        renamed = each.text if each.name != each.target else ""
        together.setdefault((each.module, renamed), []).append(each)
    statements = [
        sorted(group, key=lambda each: name_order(each.name))
        for group in together.values()
    ]
    return sorted(statements, key=import_order)


def from_imports(imports: Iterable[Import], indent: int) -> list[str]:
    """The lines that import these, in parentheses where a line is too long."""
    lines = []
    for statement in statements_of(imports):
        names = [each.text for each in statement]
        line = f"from {statement[0].module} import {', '.join(names)}"
        if len(line) <= LINE_LENGTH - indent:
            lines.append(line)
            continue
        lines.append(f"from {statement[0].module} import (")
        lines += [*(f"    {name}," for name in names), ")"]
    return lines


def laid_out(code: str, indent: int, before: int = 0, after: int = 1) -> str:
    """An expression as ruff and black lay it out, whatever line length they have.

    One that is too long for the shortest has each part on a line, with a comma after it.

    :param indent: of the line that it begins on.
    :param before: the width of what stands before it on this line, without the indent.
    """
    node = ast.parse(code, mode="eval").body
    code = in_double_quotes(ast.unparse(node))
    parts = parts_of(node)
    if indent + before + len(code) + after <= LINE_LENGTH or not parts:
        return code
    opening, closing = (
        code[: code.index(brackets_of(node)[0]) + 1],
        brackets_of(node)[1],
    )
    inner = indent + 4
    lines = [
        f"{' ' * inner}{name}{laid_out(ast.unparse(part), inner, len(name))},"
        for name, part in parts
    ]
    return "\n".join([opening, *lines, f"{' ' * indent}{closing}"])


def brackets_of(node: ast.AST) -> str:
    """The brackets that are around the parts of an expression."""
    return {ast.Call: "()", ast.Tuple: "()", ast.List: "[]"}.get(type(node), "{}")


def parts_of(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """The parts of an expression, each with what stands before it: `name=` or `"key": `."""
    if isinstance(node, ast.Call):
        named = [(f"{word.arg}=", word.value) for word in node.keywords]
        return [*(("", argument) for argument in node.args), *named]
    if isinstance(node, ast.Dict):
        keys = [in_double_quotes(ast.unparse(key)) for key in node.keys]
        return [
            (f"{key}: ", value) for key, value in zip(keys, node.values, strict=True)
        ]
    return [("", part) for part in getattr(node, "elts", ())]


def assigned(target: str, code: str, indent: int = 0) -> str:
    """An assignment of an expression."""
    return f"{target} = {laid_out(code, indent, len(target) + 3, after=0)}"


def import_lines(answers: Mapping[str, str]) -> str:
    """The lines of env.py that bind `app`, `db` and `target_metadata`.

    Where an application is running, nothing is imported that it can give. Otherwise the
    app comes first, so that what is imported after it finds the modules as in the
    running app: `db` may be bound by the factory only.
    """
    has_own = answers["metadata"].strip() == "db.metadata"
    facts = answers.get("__db", "").split()
    by_app = "extension" in facts or (has_own and "engine" not in facts)
    db = Reference("db", answers["db"])
    later, values = [], []  # what no running application can give
    if not by_app:
        later.append(db.import_of("db"))
        values += [] if db.is_plain else [assigned("db", db.code(later[0].target))]
    target = "db.metadata"
    depth = len(PurePosixPath(answers["directory"]).parts)
    context = f"with helpers.importing_app(Path(__file__).parents[{depth}]):"
    if not has_own:
        metadata = Reference("metadata", answers["metadata"])
        later.append(metadata.import_of())
        target = metadata.code(later[-1].target)
    lines = [
        "if has_app_context():  # migrate the application that is running",
        '    app, db = current_app, current_app.extensions["sqlalchemy"]'
        if by_app
        else "    app = current_app",
        "else:",
        f"    {context}  # loads .env",
        *indented(lines_of_app(answers, db if by_app else None), 8),
    ]
    if later:
        lines += ["", context]
        lines += indented(from_imports(later, indent=4), 4)
    return "\n".join([*lines, "", *values, assigned("target_metadata", target)])


def lines_of_app(answers: Mapping[str, str], db: Reference | None) -> list[str]:
    """The lines that import the app, its db and the modules with models.

    The db is imported together with the app if that surely changes nothing.
    """
    app = Reference("app", answers["app"])
    app_import = app.import_of("app")
    app_values = [] if app.is_plain else [("app", app.code(app_import.target))]
    first, later, values = [app_import], [], []
    if db is not None:
        db_import = db.import_of("db")
        is_behind = app_import in statements_of([app_import, db_import])[0]
        is_early = app.is_plain or "early" in answers.get("__db", "")
        (first if is_behind and is_early else later).append(db_import)
        values = [] if db.is_plain else [("db", db.code(db_import.target))]
    if not later:
        app_values, values = app_values + values, []
    models = models_imports(model_modules(answers["models"]))

    lines: list[str] = []
    is_after_import = False
    for imports, assignments in (
        (from_imports(first, 8), app_values),
        (from_imports(later, 8), values),
        (models, []),
    ):
        if imports:
            lines += ["", SPLIT] if is_after_import else [""]
            lines += imports
        for target, code in assignments:
            lines += [""] if (target, code) == assignments[0] else []
            lines += assigned(target, code, 8).replace("\n        ", "\n").split("\n")
        if imports or assignments:
            is_after_import = not assignments
    return lines[1:]


def models_imports(modules: list[str]) -> list[str]:
    """Imports of the modules with models, under names that env.py does not use."""
    lines = {}
    for module in sorted(set(modules), key=lambda name: (natural(name.lower()), name)):
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


def indented(lines: list[str], indent: int) -> list[str]:
    """The lines, but for empty ones, moved to the right."""
    return [f"{' ' * indent}{line}" if line else "" for line in lines]


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


def carried_settings(configure: Mapping[str, str]) -> str:
    """The lines of env.py that set what the environment before it had set."""
    if not configure:
        return "\n\n"
    code = "".join(f"{name}={value}, " for name, value in configure.items())
    parts = parts_of(ast.parse(f"update({code})", mode="eval").body)
    lines = [
        f"    {name}{laid_out(ast.unparse(node), 4, len(name))},"
        for name, node in parts
    ]
    text = "\n".join(["settings.update(", *lines, ")"])
    return f"\n# From the env.py that was here before.\n{text}\n\n\n"


def post_write_hooks(libraries: Iterable[str]) -> str:
    """The section of alembic.ini that hands a new revision to these libraries."""
    texts = [HOOKS[name] for name in libraries]
    if not texts:
        return ""
    names = re.findall(r"^(\w+)\.type", "\n".join(texts), re.MULTILINE)
    return "\n".join(["[post_write_hooks]", f"hooks = {', '.join(names)}", *texts])


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
