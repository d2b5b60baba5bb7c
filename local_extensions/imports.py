"""The lines of env.py that import the app."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from .answers import TAKEN, Reference, model_modules
from .layout import (
    LINE_LENGTH,
    assigned,
    in_double_quotes,
    indented,
)

# Where imports are in the order in which they have to run.
SPLIT = "# isort: split"


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


def import_of(reference: Reference, target: str = "") -> Import:
    """The import that is needed, under the name `target` if nothing else is to be done.

    What is called or looked up first keeps its own name, unless env.py uses that.
    """
    module, root = reference.module, reference.root
    if reference.is_plain and target:
        return Import(module, root, target)
    return Import(module, root, f"{root}_of_app" if root in TAKEN else root)


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
        later.append(import_of(db, "db"))
        values += db_values(db, later[0].target)
    target = "db.metadata"
    context = importing(answers["directory"])
    if not has_own:
        metadata = Reference("metadata", answers["metadata"])
        later.append(import_of(metadata))
        target = metadata.code(later[-1].target)
    is_factory = Reference("app", answers["app"]).is_call
    lines = [
        "if has_app_context():  # migrate the application that is running",
        '    app, db = current_app, current_app.extensions["sqlalchemy"]'
        if by_app
        else "    app = current_app",
        "else:  # load .env files, and import it",
        f"    {importing(answers['directory'], is_factory)}",
        *indented(lines_of_app(answers, db if by_app else None), 8),
    ]
    if later:
        lines += ["", context]
        lines += indented(from_imports(later, indent=4), 4)
    return "\n".join([*lines, "", *values, assigned("target_metadata", target)])


def db_values(db: Reference, name: str) -> list[str]:
    """The lines that get an Engine from what is imported under a name."""
    code = db.code(name)
    if db.is_plain:
        return []
    if not db.is_call:
        return [assigned("db", code)]
    return ["with app.app_context():", f"    {assigned('db', code, 4)}"]


def lines_of_app(answers: Mapping[str, str], db: Reference | None) -> list[str]:
    """The lines that import the app, its db and the modules with models.

    The db is imported together with the app if that surely changes nothing.
    """
    app = Reference("app", answers["app"])
    app_import = import_of(app, "app")
    app_values = [] if app.is_plain else [("app", app.code(app_import.target))]
    first, later, values = [app_import], [], []
    if db is not None:
        db_import = import_of(db, "db")
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


def importing(directory: str, is_factory: bool = False) -> str:
    """The line above imports of the application.

    With a factory, the helpers refuse a test that would get a second application.
    """
    depth = len(PurePosixPath(directory).parts)
    factory = ", factory=True" if is_factory else ""
    return f"with helpers.importing_app(Path(__file__).parents[{depth}]{factory}):"
