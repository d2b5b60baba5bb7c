"""The options of Alembic that the old env.py and the application give."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..carried import OPTIONS, OURS
from ..finding.ranking import value_of
from ..findings import Findings
from ..reading.modules import Module
from ..reading.syntax import constants, dotted, is_main_guard, targets
from .source import Given, Source

State = dict[str, Given]


def given_to_alembic(env: Source, migrate: State) -> State:
    """All options, with what counts of those that are given in several places.

    Whatever is named like an option counts, wherever it stands in env.py: as a keyword,
    as a key, as an item that is set. What Flask-Migrate passes on counts less than what
    is named in a call or set, and more than a default.
    """
    usual = {name: Given(name, ast.Constant(True), env) for name in OURS}
    is_passed_on = b"configure_args" in env.data or not env.calls
    state = {**usual, **migrate} if is_passed_on else {}
    found = list(settings_of(env) if env.is_ours else in_environment(env))
    own: State = {}
    defaults: State = {}
    for kind, given in found:
        name, other = given.name, own.get(given.name)
        if kind == "remove":
            state.pop(name, None)
        elif kind == "default":
            defaults.setdefault(name, given)
        elif other is not None and other.code != given.code:
            other.depends = given.depends = True
        else:
            passed_on = state.get(name, given) if name in migrate else given
            given.depends |= kind == "key" and passed_on.code != given.code
            own[name] = given
    return {**defaults, **state, **own}


def in_environment(env: Source) -> Iterator[tuple[str, Given]]:
    """What is done to options in env.py, in the order of the lines."""
    offline = [call for call in env.calls if is_offline(call)]
    is_online = any(call not in offline for call in env.calls if is_configure(call))
    nodes = [node for node in env.nodes if hasattr(node, "lineno")]
    for node in sorted(nodes, key=lambda node: node.lineno):
        if node in offline and is_online:
            continue
        tests = tests_of(env, node)
        asked = {text for test in tests for text in constants(test)}
        for kind, name, value in options_in(env, node):
            kind = "default" if name in asked and kind == "set" else kind
            if name in OPTIONS:
                depends = bool(tests) and kind != "default"
                yield kind, Given(name, value, env, depends)


def options_in(env: Source, node: ast.AST) -> Iterator[tuple[str, str, ast.expr]]:
    """What a node does to keywords: the kind, the name and the value of each."""
    method = getattr(getattr(node, "func", None), "attr", "")
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            kind = "set" if None in node.keys else "key"
            yield from ((kind, text, value) for text in constants(key))
    elif isinstance(node, ast.Subscript):
        for text in constants(node.slice):
            if isinstance(node.ctx, ast.Del):
                yield "remove", text, node
            elif node in targets(env.parents[node]):
                yield "set", text, env.parents[node].value
    elif method in ("pop", "setdefault") and node.args:
        kind = "remove" if method == "pop" else "default"
        yield from ((kind, text, node.args[-1]) for text in constants(node.args[0]))
    elif isinstance(node, ast.Call):
        yield from (("set", word.arg, word.value) for word in node.keywords)


def settings_of(env: Source) -> Iterator[tuple[str, Given]]:
    """What the owner has set in an env.py of ours; the last one counts."""
    found: State = {}
    for node in env.tree.body:
        value = getattr(node, "value", None)
        names = [dotted(getattr(value, "func", None)), *map(dotted, targets(node))]
        if {"settings", "settings.update"} & {*names}:
            found |= {n: Given(n, v, env) for _, n, v in options_in(env, value)}
    yield from (("set", given) for given in found.values())


def is_configure(node: ast.AST) -> bool:
    """Whether a call, or a statement with one, is that of context.configure(...)."""
    call = getattr(node, "value", node)
    return getattr(getattr(call, "func", None), "attr", "") == "configure"


def is_offline(call: ast.Call) -> bool:
    named = {word.arg for word in call.keywords}
    return "url" in named and "connection" not in named


def tests_of(source: Source, node: ast.AST) -> list[ast.expr]:
    """The conditions that a node is under."""
    above = [each for each in source.above(node) if isinstance(each, ast.If)]
    return [each.test for each in above if not is_main_guard(each.test)]


def given_to_extension(findings: Findings, directory: str) -> State:
    """The options in `Migrate(...)`, in its init_app(...), and in ALEMBIC_CONTEXT."""
    state: State = {}
    for module in findings.modules:
        if not module.has((b"igrate", b"ALEMBIC_CONTEXT")):
            continue
        source = Source(module.path, module.data)
        calls = [c for c in source.calls if is_migrate(c, module, findings, directory)]
        for value in [*calls, *parts_of_context(source)]:
            for given in unpacked(source, value):
                given.depends |= bool(tests_of(source, value))
                other = state.setdefault(given.name, given)
                other.depends |= given.depends or other.code != given.code
    return state


def parts_of_context(source: Source) -> list[ast.AST]:
    """What is in the statements that give ALEMBIC_CONTEXT a value, however they do it."""
    simple = (ast.Assign, ast.AnnAssign, ast.Expr)
    statements = [node for node in source.nodes if isinstance(node, simple)]
    named = [stmt for stmt in statements if "ALEMBIC_CONTEXT" in ast.unparse(stmt)]
    return [part for stmt in named for part in ast.walk(stmt)]


def unpacked(source: Source, node: ast.expr) -> Iterator[Given]:
    """The options in a call or a dictionary, also those in what it unpacks."""
    for kind, name, value in options_in(source, node):
        if name in OPTIONS and kind in ("set", "key"):
            yield Given(name, value, source)
    for word in getattr(node, "keywords", ()):
        for value in source.values(dotted(word.value)) if word.arg is None else ():
            yield from unpacked(source, value)


def is_migrate(
    call: ast.Call, module: Module, findings: Findings, directory: str
) -> bool:
    """Whether a call gives options to Flask-Migrate for this folder and this db."""
    tree = findings.tree
    is_init = getattr(call.func, "attr", "") == "init_app"
    made = call.func.value if is_init else call
    if tree is None or tree.kinds.of(made, module.scope) != "migrate":
        return False
    given = {word.arg: word.value for word in call.keywords}
    folders = constants(given.get("directory")) or constants(*call.args[2:3] or [None])
    if folders and not f"/{directory}".endswith("/" + folders[-1].strip("./")):
        return False
    others = {db.value for db in findings.db[1:]}
    return not any(
        value_of(end) in others
        for node in [*call.args[:2], given.get("db")]
        for end in tree.code.follow(module.scope, dotted(node))
    )
