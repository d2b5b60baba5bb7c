"""Says what an expression makes.

Kinds are short words: "flask" an app, "connexion" an object whose .app is one, "db" and
"lite" a SQLAlchemy object with and without metadata, "engine", "metadata", "registry",
"base", or "" for all else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress

from .code import Code, End
from .modules import Name, Scope
from .syntax import assigned, dotted, first, returned, statements


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


class Kinds:
    """Says what the expressions of some code are."""

    def __init__(self, code: Code):
        self.code = code
        self.known: dict[tuple, str] = {}
        self.held_by: dict[ast.ClassDef, dict[str, str]] = {}

    def once(self, key: tuple, answer) -> str:
        """An answer by its key; nothing for a question that leads to itself."""
        if key not in self.known:
            self.known[key] = ""
            with suppress(RecursionError):
                self.known[key] = answer()
        return self.known[key]

    def of(self, node: ast.AST | None, scope: Scope) -> str:
        """What an expression is."""
        if not isinstance(
            node,
            (ast.Name, ast.Attribute, ast.Call, ast.IfExp, ast.BoolOp, ast.NamedExpr),
        ):
            return ""
        return self.once((node, scope), lambda: self.work_out(node, scope))

    def work_out(self, node: ast.AST, scope: Scope) -> str:
        if isinstance(node, ast.IfExp):
            return self.of(node.body, scope) or self.of(node.orelse, scope)
        if isinstance(node, ast.BoolOp):
            return first(self.of(value, scope) for value in node.values)
        if isinstance(node, ast.NamedExpr):
            return self.of(node.value, scope)
        if isinstance(node, ast.Call):
            return self.of_call(node, scope)
        if name := dotted(node):
            owner, _, attribute = name.partition(".")
            if owner in ("self", "cls") and scope.owner is not None:
                return self.held(scope.parent, scope.owner, attribute)
            return first(self.of_end(end) for end in self.code.follow(scope, name))
        if isinstance(node, ast.Attribute):  # create_app().app
            return attribute_of(self.of(node.value, scope), node.attr)
        return ""

    def of_end(self, end: End) -> str:
        """What a name is that is used as a value."""
        if end.scope is None or end.name is None:
            return ""
        if end.name.kind == "value":
            if not end.rest:
                return self.of_name(end.name, end.scope)
            kind = attribute_of(self.of_name(end.name, end.scope), end.rest)
            return kind or first(
                self.held(scope, node, end.rest)
                for scope, node in self.classes(end.name.node, end.scope)
            )
        if end.name.kind == "class" and end.rest:
            return self.held(end.scope, end.name.node, end.rest)
        return ""

    def of_name(self, name: Name, scope: Scope) -> str:
        """What a name is bound to."""
        if name.index is not None:
            return self.of_part(name, scope)
        kind = self.of(name.node, scope)
        if not kind and isinstance(name.node, (ast.Call, ast.Attribute)):
            kind = self.of_annotation(name.annotation, scope)
        return kind

    def of_part(self, name: Name, scope: Scope) -> str:
        """What one part of an unpacked value is."""
        if isinstance(name.node, (ast.Tuple, ast.List)):
            parts = name.node.elts
            return self.of(parts[name.index], scope) if name.index < len(parts) else ""
        if isinstance(name.node, ast.Call):
            for end in self.code.follow(scope, dotted(name.node.func)):
                if end.name is not None and end.name.kind == "function":
                    inner = self.code.function_scope(end.scope, end.name.node)
                    for node in returned(end.name.node):
                        if isinstance(node, ast.Tuple) and name.index < len(node.elts):
                            return self.of(node.elts[name.index], inner)
        return ""

    def of_annotation(self, node: ast.AST | None, scope: Scope) -> str:
        name = dotted(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        return first(self.of_callee(end) for end in self.follow_class(scope, name))

    def follow_class(self, scope: Scope, name: str) -> Iterator[End]:
        """Where a name leads that stands for a class, not for what a call returns."""
        for end in self.code.follow(scope, name) if name else ():
            outside = end.name is None and not re.search(r"(^|\.)[a-z_]+$", end.key)
            if outside or (end.name is not None and end.name.kind == "class"):
                yield end

    def of_call(self, node: ast.Call, scope: Scope) -> str:
        """What a call makes."""
        name = dotted(node.func)
        if not name:
            if not isinstance(node.func, ast.Attribute):
                return ""
            maker, method = node.func.value, node.func.attr  # Builder().build()
            return method_of(self.of(maker, scope), method) or first(
                self.of_method(cls, outer, method)
                for outer, cls in self.classes(maker, scope)
            )
        ends = self.code.follow(scope, name)
        kind = first(self.of_callee(end) for end in ends)
        if not kind and (name.endswith("cast") or any(map(self.passes, ends))):
            kind = first(self.of(value, scope) for value in node.args)
        return kind

    def of_callee(self, end: End) -> str:
        """What calling the thing at the end of a name makes."""
        if end.scope is None:
            return kind_outside(end.key)
        if end.name is None:
            return ""
        node = end.name.node
        if isinstance(node, ast.FunctionDef) and not end.rest:
            return self.of_function(node, end.scope)
        if isinstance(node, ast.ClassDef):
            if not end.rest:
                return self.of_class(node, end.scope)
            return self.of_method(node, end.scope, end.rest)
        if end.name.kind != "value":
            return ""
        if not end.rest:  # Base = declarative; make = create_app
            return first(
                self.of_callee(other)
                for other in self.code.follow(end.scope, dotted(node))
                if other != end
            )
        kind = method_of(self.of_name(end.name, end.scope), end.rest)
        return kind or first(
            self.of_method(node, scope, end.rest)
            for scope, node in self.classes(node, end.scope)
        )

    def of_class(self, node: ast.ClassDef, scope: Scope) -> str:
        """What an instance of a class of the tree is."""
        return self.once(
            (node, "instance"),
            lambda: first(
                self.of_callee(end)
                for base in node.bases
                for end in self.follow_class(scope, dotted(base))
            ),
        )

    def of_function(
        self, node: ast.FunctionDef, scope: Scope, owner: ast.ClassDef | None = None
    ) -> str:
        """What a function returns."""

        def answer() -> str:
            inner = self.code.function_scope(scope, node, owner)
            values = returned(node)
            kind = first(self.of(value, inner) for value in values)
            passed = [is_parameter(value, inner) for value in values]
            if kind or (values and all(passed)):
                return kind
            return self.of_annotation(node.returns, scope)

        return self.once((node, "returns"), answer)

    def of_method(self, node: ast.ClassDef, scope: Scope, name: str) -> str:
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name == name:
                return self.of_function(part, scope, node)
        return ""

    def passes(self, end: End) -> bool:
        """Whether a function returns a parameter of its own."""
        if end.name is None or not isinstance(end.name.node, ast.FunctionDef):
            return False
        inner = self.code.function_scope(end.scope, end.name.node)
        return any(is_parameter(node, inner) for node in returned(end.name.node))

    def classes(
        self, node: ast.AST | None, scope: Scope
    ) -> Iterator[tuple[Scope, ast.ClassDef]]:
        """The class of the tree of which a value is made."""
        if isinstance(node, ast.Call):
            for end in self.code.follow(scope, dotted(node.func)):
                if end.name is not None and end.name.kind == "class" and not end.rest:
                    yield end.scope, end.name.node

    def held(self, scope: Scope, node: ast.ClassDef, attribute: str) -> str:
        """What an attribute of a class or of its instances is."""
        return self.holds(scope, node).get(attribute, "")

    def holds(self, scope: Scope, node: ast.ClassDef) -> dict[str, str]:
        """The attributes of a class that are of any kind."""
        if node in self.held_by:
            return self.held_by[node]
        found = self.held_by[
            node
        ] = {}  # filled below: an attribute may ask for another
        functions = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        for part in node.body:
            for target, value, _ in assigned(part):
                if kind := self.of(value, scope):
                    found[dotted(target)] = kind
        for part in functions:
            for stmt, _ in statements(part.body):
                for target, value, _ in assigned(stmt):
                    owner, _, name = dotted(target).partition(".")
                    if owner in ("self", "cls") and name:
                        inner = self.code.function_scope(scope, part, node)
                        if kind := self.of(value, inner):
                            found[name] = kind
        for part in functions:  # what a property returns may be filled in by another
            if any("property" in dotted(mark) for mark in part.decorator_list):
                found[part.name] = self.of_function(part, scope, node)
        return found


def attribute_of(kind: str, attribute: str) -> str:
    """What an attribute is of an object of a kind."""
    return "flask" if (kind, attribute) == ("connexion", "app") else ""


def method_of(kind: str, method: str) -> str:
    """What a method makes of an object of a kind."""
    made = {("registry", "generate_base"), ("db", "make_declarative_base")}
    return "base" if (kind, method) in made else ""


def is_parameter(node: ast.AST, scope: Scope) -> bool:
    """Whether an expression is a parameter of a function, as it was given."""
    meanings = scope.names.get(dotted(node), ())
    return bool(meanings) and all(name.kind == "parameter" for name in meanings)
