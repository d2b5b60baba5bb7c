"""Reads what is special in an environment of Flask-Migrate or `alembic init`.

Nothing is imported or run. What the application gives to `Migrate(...)`, what its env.py
gives to `context.configure(...)` or does besides, and what its alembic.ini sets is either
carried over, or listed with the place where it goes in the new environment. What the
stock files of any version of both tools contain is not special.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import sys
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from .answers import HOOKS, INI, in_double_quotes, post_write_hooks
from .reading import dotted, is_main_guard, read, returned, walk

TEMPLATE = Path(__file__).parent.parent / "{{cookiecutter.project}}"
OUR_HOOKS = {
    post_write_hooks(names) for count in (1, 2) for names in combinations(HOOKS, count)
}
UNREADABLE = (
    *(SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OSError),
    *(configparser.Error, tokenize.TokenError),
)

# The keywords of context.configure(...) that can be carried over, what the new env.py
# gives for some of them, and those that each environment gives in its own way.
OPTIONS = set(
    "alembic_module_prefix autogenerate_plugins batch_separator compare_server_default"
    " compare_type downgrade_token include_name include_object include_schemas"
    " mssql_batch_separator oracle_batch_separator render_as_batch render_item"
    " sqlalchemy_module_prefix template_args upgrade_token user_module_prefix"
    " version_table version_table_pk version_table_schema".split()
)
OURS = dict.fromkeys(("compare_type", "render_as_batch"), "True")
OWN = set(
    "as_sql connection dialect_name dialect_opts literal_binds output_buffer"
    " starting_rev tag target_metadata url".split()
)
HOOKS = {"process_revision_directives", "on_version_apply"}
FUNCTIONS = {"include_object", "include_name", "render_item", *HOOKS}

# What is to be done.
CONFIGURE = "add it to `settings` there"
TRANSACTION = "not needed: env.py takes the strongest transaction of the database"
STATEMENT = "context.execute(...) in env.py, above context.run_migrations()"
ENGINE = "not needed: the app's engine is used, with its SQLALCHEMY_ENGINE_OPTIONS"
URL = "not needed if it is the app's: env.py takes the URL of the app's engine"
PATHS = "the project's folder is on sys.path; add others at the top of env.py"
LOGGING = "not needed: the app's logging is kept, alembic.ini has that of the command"
EXTENSION = "move it to env.py, with the code that belongs to it"
COPY = "not in stock files: copy it into the new env.py if it is still needed"
ADVICE = {
    "process_revision_directives": "add it to `settings` in env.py: it is called first, and"
    " what env.py does with a revision comes after it",
    "on_version_apply": "add it to `settings` in env.py",
    "transaction_per_migration": TRANSACTION,
    "transactional_ddl": TRANSACTION,
    "**": "its keywords are not known here: add them to `settings` in env.py",
}
STATEMENTS = (
    (
        r"advisory_(xact_)?(un)?lock|\b(GET|RELEASE)_LOCK\b|\bLOCK TABLES?\b",
        "run lock",
        "not needed: env.py lets one process at a time change the database",
    ),
    (
        r"\b(lock_timeout|lock_wait_timeout|busy_timeout)\b",
        "lock_timeout statement",
        "not needed: env.py waits 5 s for a table; -x lock-timeout=SECONDS changes it",
    ),
    (
        r"\bPRAGMA\s+foreign_keys\b",
        "PRAGMA foreign_keys statement",
        "not needed: env.py sees to it on SQLite",
    ),
    (r"\bPRAGMA\s", "PRAGMA statement", "put it in a listener of the app's engine"),
    (r"\bSET\s+((LOCAL|SESSION)\s+)?ROLE\b", "SET ROLE statement", STATEMENT),
    (r"\bsearch_path\b", "search_path statement", STATEMENT),
    (r"\bstatement_timeout\b", "statement_timeout statement", STATEMENT),
)
CALLS = {
    name: (called, advice)
    for names, called, advice in (
        ("get_x_argument", "-x argument", "read it in env.py"),
        ("listen listens_for", "event listener", "put it on the app's engine"),
        ("Rewriter rewrites", "rewriter", ADVICE["process_revision_directives"]),
        ("dispatch_for register_operation", "extension of Alembic", EXTENSION),
        ("implementation_for register_entities", "extension of Alembic", EXTENSION),
        ("basicConfig dictConfig setLevel addHandler", "logging", LOGGING),
        ("create_engine create_async_engine execution_options", "engine", ENGINE),
    )
    for name in names.split()
}
LOGS = set("debug info warning error exception critical print getLogger".split())
EXECUTES = {"execute", "exec_driver_sql", "scalar", "scalars"}
# Calls that stock files make, or that by themselves do nothing to a migration.
HARMLESS = re.compile(
    r"configure|begin\w*|run(_\w+)?|is_offline_mode|\w*_context|connect|start|text"
    r"|commit|rollback|prepare|close|dispose|_sync_connection|fileConfig|get_event_loop"
    r"|(get|set)_(main|section)_option|get_section\w*|set_section_option|\w+_from_config"
    r"|MetaData|to_?metadata|loadapp|__import__|get_?logger|info|warn(ing)?|error|debug"
    r"|exception|critical|p?print|getenv|\w*app(lication)?|Flask|push|(load|find)_dotenv"
    r"|init_app|from_object|\w*(url|uri|engine|metadata|bind_names)\w*|set|\w*time"
    r"|perf_counter|monotonic|now|(un)?quote(_plus)?|render_as_string|replace"
    r"|[lr]?strip|r?split|r?partition|startswith|endswith|lower|upper|format|join|encode"
    r"|decode|get|items|keys|values|append|extend|add|update|pop|setdefault|copy|insert"
    r"|sub|match|search|compile|Path|resolve|absolute|dirname|abspath|basename|realpath"
    r"|normpath|is_file|is_dir|exists|getcwd|joinpath|open|is_empty|super|sorted"
    r"|reversed|list|dict|tuple|frozenset|len|str|int|bool|isinstance|issubclass"
    r"|hasattr|getattr|setattr|any|all|enumerate|zip|range|repr|type|next|iter|min|max"
    r"|\w*(Error|Exception|Exit)|exit",
    re.IGNORECASE,
)
FRAMEWORK = {"alembic", "sqlalchemy", "flask", "flask_sqlalchemy", "flask_migrate"}
FROM_APP = re.compile(
    r"\bapp\b|_app\b|engine|SQLALCHEMY_DATABASE_URI|get_main_option|environ|getenv"
)
STOCK_METADATA = re.compile(
    r"None|{}|\[\]|db\.metadata|MetaData\(\)|.*_db\b.*|.*_app\b.*"
)
MODELS = re.compile(r"model|schema|entit|table|\*", re.IGNORECASE)
NAMED_APP = re.compile(
    r"(\w+_)?app(lication)?|db|database|sqla|\w*config\w*|settings", re.I
)

INI_DEFAULTS = {
    "output_encoding": "utf-8",
    "recursive_version_locations": "false",
    "revision_environment": "false",
    "sourceless": "false",
    "truncate_slug_length": "40",
}
STOCK_OPTIONS = {"sqlalchemy.url", "databases", "pylons_config_file", "script_location"}
STOCK_LOGGING = {("qualname", ""), ("level", "NOTSET"), ("datefmt", "%H:%M:%S")}


@dataclass(frozen=True)
class Setting:
    """Something special in the old environment."""

    name: str  # "include_schemas", "file_template", "SET ROLE statement"
    code: str  # its value as Python source, or the text in the ini
    where: str  # "migrations/env.py:48"
    carried: bool
    advice: str = ""  # where it goes, or why it is not needed


@dataclass(frozen=True)
class TakeOver:
    """What is carried over to the new environment, and all that was special."""

    configure: dict[str, str] = field(default_factory=dict)
    ini: dict[str, str] = field(default_factory=dict)
    sections: str = ""
    settings: tuple[Setting, ...] = ()


def take_over(root: str | os.PathLike[str], directory: str) -> TakeOver:
    """Read the environment in a folder, and what the application gives to it."""
    root = os.fspath(root)
    directory = os.path.normpath(directory).replace(os.sep, "/")
    folder = "" if directory == "." else f"{directory}/"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's code, such as "\d"
        python = attempt(lambda: walk(root).python, [])
        env = Source(root, f"{folder}env.py")
        migrate = attempt(lambda: list(migrate_steps(root, python, directory)), [])
        configure, settings = attempt(lambda: keywords(migrate, env), ({}, []))
        own = attempt(lambda: in_settings(env), [])
        is_there = {item.name for item in own}  # whatever Migrate(...) is given, too
        settings = [item for item in settings if item.name not in is_there] + own
        configure.update((item.name, item.code) for item in settings if item.carried)
        names = {item.code for item in settings}
        settings += attempt(lambda: in_env(env, local_names(python), names), [])
        ini, sections, more = attempt(lambda: in_inis(root, folder, env), ({}, "", []))
    return TakeOver(configure, ini, sections, tuple(in_order([*settings, *more])))


def attempt(reader, nothing):
    """What can be read, or nothing: an old file may hold anything."""
    try:
        return reader()
    except UNREADABLE:
        return nothing


def in_order(settings: list[Setting]) -> list[Setting]:
    """By file, as they were read, and by line; each thing once."""
    files = list(dict.fromkeys(item.where.rpartition(":")[0] for item in settings))

    def place(item: Setting) -> tuple[int, int]:
        name, _, line = item.where.rpartition(":")
        return files.index(name), int(line)

    once: dict[tuple, Setting] = {}
    for item in sorted(settings, key=place):
        once.setdefault((item.name, item.code, item.carried), item)
    return list(once.values())


def shown(node: ast.AST | str) -> str:
    """Code in one short line, without the password of a URL."""
    code = node if isinstance(node, str) else in_double_quotes(ast.unparse(node))
    code = masked(" ".join(code.split()))
    return code if len(code) <= 100 else f"{code[:97]}..."


def masked(text: str) -> str:
    return re.sub(r"(://[^:/@\s]*:)[^@\s]+@", r"\1***@", text)


# Python files


def squeezed(code: str) -> str:
    """Code without what only lays it out."""
    return "".join(code.split()).replace(",)", ")")


class Source:
    """A Python file, and where in it a name gets its value."""

    def __init__(self, root: str, path: str):
        self.path = path
        self.data = read(os.path.join(root, path))
        self.tree = attempt(lambda: ast.parse(self.data), ast.Module([], []))
        self.nodes = list(ast.walk(self.tree))
        self.calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        self.functions = {node.name: node for node in self.nodes if is_function(node)}

    @property
    def is_ours(self) -> bool:
        """Whether it is an env.py that this template has written before."""
        return b"flask_alembic_env" in self.data

    def is_as_written(self, code: str) -> bool:
        """Whether it has some code from this template, and not from its owner."""
        env = TEMPLATE / "{{cookiecutter.directory}}" / "env.py"
        return self.is_ours and squeezed(code) in squeezed(read(str(env)).decode())

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {
            child: node for node in self.nodes for child in ast.iter_child_nodes(node)
        }

    def where(self, node: ast.AST) -> str:
        return f"{self.path}:{node.lineno}"

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, up to the function that it is in."""
        while (node := self.parents.get(node)) is not None:
            yield node
            if is_function(node):
                return

    def around(self, node: ast.AST) -> ast.AST:
        """The function that a node is in, or the module."""
        return next(filter(is_function, self.above(node)), self.tree)

    def values(self, name: str, scope: ast.AST) -> list[ast.expr]:
        """What a name is assigned in a function, or else anywhere in the file."""
        for area in (scope, self.tree):
            found = [
                node.value
                for node in ast.walk(area)
                if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr))
                and node.value is not None
                and any(getattr(target, "id", "") == name for target in targets(node))
            ]
            if found:
                return found
        return []

    def origins(self, node: ast.expr, depth: int = 6) -> Iterator[ast.expr]:
        """The expressions that a value comes from, by way of names and functions."""
        values = []
        if isinstance(node, ast.Name):
            values = self.values(node.id, self.around(node))
        elif isinstance(node, ast.Call) and dotted(node.func) in self.functions:
            values = returned(self.functions[dotted(node.func)])
        if not values or not depth:
            yield node
        for value in values if depth else ():
            yield from self.origins(value, depth - 1)

    def literal(self, node: ast.expr) -> str | None:
        """The source of a plain literal, also by way of a name that is assigned once."""
        values = [node]
        if isinstance(node, ast.Name):
            values = self.values(node.id, self.around(node))
        if len(values) != 1:
            return None
        try:
            value = ast.literal_eval(values[0])
            code = ast.unparse(values[0])
        except UNREADABLE:
            return None
        return in_double_quotes(repr(value) if "\n" in code else code)


def is_function(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def targets(node: ast.AST) -> list[ast.expr]:
    return getattr(node, "targets", None) or [getattr(node, "target", None)]


def constants(node: ast.AST) -> list[str]:
    """The strings in an expression."""
    return [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


# The keywords of Migrate(...) and of context.configure(...)


@dataclass(eq=False)
class Given:
    """A keyword with its value, where it is given."""

    name: str
    node: ast.expr
    source: Source
    depends: bool = False  # on what is known at run time only
    dead: str = ""  # why it has no effect

    @cached_property
    def literal(self) -> str | None:
        return self.source.literal(self.node)

    @cached_property
    def code(self) -> str:
        return self.literal or shown(self.node)

    def is_special(self) -> bool:
        if self.name in OWN or self.literal == OURS.get(self.name, ""):
            return False
        equals = "" if self.name == "**" else "="
        if self.source.is_as_written(f"{self.name}{equals}{self.code}"):
            return False
        if self.name in FUNCTIONS and self.literal == "None":
            return False
        if self.name in ("upgrade_token", "downgrade_token"):
            return "%s_" not in self.code
        if self.name == "process_revision_directives":
            function = self.source.functions.get(dotted(self.node))
            return not skips_empty(function)
        return True

    @property
    def setting(self) -> Setting:
        """What is said of it, and whether it is carried over."""
        is_plain = self.literal is not None and self.name in OPTIONS
        carried = is_plain and not self.depends and not self.dead
        advice = self.dead or ADVICE.get(self.name, "")
        if not advice and self.depends:
            advice = "it depends on a condition: in env.py, " + CONFIGURE
        elif not advice and self.name not in OPTIONS:
            advice = "no option of Alembic: drop it, or, in env.py, " + CONFIGURE
        elif not advice and self.literal is None:
            advice = f"define or import it in env.py, and {CONFIGURE}"
        where = self.source.where(self.node)
        return Setting(self.name, self.code, where, carried, "" if carried else advice)


def skips_empty(function: ast.AST | None) -> bool:
    """Whether a function does no more than leave out a revision without changes."""
    names = set()
    for node in ast.walk(function) if function else ():
        if isinstance(node, ast.Call):
            names.add(dotted(node.func).rpartition(".")[2])
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            return False
    harmless = "getattr hasattr isinstance len all any info warning debug print clear"
    return "is_empty" in names and names <= {"is_empty", *harmless.split()}


class Step(NamedTuple):
    """One thing that is done to the keywords of a call."""

    kind: str  # "set", "default", "remove", or "migrate" for all of Migrate(...)
    name: str = ""
    given: Given | None = None


def steps(source: Source, node: ast.expr, seen: tuple[str, ...] = ()) -> list[Step]:
    """How a dictionary comes about that a call unpacks with two stars."""
    if dotted(node).endswith("configure_args") or "configure_args" in constants(node):
        return [Step("migrate")]
    if isinstance(node, ast.Dict):
        made = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                made += steps(source, value, seen)
            else:
                made += [set_to(source, name, value) for name in constants(key)]
        return made
    if isinstance(node, ast.BoolOp):
        return [step for value in node.values for step in steps(source, value, seen)]
    if isinstance(node, ast.Name):
        return [] if node.id in seen else steps_of_name(source, node, (*seen, node.id))
    called = dotted(getattr(node, "func", None))
    if called in source.functions and called not in seen:
        values, seen = returned(source.functions[called]), (*seen, called)
        return [step for value in values for step in steps(source, value, seen)]
    if called == "dict" or called.endswith(".update"):
        made = [step for value in node.args for step in steps(source, value, seen)]
        return made + arguments(source, node, seen)
    if called.endswith(".copy"):
        return steps(source, node.func.value, seen)
    if called == "helpers.options_for" and source.is_ours:
        return []  # its `settings` are read by themselves
    return [Step("set", "**", Given("**", node, source, depends=True))]


def set_to(source: Source, name: str, value: ast.expr, kind: str = "set") -> Step:
    return Step(kind, name, Given(name, value, source))


def arguments(source: Source, call: ast.Call, seen: tuple[str, ...] = ()) -> list[Step]:
    """The keywords of a call: those that it unpacks, then those that it names.

    If both give the same one, Python refuses the call: so what env.py names has been
    taken out of what it unpacks, and is what counts.
    """
    unpacked = [item.value for item in call.keywords if item.arg is None]
    named = [set_to(source, i.arg, i.value) for i in call.keywords if i.arg is not None]
    return [step for value in unpacked for step in steps(source, value, seen)] + named


def steps_of_name(source: Source, node: ast.Name, seen: tuple[str, ...]) -> list[Step]:
    """What is done to a dictionary that has a name, in the order of the lines."""
    name, scope = node.id, source.around(node)
    rest = getattr(getattr(scope, "args", None), "kwarg", None)
    if rest is not None and rest.arg == name:
        return []  # comes from the callers of the function
    made = [(value, steps(source, value, seen)) for value in source.values(name, scope)]
    for part in ast.walk(scope):
        if isinstance(part, ast.Subscript) and dotted(part) == name:
            for key in constants(part.slice):
                value = getattr(source.parents[part], "value", None)
                if isinstance(part.ctx, ast.Store) and value is not None:
                    made.append((part, [set_to(source, key, value)]))
                elif isinstance(part.ctx, ast.Del):
                    made.append((part, [Step("remove", key)]))
        elif isinstance(part, ast.Call):
            owner, _, method = dotted(part.func).rpartition(".")
            if owner != name:
                continue
            if method == "update":
                made.append((part, steps(source, part, seen)))
            for key in constants(part.args[0]) if part.args else ():
                if method == "pop":
                    made.append((part, [Step("remove", key)]))
                elif method == "setdefault" and len(part.args) == 2:
                    step = set_to(source, key, part.args[1], "default")
                    made.append((part, [step]))
    made.sort(key=lambda pair: pair[0].lineno)
    return [step for place, done in made for step in guarded(source, place, done)]


def guarded(source: Source, place: ast.AST, made: list[Step]) -> Iterator[Step]:
    """The steps that are made at a place, with the conditions that it is under."""
    tests = [node.test for node in source.above(place) if isinstance(node, ast.If)]
    tests = [test for test in tests if not is_main_guard(test)]
    asked = {text for test in tests for text in constants(test)}
    for step in made:
        if step.kind == "set" and step.name in asked:
            yield step._replace(kind="default")  # if args.get("x") is None: args["x"] =
            continue
        if step.kind == "set":
            step.given.depends |= bool(tests)
        yield step


def effective(made: list[Step], migrate: dict[str, Given]) -> dict[str, Given]:
    """The keywords that a call gets in the end. Those that lose are told to whom."""
    state: dict[str, Given] = {}

    def put(given: Given) -> None:
        loser = state.get(given.name, given)
        if loser.code != given.code:
            loser.dead = f"had no effect: {given.source.where(given.node)} wins"
        state[given.name] = given

    for step in made:
        if step.kind == "migrate":
            for given in migrate.values():
                put(given)
        elif step.kind == "remove":
            state.pop(step.name, None)
        elif step.kind == "default" and step.name in state:
            if state[step.name].code != step.given.code:
                step.given.dead = "had no effect: Flask-Migrate has set it before"
        else:
            put(step.given)
    return state


def keywords(
    to_migrate: list[Step], env: Source
) -> tuple[dict[str, str], list[Setting]]:
    """What was given to `Migrate(...)` and to `context.configure(...)`."""
    migrate = effective(to_migrate, {})
    for name in ("compare_type", "render_as_batch"):  # set by Flask-Migrate itself
        migrate.setdefault(name, Given(name, ast.Constant(True, lineno=1), env))
    everything = [step.given for step in to_migrate]
    online, offline = [], []
    for call in configure_calls(env):
        made = arguments(env, call)
        everything += [step.given for step in made if step.given]
        named = {item.arg for item in call.keywords}
        is_offline = "url" in named and "connection" not in named
        (offline if is_offline else online).append(effective(made, migrate))
    if online or offline:
        used = {given for state in [*online, *offline] for given in state.values()}
        for given in migrate.values():
            given.dead = given.dead or "had no effect: env.py did not use it"
            given.dead = "" if given in used else given.dead
    chosen: dict[str, Given] = {}
    for given in (
        g for state in online or offline or [migrate] for g in state.values()
    ):
        other = chosen.setdefault(given.name, given)
        if other.code != given.code:
            other.depends = given.depends = True
    for given in (g for state in offline if online for g in state.values()):
        if chosen.get(given.name, env) is env or chosen[given.name].code != given.code:
            given.dead = "it was for --sql only"
    settings = [given.setting for given in everything if given.is_special()]
    return {item.name: item.code for item in settings if item.carried}, settings


def configure_calls(env: Source) -> list[ast.Call]:
    """The calls of context.configure(...), and of functions that hand keywords to it."""
    found, through = [], set()
    for call in env.calls:
        owner, _, name = dotted(call.func).rpartition(".")
        named = {item.arg for item in call.keywords}
        if name == "configure" and (
            "context" in owner or named & {"connection", "url"}
        ):
            found.append(call)
            function = env.around(call)
            rest = getattr(getattr(function, "args", None), "kwarg", None)
            if rest is not None:
                through.add(function.name)
    return found + [call for call in env.calls if dotted(call.func) in through]


def migrate_steps(root: str, python: list[str], directory: str) -> Iterator[Step]:
    """What the application gives to Migrate(...), and then to its init_app(...)."""
    sources = [
        Source(root, path)
        for path in python
        if re.search(rb"Migrate\b|init_app", read(os.path.join(root, path)))
    ]
    objects, made = set(), []
    for source in sources:
        names = imported(source, {"Migrate"})
        for call in source.calls:
            owner, _, name = dotted(call.func).rpartition(".")
            if name == "Migrate" if owner else name in names:
                made.append((source, call))
                objects |= {last(target) for target in targets(source.parents[call])}
    for source in sources:
        objects |= imported(source, objects)
    inits = [
        (source, call)
        for source in sources
        for call in source.calls
        if getattr(call.func, "attr", "") == "init_app"
        and (
            last(call.func.value) in objects - {""} or (source, call.func.value) in made
        )
    ]
    folders = {call: folder_of(call) for _, call in [*made, *inits]}
    is_named = any(name and is_same(directory, name) for name in folders.values())
    for calls in (made, inits):
        first: dict[str, Given] = {}
        for source, call in calls:
            if is_named and folders[call] and not is_same(directory, folders[call]):
                continue  # of another environment
            for step in guarded(source, call, arguments(source, call)):
                if step.name in ("app", "db", "directory", "command", ""):
                    continue
                other = first.setdefault(step.name, step.given)
                if other.code != step.given.code:
                    other.depends = step.given.depends = True
                yield step


def last(node: ast.AST) -> str:
    return dotted(node).rpartition(".")[2]


def imported(source: Source, names: set[str]) -> set[str]:
    """What some names are in a file that imports them."""
    return {
        item.asname or item.name
        for node in source.nodes
        if isinstance(node, ast.ImportFrom)
        for item in node.names
        if item.name in names
    }


def folder_of(call: ast.Call) -> str:
    """The folder that a call names, if it is written in it."""
    given = [item.value for item in call.keywords if item.arg == "directory"]
    texts = [text for node in given or call.args[2:3] for text in constants(node)]
    return texts[-1].strip("./") if texts else ""


def is_same(directory: str, name: str) -> bool:
    return f"/{directory}".endswith(f"/{name}")


# What else env.py does


class Found(NamedTuple):
    """Something in env.py that stock files do not have."""

    node: ast.AST
    name: str
    code: str
    advice: str


def local_names(python: list[str]) -> set[str]:
    """The names of the application's folders and modules."""
    parts = {part.removesuffix(".py") for path in python for part in path.split("/")}
    return parts - FRAMEWORK - set(sys.stdlib_module_names)


def in_env(env: Source, local: set[str], given: set[str]) -> list[Setting]:
    """What env.py does besides. `given` are names that context.configure(...) is given."""
    found = [item for node in env.nodes for item in of_node(env, node)]
    found = [item for item in found if not env.is_as_written(item.code)]
    if not env.is_ours:
        found += of_metadata(env)
        found += [item for node in env.nodes for item in of_import(env, node, local)]
    covered = {line for name in given for line in lines_of(env.functions.get(name))}
    for node in [item.node for item in found]:
        parent = env.parents[node]
        decorates = is_function(parent) or isinstance(parent, ast.ClassDef)
        covered |= lines_of(node) | lines_of(parent if decorates else None)
    for node in env.nodes if not env.is_ours else ():
        if not is_strange(env, node) or node.lineno in covered:
            continue
        if shown(node) not in given:
            is_class = isinstance(node, ast.ClassDef)
            name = f"class {node.name}" if is_class else f"{called(node)}()"
            code = node.name if is_class else shown(node)
            found.append(Found(node, name, code, COPY))
            covered |= lines_of(node)
    found.sort(key=lambda item: item.node.lineno)
    once: dict[tuple[str, str], Setting] = {}
    for node, name, code, advice in found:
        key = (name, "" if advice.startswith("not needed:") else code)
        once.setdefault(key, Setting(name, code, env.where(node), False, advice))
    return list(once.values())


def lines_of(node: ast.AST | None) -> set[int]:
    return set(range(node.lineno, node.end_lineno + 1)) if node is not None else set()


def called(call: ast.Call) -> str:
    """The last name of what is called."""
    return last(call.func) or getattr(call.func, "attr", "")


def of_node(env: Source, node: ast.AST) -> Iterator[Found]:
    """What one node is in itself."""
    if isinstance(node, ast.Call):
        yield from of_call(env, node)
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if last(node.value) == "environ":
            yield variable(node)
    elif isinstance(node, (ast.Constant, ast.JoinedStr)):
        around = [part for part in env.above(node) if isinstance(part, ast.Call)]
        is_text = isinstance(env.parents[node], (ast.Expr, ast.JoinedStr))
        if not is_text and not {*LOGS, *EXECUTES} & set(map(called, around)):
            yield from statement(node, constants(node))


def of_call(env: Source, call: ast.Call) -> Iterator[Found]:
    """What a call is: a statement, a variable, an option of the ini, and so on."""
    owner, name, code = dotted(call.func).rpartition(".")[0], called(call), shown(call)
    texts = constants(call.args[0]) if call.args else []
    if name in EXECUTES:
        attributes = [getattr(part, "attr", "") for part in ast.walk(call)]
        known = list(statement(call, constants(call) + attributes))
        yield from known or [Found(call, "statement", code, STATEMENT)]
    elif name == "getenv" or (name == "get" and owner.endswith("environ")):
        yield variable(call)
    elif name in ("get_main_option", "get_section", "get_section_option"):
        if texts and not STOCK_OPTIONS.intersection(texts):
            advice = "alembic.ini has it still: read it in env.py"
            yield Found(call, "option of alembic.ini", code, advice)
    elif name == "set_main_option" and texts:
        if texts != ["sqlalchemy.url"]:
            advice = "write it into alembic.ini, or set it in env.py"
            yield Found(call, "option of alembic.ini", code, advice)
        elif len(call.args) > 1 and not FROM_APP.search(made_of(env, call.args[1])):
            yield Found(call, "sqlalchemy.url", code, URL)
    elif name == "engine_from_config":
        if {item.arg for item in call.keywords} - {"prefix", "poolclass", "future"}:
            yield Found(call, "engine", code, ENGINE)
    elif owner == "sys.path":
        if any(re.search(r"[^./]", text) for text in constants(call) if text != "src"):
            yield Found(call, "sys.path", code, PATHS)
    elif name == "load_dotenv":
        files = [text for text in constants(call) if ".env" in text]
        if any(not re.fullmatch(r"(.*/)?\.(flask)?env", text) for text in files):
            advice = "env.py loads .env and .flaskenv: load others at its top"
            yield Found(call, "load_dotenv", code, advice)
    elif owner.endswith("config.attributes") and texts != ["connection"]:
        advice = "given by code that calls Alembic: read it in env.py"
        yield Found(call, "config.attributes", code, advice)
    elif name in CALLS:
        yield Found(call, CALLS[name][0], code, CALLS[name][1])


def statement(node: ast.expr, texts: list[str]) -> Iterator[Found]:
    """The kind of an SQL statement, if it is one that is known."""
    for pattern, name, advice in STATEMENTS:
        if re.search(pattern, " ".join(texts), re.IGNORECASE):
            yield Found(node, name, shown(node), advice)
            return


def variable(node: ast.expr) -> Found:
    """An environment variable that is read."""
    is_url = re.search(r"UR[LI]|DSN|DATABASE|DB_", " ".join(constants(node)))
    advice = URL if is_url else "read it in env.py if it is still needed"
    return Found(node, "environment variable", shown(node), advice)


def made_of(env: Source, node: ast.AST, depth: int = 6) -> str:
    """The text of an expression, and of all that the names in it are made of."""
    texts = [ast.unparse(node)]
    for name in {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}:
        values = env.values(name, env.around(node)) if depth else []
        if name in env.functions and depth:
            values = [env.functions[name]]
        texts += [made_of(env, value, depth - 1) for value in values]
    return " ".join(texts)


def of_metadata(env: Source) -> Iterator[Found]:
    """What is migrated, where it is not the metadata of `db`."""
    values = [
        (node, node.value)
        for node in env.nodes
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        if "target_metadata" in map(dotted, targets(node))
    ]
    for call in configure_calls(env):
        given = [item.value for item in call.keywords if item.arg == "target_metadata"]
        values += [(value, value) for value in given]
    for place, value in values:
        for origin in env.origins(value):
            code = ast.unparse(origin)
            if not STOCK_METADATA.fullmatch(code) and "target_metadata" not in code:
                advice = 'see that metadata in env.py is this (the answer "metadata")'
                yield Found(place, "target_metadata", shown(origin), advice)


def of_import(env: Source, node: ast.AST, local: set[str]) -> Iterator[Found]:
    """An import of models, or one that is made for what it does."""
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return
    used = {part.id for part in env.nodes if isinstance(part, ast.Name)}
    module = getattr(node, "module", "") or ""
    for item in node.names:
        name = f"{module}.{item.name}".strip(".")
        top, bound = name.partition(".")[0], item.asname or item.name.partition(".")[0]
        if getattr(node, "level", 0) or top in local:
            is_app = module and NAMED_APP.fullmatch(item.name)
            if MODELS.search(name) or (bound not in used and not is_app):
                advice = 'see that env.py imports all models (the answer "models")'
                yield Found(node, "import", shown(node), advice)
        elif top not in FRAMEWORK and top not in sys.stdlib_module_names:
            if "alembic" not in top and (module or bound in used):
                continue
            yield Found(node, "import", shown(node), EXTENSION)


def is_strange(env: Source, node: ast.AST) -> bool:
    """Whether a node is something that stock files do not do."""
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.ClassDef)
    name = called(node)
    is_known = not name or name in env.functions or HARMLESS.fullmatch(name)
    return not is_known or "subprocess" in dotted(node.func)


# alembic.ini


class Ini:
    """An ini file: its sections as text, and its options as Alembic reads them."""

    def __init__(self, root: str, at: str):
        self.path = f"{at}alembic.ini"
        data = read(os.path.join(root, self.path))
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        if at:  # the new file lies at the root
            here = f"%(here)s/{at.strip('/').replace('%', '%%')}"
            text = text.replace("%(here)s", here)
        self.sections: dict[str, tuple[int, list[str]]] = {}
        lines: list[str] = []
        for number, line in enumerate(text.splitlines(), 1):
            if header := re.match(r"\[(.+)\]", line):
                _, lines = self.sections.setdefault(header[1], (number, []))
            lines.append(line)

    def options(self, section: str) -> dict[str, str]:
        """The options of a section that have a value."""
        parser = configparser.RawConfigParser(strict=False, default_section="")
        _, lines = self.sections.get(section, (0, []))
        attempt(lambda: parser.read_string("\n".join(lines)), None)
        found = dict(parser[section]) if section in parser else {}
        return {option: text for option, text in found.items() if text}

    def where(self, section: str, option: str = "") -> str:
        number, lines = self.sections[section]
        pattern = re.compile(rf"{re.escape(option)}\s*[=:]", re.IGNORECASE)
        matches = [count for count, line in enumerate(lines) if pattern.match(line)]
        return f"{self.path}:{number + (matches[-1] if matches and option else 0)}"

    def text(self, section: str) -> str:
        """The section without the comments at its end, which are of the next one."""
        lines = list(self.sections[section][1])
        while not lines[-1].strip() or lines[-1].startswith(("#", ";")):
            lines.pop()
        return "\n".join(lines)


def in_settings(env: Source) -> list[Setting]:
    """What an owner has written into `settings` in an env.py of ours."""
    found: dict[str, Setting] = {}
    for name, value in settings_of(env) if env.is_ours else ():
        code = in_double_quotes(ast.unparse(value))
        found.pop(name, None)
        if code == OURS.get(name):
            continue
        try:
            ast.literal_eval(value)
        except ValueError:
            advice = CONFIGURE
        else:
            advice = ""
        where = env.where(value)
        found[name] = Setting(name, code, where, not advice, advice)
    return list(found.values())


def settings_of(env: Source) -> Iterator[tuple[str, ast.expr]]:
    """The names and values in `settings = {...}` and `settings.update(...)`."""
    for node in env.tree.body:
        value = getattr(node, "value", None)
        if "settings" in map(dotted, targets(node)) and isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value), item
        elif isinstance(value, ast.Call) and dotted(value.func) == "settings.update":
            for word in value.keywords:
                if word.arg:
                    yield word.arg, word.value


def in_inis(
    root: str, folder: str, env: Source
) -> tuple[dict[str, str], str, list[Setting]]:
    """What the old alembic.ini sets. Of two, the one counts that is used with env.py."""
    inis = [Ini(root, at) for at in dict.fromkeys((folder, ""))]
    if b"extensions" not in env.data:  # Flask-Migrate's lies beside env.py
        inis.reverse()
    template = Ini(str(TEMPLATE), "")
    values: dict[str, str] = {}
    texts: dict[str, str] = {}
    settings = []
    for ini in inis:
        here, more = of_options(ini, template, env)
        for item in more:
            if (
                item.carried
                and values.get(item.name, here[item.name]) != here[item.name]
            ):
                item = replace(item, carried=False, advice=f"{inis[0].path} counts")
            settings.append(item)
        values = {**here, **values}
        for name in ini.sections:
            item = of_section(ini, template, name)
            if item is not None and item.carried and name in texts:
                item = replace(item, carried=False, advice=f"{inis[0].path} counts")
            elif item is not None and item.carried:
                texts[name] = ini.text(name)
            settings += [item] if item is not None else []
    return values, "\n\n".join(texts.values()), settings


def of_options(
    ini: Ini, template: Ini, env: Source
) -> tuple[dict[str, str], list[Setting]]:
    """What [alembic] sets: what is carried over, and all that is special."""
    options, usual = ini.options("alembic"), INI
    settings, values = [], separators(options)
    for option, value in options.items():
        advice, plain = "", re.sub(r"\s+#.*", "", value)
        if plain in (INI_DEFAULTS.get(option), usual.get(option)) or option in (
            "script_location",
            "pylons_config_file",
        ):
            continue
        if option == "sqlalchemy.url":
            if "driver://" in value or b"set_main_option" in env.data:
                continue
            advice = URL
        elif option.startswith("sqlalchemy."):
            advice = ENGINE
        elif option == "prepend_sys_path":
            words = re.split(r"[\s,;:]+", value.replace("%(here)s", "."))
            if all(re.fullmatch(r"[./]*(src/?)?", word) for word in words):
                continue
            values.setdefault(option, value)
        elif option == "databases":
            if value == "engine1, engine2":
                continue
            advice = "not needed: env.py takes SQLALCHEMY_BINDS of the app"
        elif option in ("path_separator", "version_path_separator"):
            if plain == "os":
                continue
            values.setdefault(option, plain)
        else:
            values.setdefault(option, value.replace("\n", "\n    "))
        where = ini.where("alembic", option)
        code = masked(value) if not advice else shown(value)
        settings.append(Setting(option, code, where, not advice, advice))
    return values, settings


def separators(options: dict[str, str]) -> dict[str, str]:
    """Several version locations, written so that each Alembic splits them as before.

    The new alembic.ini has `path_separator = os`, where an old one may have nothing.
    """
    if "version_locations" not in options:
        return {}
    given = [options.get(f"{name}path_separator") for name in ("", "version_")]
    separator = re.sub(r"\s+#.*", "", given[0] or given[1] or "space")
    values = {"path_separator": separator} if separator != "os" else {}
    if not given[0]:
        values["version_path_separator"] = separator
    if not any(given):
        locations = re.split(r"[,\s]+", options["version_locations"])
        values["version_locations"] = " ".join(filter(None, locations))
    return values


def of_section(ini: Ini, template: Ini, name: str) -> Setting | None:
    """A section that stock files do not have, or not so."""
    options, where = ini.options(name), ini.where(name)
    if name in ("alembic", "flask_migrate") or not options:
        return None
    if re.fullmatch(
        r"loggers|handlers|formatters|(logger|handler|formatter)_\w+", name
    ):
        usual = template.options(name)
        special = [
            f"{option} = {value}"
            for option, value in options.items()
            if (option, value) not in STOCK_LOGGING and name != "logger_flask_migrate"
            if plain_logging(value) != plain_logging(usual.get(option, ""))
        ]
        advice = "copy it into alembic.ini if it is still needed"
        code = masked("; ".join(special))
        return Setting(f"[{name}]", code, where, False, advice) if special else None
    if all(option.startswith("sqlalchemy.") for option in options):
        if all("driver://" in value for value in options.values()):
            return None
        advice = "not needed: env.py takes SQLALCHEMY_BINDS of the app"
        return Setting(f"[{name}]", ", ".join(options), where, False, advice)
    if ini.text(name) in OUR_HOOKS:  # written again if the project still wants them
        return None
    return Setting(f"[{name}]", masked(ini.text(name)), where, True)


def plain_logging(value: str) -> str:
    """What is the same in all stock files."""
    return re.sub(
        r"\s+|,flask_migrate|,migration|,messages|,plugins", "", value
    ).replace("WARNING", "WARN")
