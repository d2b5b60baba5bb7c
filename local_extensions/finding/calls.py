"""The apps that factories make: called with nothing, or as the code calls them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..reading.modules import Module
from ..reading.syntax import dotted, literals
from .candidates import FACTORY, LITERAL, Candidate
from .factories import Maker
from .tree import Tree


def made_by_factories(tree: Tree) -> Iterator[Candidate]:
    """The apps that factories make, called with nothing or as the code does."""
    calls: dict[ast.AST, list[Candidate]] = {}
    for module in tree.examined:
        for call, maker in calls_of_makers(tree, module):
            given = literals(call)
            value = f"{maker.value}({given})" if given else ""
            made = Candidate(value, module, call.lineno, "flask", call)
            made.tier, made.maker = LITERAL, maker
            calls.setdefault(maker.node, []).append(made)
    for maker in tree.makers.values():
        made_by_code = calls.get(maker.node, [])
        with_literals = [made for made in made_by_code if made.value]
        always = bool(made_by_code) and len(with_literals) == len(made_by_code)
        if not maker.needs_arguments and not (always and maker.misses_arguments):
            value, module = f"{maker.value}()", maker.scope.module
            made = Candidate(value, module, maker.node.lineno, "flask", maker.node)
            made.tier, made.maker = FACTORY, maker
            yield made
        yield from with_literals


def calls_of_makers(tree: Tree, module: Module) -> Iterator[tuple[ast.Call, Maker]]:
    """The calls of factories in a module, wherever they stand."""
    names = {re.split("[:.]", maker.value)[-1] for maker in tree.makers.values()}
    if not module.has(name.encode() for name in names):
        return
    imported: dict[str, str] = {}  # also those inside functions
    calls = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                target = f"{module.absolute(node)}.{alias.name}".lstrip(".")
                imported[alias.asname or alias.name] = target
                if alias.name in names:
                    names.add(alias.asname or alias.name)
        elif isinstance(node, ast.Call):
            calls.append(node)
    for node in calls:
        name = dotted(node.func)
        if name.rpartition(".")[2] not in names:
            continue
        ends = tree.code.follow(module.scope, name)
        if not ends and name in imported:
            ends = tree.code.absolute(imported[name])
        makers = [maker for end in ends if (maker := tree.maker_at(end))]
        if makers:
            yield node, makers[0]


def given_to_flask_group(tree: Tree) -> Iterator[Candidate]:
    """The factories that the project's own command names: FlaskGroup(create_app=...).

    They may be those of an installed package.
    """
    for module in tree.modules:
        if b"FlaskGroup" not in module.data:
            continue
        for node in ast.walk(module.tree):
            for word in node.keywords if isinstance(node, ast.Call) else ():
                made = word.value.body if isinstance(word.value, ast.Lambda) else None
                name = dotted(made.func if isinstance(made, ast.Call) else word.value)
                for end in tree.code.follow(module.scope, name):
                    if word.arg != "create_app":
                        continue
                    maker = tree.maker_at(end)
                    package, _, function = end.key.rpartition(".")
                    value = maker.value if maker else f"{package}:{function}"
                    if maker.needs_arguments if maker else not package:
                        continue
                    found = Candidate(f"{value}()", module, node.lineno, "flask", node)
                    found.maker = maker
                    yield found
