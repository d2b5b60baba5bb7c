"""One look at the code under one source root: the apps, factories and dbs in it."""

from __future__ import annotations

import ast

from ..reading.code import Code, End
from ..reading.files import Files
from ..reading.modules import Module, Name, Scope, modules_of
from ..reading.syntax import assigned, constants, dotted, returned
from ..reading.things import Kinds
from .candidates import DATABASES, ENTRIES, Candidate
from .factories import Maker
from .models import Roots
from .reach import Reach

# Files with these words may hold an app, a factory, a db or a declarative base.
MAKERS = (
    b"Flask Quart Eve OpenAPI connexion SQLAlchemy SQLA create_engine "
    b"create_async_engine engine_from_config declarative Declarative MetaData registry "
    b"create_app make_app"
).split()
# Decorators under which a function still returns what it returns.
PASSING = {"cache", "lru_cache", "staticmethod", "classmethod", "typechecked", "wraps"}


class Tree:
    """The modules of an application, and what is of use in them."""

    def __init__(
        self, root: str, files: Files, contents: dict[str, bytes], source_root: str
    ):
        self.root = root
        self.files = files
        self.source_root = source_root
        self.code = Code(modules_of(contents, source_root))
        self.modules = list(self.code.modules.values())
        self.kinds = Kinds(self.code)
        self.roots = Roots(self.code, self.kinds)
        self.reach = Reach(self.code, self.kinds)
        self.makers: dict[ast.AST, Maker] = {}
        self.objects: list[Candidate] = []
        self.dbs: list[Candidate] = []
        self.bases: list[Candidate] = []
        self.examined = self.examine_all()
        self.roots.adopt([db for db in self.dbs if db.kind in DATABASES], self.bases)
        self.roots.read_models(self.modules)

    def examine_all(self) -> list[Module]:
        """Note the apps, factories and dbs of each module that may hold one.

        The classes and functions found give their names to the next round: a module
        that uses them need not have any of the usual words in it.
        """
        examined: dict[str, Module] = {}
        words = MAKERS
        known: set[str] = set()
        for _ in range(4):
            names: set[str] = set()
            for module in self.modules:
                entry = module.name.rpartition(".")[2] in ENTRIES
                if module.name in examined or not (entry or module.has(words)):
                    continue
                examined[module.name] = module
                names |= self.examine(module)
            if not names - known:
                break
            words = [name.encode() for name in sorted(names - known)]
            known |= names
        return list(examined.values())

    def examine(self, module: Module) -> set[str]:
        """Note what a module holds; the names that lead to the modules that use it."""
        words = set()
        scope = module.scope
        for key, names in scope.names.items():
            for name in names:
                if name.kind == "value" and not name.guarded:
                    self.note_value(key, name, scope)
                elif name.kind == "function":
                    if self.note_function(key, name.node, scope, None):
                        words.add(key)
                elif name.kind == "class" and self.note_class(key, name, scope):
                    words.add(key)
        return words

    def note_value(self, key: str, name: Name, scope: Scope) -> None:
        """Note an object of a module, and what it holds."""
        if isinstance(name.node, (ast.Name, ast.Attribute)) and any(
            end.name is not None and not end.rest
            for end in self.code.follow(scope, dotted(name.node))
        ):
            return  # application = app: the same by another name
        kind = self.kinds.of_name(name, scope)
        self.note(key, kind, name, scope)
        for outer, node in self.kinds.classes(name.node, scope):
            for attribute, held in self.kinds.holds(outer, node).items():
                if kind != "flask" or held in DATABASES:
                    self.note(f"{key}.{attribute}", held, name, scope)

    def note(self, key: str, kind: str, name: Name, scope: Scope) -> None:
        if kind == "connexion":
            key, kind = f"{key}.app", "flask"
        module = scope.module
        value = f"{module.name}:{key}"
        candidate = Candidate(value, module, name.line, kind, name.node, scope)
        candidate.filled_by = name.function
        if kind == "flask" and not name.late:
            self.objects.append(candidate)
        elif kind in DATABASES or kind == "engine":
            self.dbs.append(candidate)
        elif kind in ("base", "metadata", "registry"):
            self.bases.append(candidate)

    def note_function(
        self, key: str, node: ast.AST | None, scope: Scope, owner: ast.ClassDef | None
    ) -> bool:
        """Note a factory; whether the function makes anything of use."""
        if not isinstance(node, ast.FunctionDef):
            return False
        kind = self.kinds.of_function(node, scope, owner)
        passing = all(
            dotted(getattr(mark, "func", mark)).rpartition(".")[2] in PASSING
            for mark in node.decorator_list
        )
        maker = Maker(f"{scope.module.name}:{key}", node, scope, owner)
        if key == "__getattr__" and kind == "flask":
            for text in compared(node):
                self.note(text, kind, Name("value", node.lineno), scope)
        elif not passing or self.is_getter(node, scope):
            pass
        elif kind == "flask":
            self.makers[node] = maker
        elif kind == "engine" and not maker.needs_arguments:
            self.note(f"{key}()", kind, Name("value", node.lineno), scope)
        return bool(kind)

    def is_getter(self, node: ast.FunctionDef, scope: Scope) -> bool:
        """Whether a function only returns an object that a module holds anyway."""
        inner = self.code.function_scope(scope, node)
        ends = [
            end
            for value in returned(node)
            for end in self.code.follow(inner, dotted(value))
        ]
        return bool(ends) and all(
            end.scope is not None
            and end.scope.parent is None
            and end.name is not None
            and not end.name.late
            for end in ends
        )

    def note_class(self, key: str, name: Name, scope: Scope) -> bool:
        """Note what a class holds and its methods make; whether it is of any use."""
        node = name.node
        if not isinstance(node, ast.ClassDef):
            return False
        if self.roots.is_base(node, scope):
            self.note(key, "base", name, scope)
            return False
        held = self.kinds.holds(scope, node)
        own = {dotted(target) for part in node.body for target, *_ in assigned(part)}
        for attribute in sorted(own & set(held)):
            self.note(f"{key}.{attribute}", held[attribute], name, scope)
        made = [
            self.note_function(f"{key}.{part.name}", part, scope, node)
            for part in node.body
            if isinstance(part, ast.FunctionDef)
            and {dotted(mark) for mark in part.decorator_list}
            & {"staticmethod", "classmethod"}
        ]
        return any(held.values()) or any(made) or bool(self.kinds.of_class(node, scope))

    def maker_at(self, end: End) -> Maker | None:
        """The factory to which a name leads, also a method of a class."""
        node = end.name.node if end.name is not None else None
        if not isinstance(node, ast.ClassDef):
            return None if end.rest or node is None else self.makers.get(node)
        methods = [part for part in node.body if getattr(part, "name", "") == end.rest]
        return self.makers.get(methods[0]) if methods else None


def compared(function: ast.FunctionDef) -> list[str]:
    """The names that a module's __getattr__ knows."""
    return [
        text
        for node in ast.walk(function)
        if isinstance(node, ast.Compare)
        for text in constants(node)
        if text.isidentifier()
    ]
