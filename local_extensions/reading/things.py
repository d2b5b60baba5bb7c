"""Says what an expression may stand for: an app, an engine, a class, a function, ..."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from .code import Code, End
from .kinds import MADE, kind_outside
from .modules import Name, Scope
from .syntax import assigned, dotted, first, returned, statements


class Thing(NamedTuple):
    """What an expression may stand for when the code runs."""

    what: str  # "kind", "outside", "class", "instance", "function" or "parameter"
    name: str = ""  # the kind, or the dotted name of something outside of the tree
    node: Any = None  # the class or the function
    scope: Scope | None = None  # in which that is defined
    owner: ast.ClassDef | None = None  # the class whose method it is
    value: str = ""  # where it has its name: "shop.db:db"


def labelled(things: list[Thing], value: str) -> list[Thing]:
    """Things that have no name so far, with one."""
    return [each if each.value else each._replace(value=value) for each in things]


def branches(node: ast.AST) -> list[ast.expr]:
    """The expressions of which another one is one or the other."""
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values
    return [node.value] if isinstance(node, ast.NamedExpr) else []


class Things:
    """Says what the expressions of some code may stand for."""

    def __init__(self, code: Code):
        self.code = code
        self.known: dict[tuple, Any] = {}

    def once(self, key: tuple, answer: Callable[[], Any], nothing: Any = "") -> Any:
        """An answer by its key; nothing for a question that leads to itself."""
        if key not in self.known:
            self.known[key] = nothing
            with suppress(RecursionError):
                self.known[key] = answer()
        return self.known[key]

    def kind(self, thing: Thing) -> str:
        if thing.what == "kind":
            return thing.name
        if thing.what != "instance":
            return ""
        return self.once(
            (thing.node, "instance"),
            lambda: first(
                self.kind(made)
                for base in thing.node.bases
                for parent in self.things(base, thing.scope)
                if parent.what in ("outside", "class")
                for made in self.called(parent)
            ),
        )

    def things(self, node: ast.AST | None, scope: Scope | None) -> list[Thing]:
        """What an expression may stand for."""
        if scope is None or node is None:
            return []
        return self.once((node, scope), lambda: self.work_out(node, scope), [])

    def work_out(self, node: ast.AST, scope: Scope) -> list[Thing]:
        if isinstance(node, ast.Call):
            return self.of_call(node, scope)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self.named(node, scope)
        values = branches(node)
        return [thing for value in values for thing in self.things(value, scope)]

    def named(self, node: ast.Name | ast.Attribute, scope: Scope) -> list[Thing]:
        """What a name or an attribute is."""
        name = dotted(node)
        if not name:  # create_app().app
            owners = self.things(getattr(node, "value", None), scope)
            return self.attributes(owners, getattr(node, "attr", ""))
        owner, _, rest = name.partition(".")
        if owner in ("self", "cls") and scope.owner is not None:
            start = Thing("instance", "", scope.owner, scope.parent)
            return self.attribute(start, rest) if rest else [start]
        ends = self.code.follow(scope, name)
        return [thing for end in ends for thing in self.at_end(end)]

    def at_end(self, end: End) -> list[Thing]:
        """What is at the end of a dotted name."""
        if end.scope is None:
            return [Thing("outside", end.key)]
        if end.name is None:
            return []
        value = f"{end.scope.module.name}:{end.key}"
        things = labelled(self.bound(end.name, end.scope), value)
        for attribute in filter(None, end.rest.split(".")):
            things = self.attributes(things, attribute)
        return things

    def bound(self, name: Name, scope: Scope) -> list[Thing]:
        """What a name is bound to in a scope."""
        if name.kind != "value":
            return [Thing(name.kind, "", name.node, scope)]
        if name.index is not None:
            return self.part(name, scope)
        things = self.things(name.node, scope)
        if not any(map(self.kind, things)) and not isinstance(name.node, ast.Constant):
            things = [*things, *self.annotated(name.annotation, scope)]
        return things

    def part(self, name: Name, scope: Scope) -> list[Thing]:
        """What one part of an unpacked value is."""
        places = [(name.node, scope)]
        if isinstance(name.node, ast.Call):
            functions = self.things(name.node.func, scope)
            places = [
                (value, self.code.function_scope(each.scope, each.node, each.owner))
                for each in functions
                if each.what == "function"
                for value in returned(each.node)
            ]
        return [
            thing
            for node, inner in places
            if isinstance(node, (ast.Tuple, ast.List)) and name.index < len(node.elts)
            for thing in self.things(node.elts[name.index], inner)
        ]

    def annotated(self, node: ast.AST | None, scope: Scope) -> list[Thing]:
        """An instance of the class that an annotation names."""
        name = (
            getattr(node, "value", "")
            if isinstance(node, ast.Constant)
            else dotted(node)
        )
        ends = self.code.follow(scope, name) if isinstance(name, str) else []
        found = [thing for end in ends for thing in self.at_end(end)]
        classes = [each for each in found if each.what in ("outside", "class")]
        return [made for each in classes for made in self.called(each)]

    def of_call(self, node: ast.Call, scope: Scope) -> list[Thing]:
        """What a call makes; a function may return what it was given."""
        functions = self.things(node.func, scope)
        made = [thing for each in functions for thing in self.called(each)]
        is_cast = any(each.name.endswith("cast") for each in functions)
        if is_cast or any(thing.what == "parameter" for thing in made):
            made += [
                thing for value in node.args for thing in self.things(value, scope)
            ]
        return made

    def called(self, thing: Thing) -> list[Thing]:
        """What calling a thing makes."""
        if thing.what == "outside":
            return [Thing("kind", kind_outside(thing.name))]
        if thing.what == "class":
            return [thing._replace(what="instance")]
        if thing.what != "function" or not isinstance(thing.node, ast.FunctionDef):
            return []
        return self.once((thing.node, "called"), lambda: self.returned_by(thing), [])

    def returned_by(self, function: Thing) -> list[Thing]:
        node, scope = function.node, function.scope
        inner = self.code.function_scope(scope, node, function.owner)
        things = [
            each for value in returned(node) for each in self.things(value, inner)
        ]
        is_passing = bool(things) and all(each.what == "parameter" for each in things)
        if is_passing or any(map(self.kind, things)):
            return things
        return [*things, *self.annotated(node.returns, scope)]

    def attributes(self, things: list[Thing], name: str) -> list[Thing]:
        return [part for thing in things for part in self.attribute(thing, name)]

    def attribute(self, thing: Thing, name: str) -> list[Thing]:
        """What an attribute of a thing is."""
        if thing.what == "outside":
            return [Thing("outside", f"{thing.name}.{name}")]
        made = MADE.get((thing.name, name))
        if made:
            return [Thing("kind", made, value=thing.value)]
        if name in ("generate_base", "make_declarative_base"):
            return [Thing("outside", "sqlalchemy.declarative_base")]
        if thing.what not in ("class", "instance"):
            return []
        own = self.members(thing.node, thing.scope).get(name, [])
        own = labelled(own, f"{thing.value}.{name}")
        return own or self.once((thing.node, name), lambda: self.above(thing, name), [])

    def above(self, thing: Thing, name: str) -> list[Thing]:
        """What an attribute is that a class of the tree has from another one."""
        bases = thing.node.bases
        parents = [each for base in bases for each in self.things(base, thing.scope)]
        return self.attributes([each for each in parents if each.what == "class"], name)

    def members(self, node: ast.ClassDef, scope: Scope) -> dict[str, list[Thing]]:
        """The attributes of a class and of its instances."""
        return self.once((node, "members"), lambda: self.read(node, scope), {})

    def read(self, node: ast.ClassDef, scope: Scope) -> dict[str, list[Thing]]:
        found: dict[str, list[Thing]] = {}
        self.known[node, "members"] = found  # an attribute may ask for another
        functions = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        for part in node.body:
            for target, value, _ in assigned(part):
                found.setdefault(dotted(target), []).extend(self.things(value, scope))
        for part in functions:
            found.setdefault(part.name, []).append(
                Thing("function", "", part, scope, node)
            )
        for part in functions:
            for stmt, _ in statements(part.body):
                for target, value, _ in assigned(stmt):
                    owner, _, name = dotted(target).partition(".")
                    inner = self.code.function_scope(scope, part, node)
                    if owner in ("self", "cls") and name:
                        found.setdefault(name, []).extend(self.things(value, inner))
        for part in functions:  # what a property returns may be filled in by another
            if any("property" in dotted(mark) for mark in part.decorator_list):
                found[part.name] = self.called(Thing("function", "", part, scope, node))
        return found


class Kinds(Things):
    """Says of what kind they are: "flask", "db", ... or "" for all else."""

    def of(self, node: ast.AST | None, scope: Scope) -> str:
        """What an expression is."""
        return first(self.kind(thing) for thing in self.things(node, scope))

    def of_end(self, end: End) -> str:
        """What a name is that is used as a value."""
        return first(self.kind(thing) for thing in self.at_end(end))

    def of_name(self, name: Name, scope: Scope) -> str:
        """What a name is bound to."""
        return first(self.kind(thing) for thing in self.bound(name, scope))

    def of_function(
        self, node: ast.FunctionDef, scope: Scope, owner: ast.ClassDef | None = None
    ) -> str:
        """What a function returns."""
        function = Thing("function", "", node, scope, owner)
        return first(self.kind(thing) for thing in self.called(function))

    def of_class(self, node: ast.ClassDef, scope: Scope) -> str:
        """What an instance of a class of the tree is."""
        return self.kind(Thing("instance", "", node, scope))

    def classes(
        self, node: ast.AST | None, scope: Scope
    ) -> Iterator[tuple[Scope, ast.ClassDef]]:
        """The classes of the tree of which a value may be made."""
        for thing in self.things(node, scope):
            if thing.what == "instance":
                yield thing.scope, thing.node

    def held(self, scope: Scope, node: ast.ClassDef, attribute: str) -> str:
        """What an attribute of a class or of its instances is."""
        return first(map(self.kind, self.members(node, scope).get(attribute, [])))

    def holds(self, scope: Scope, node: ast.ClassDef) -> dict[str, str]:
        """The attributes of a class that are of any kind."""
        kinds = {
            name: self.held(scope, node, name) for name in self.members(node, scope)
        }
        return {name: kind for name, kind in kinds.items() if kind}
