"""On which db, declarative base or metadata models and tables hang."""

from __future__ import annotations

import ast
import re
from collections import Counter

from ..findings import Found
from ..reading.code import Code
from ..reading.modules import Module, Scope
from ..reading.syntax import assigned, constants, dotted, first, statements
from ..reading.things import Kinds, Thing
from .candidates import DB_NAMES, Candidate

MODELS = b"__table Column column Mapped Model Table( table=True".split()
# How models look in a file that is beyond what can be parsed.
MODEL_WORDS = (b"__table", b"Model", b"Table(")
MODEL_LINES = re.compile(
    rb"^[ \t]*(?:__table(?:name)?__\s*=|class .*Model\b.*:)|\bTable\(", re.MULTILINE
)

BASE = re.compile(r"\.(DeclarativeBase(NoMeta)?|DeclarativeMeta)$")
# Kinds of what models hang on.
ROOTS = {"db", "lite", "base", "metadata", "registry", "table"}
UNKNOWN = "?"  # the root of models that hang on something which is not understood


class Roots:
    """On which db, declarative base or metadata models and tables hang."""

    def __init__(self, code: Code, kinds: Kinds):
        self.code = code
        self.kinds = kinds
        self.owners: dict[str, str] = {}  # "shop.base:Base" -> "shop:db"
        self.models: dict[Module, set[str]] = {}
        self.count: Counter[str] = Counter()
        self.places: dict[str, Found] = {}  # the first model of each root
        self.tables: dict[Module, dict[str, None]] = {}  # as far as they are known

    def adopt(self, dbs: list[Candidate], bases: list[Candidate]) -> None:
        """Note what bases and metadata belong to: the db that is made with them.

        What a base is made with in turn is what its models hang on.
        """
        self.bases = bases
        for db in dbs:
            for node in arguments(db.node):
                if root := self.of(node, db.scope):
                    self.owners[root] = db.value
        for base in bases:
            for node in made_with(base):
                root = self.of(node, base.scope)
                if root and self.owner(root) != base.value:
                    self.owners.setdefault(base.value, root)

    def owner(self, root: str) -> str:
        """The db or metadata that a base belongs to in the end."""
        for _ in range(10):
            if root not in self.owners:
                break
            root = self.owners[root]
        return root

    def is_base(self, node: ast.ClassDef, scope: Scope) -> bool:
        """Whether a class is itself a declarative base."""

        def answer() -> bool:
            marks = [dotted(getattr(m, "func", m)) for m in node.decorator_list]
            parents = [*node.bases, *(word.value for word in node.keywords)]
            things = [
                each for part in parents for each in self.kinds.things(part, scope)
            ]
            outside = [each.name for each in things if each.what == "outside"]
            made = [part for part in node.bases if not dotted(part)]
            return (
                any(mark.endswith("as_declarative") for mark in marks)
                or any(map(BASE.search, outside))
                or any(self.kinds.of(part, scope) == "base" for part in made)
            )

        return self.kinds.once((node, "is base"), answer)

    def of(self, node: ast.AST | None, scope: Scope | None) -> str:
        """The root that an expression stands for or hangs on, "" if it is no such."""
        node = node.func if isinstance(node, ast.Call) else node
        root = first(self.of_thing(thing) for thing in self.kinds.things(node, scope))
        if not root and getattr(node, "attr", "") == "metadata":
            return self.of(node.value, scope)
        return root

    def of_thing(self, thing: Thing) -> str:
        if thing.what == "outside":
            return self.of_outside(thing.name)
        if thing.what == "class":
            return self.of_class(thing.node, thing.scope)
        is_root = self.kinds.kind(thing) in ROOTS
        return thing.value if is_root else ""

    def of_outside(self, name: str) -> str:
        """The root of something that an installed package holds."""
        if name == "sqlmodel.SQLModel":
            return "sqlmodel:SQLModel"
        owner, _, last = name.rpartition(".")
        module, _, db = owner.rpartition(".")
        outside = module and db in DB_NAMES and last in ("Model", "Table", "metadata")
        if module.startswith("flask.current_app"):
            return ""
        return f"{module}:{db}" if outside else ""

    def of_class(self, node: ast.ClassDef, scope: Scope) -> str:
        """What a class of the tree hangs on."""
        if self.is_base(node, scope):
            return f"{scope.module.name}:{node.name}"
        marks = [getattr(mark, "func", mark) for mark in node.decorator_list]
        mapped = [m.value for m in marks if isinstance(m, ast.Attribute)]
        return self.kinds.once(
            (node, "root"),
            lambda: first(self.of(base, scope) for base in [*node.bases, *mapped]),
        )

    def read_models(self, modules: list[Module]) -> None:
        """Read which modules hold models or tables, and on what these hang."""
        for module in modules:
            if not module.has(MODELS):
                continue
            tree = module.tree
            is_likely = not module.is_parsed and module.has(MODEL_WORDS)
            if is_likely and MODEL_LINES.search(module.data):
                self.models[module] = {UNKNOWN}
            for stmt, _ in statements(tree.body):
                name, root, table = "", "", ""
                if isinstance(stmt, ast.ClassDef):
                    name, root = stmt.name, self.of_model(stmt, module.scope)
                    table = table_of(stmt)
                elif isinstance(stmt, (ast.Assign, ast.AnnAssign, ast.Expr)):
                    root = self.of_table(stmt.value, module.scope)
                    table = first(constants(stmt.value)) if root else ""
                if not root:
                    continue
                where = Found(f"{module.name}:{name}", f"{module.path}:{stmt.lineno}")
                self.models.setdefault(module, set()).add(root)
                if table:
                    self.tables.setdefault(module, {})[table] = None
                self.count[self.owner(root)] += 1
                self.places.setdefault(root, where)

    def of_model(self, node: ast.ClassDef, scope: Scope) -> str:
        """The root of a class that has a table, "" for any other class."""
        set_here = {dotted(t): v for part in node.body for t, v, _ in assigned(part)}
        abstract = set_here.get("__abstract__")
        if isinstance(abstract, ast.Constant) and abstract.value:
            return ""
        if self.is_base(node, scope):
            return ""
        root = self.of_class(node, scope)
        if root == "sqlmodel:SQLModel":
            return root if any(word.arg == "table" for word in node.keywords) else ""
        named = "__tablename__" in set_here or "__table__" in set_here
        return root or (UNKNOWN if named and node.bases else "")

    def of_table(self, node: ast.AST | None, scope: Scope) -> str:
        """The root of a table that a call makes."""
        if not isinstance(node, ast.Call):
            return ""
        name = dotted(node.func)
        if name.rpartition(".")[2] != "Table":
            return ""
        root = self.of(node.func, scope)
        if root:
            return root  # db.Table
        ends = self.code.follow(scope, name)
        if not any(end.scope is None and end.key.startswith("sqla") for end in ends):
            return ""
        given = [*node.args[1:2], *(w.value for w in node.keywords if w.arg)]
        return first(self.of(argument, scope) for argument in given) or UNKNOWN

    def outside(self, given: Found | None) -> tuple[Found, ...]:
        """The dbs of installed packages: the old env.py's, and those of models."""
        places = {root: found.where for root, found in self.places.items()}
        roots = sorted(places, key=lambda root: (-self.count[root], root))
        if given is not None:
            places.setdefault(given.value, given.where)
            roots.insert(0, given.value)
        return tuple(
            Found(root, places[root])
            for root in dict.fromkeys(roots)
            if root.partition(":")[2] in DB_NAMES
            and root.partition(":")[0] not in self.code.modules
        )

    def outside_metadata(self) -> list[Found]:
        """The metadata of models whose base is not of the tree."""
        found = []
        if "sqlmodel:SQLModel" in self.places:
            where = self.places["sqlmodel:SQLModel"].where
            found.append(Found("sqlmodel:SQLModel.metadata", where))
        model = self.places.get(UNKNOWN)
        if model is not None and not model.value.endswith(":"):
            found.append(Found(f"{model.value}.metadata", model.where))
        return found


def arguments(node: ast.AST | None) -> list[ast.expr]:
    """What a call is given."""
    if not isinstance(node, ast.Call):
        return []
    return [*node.args, *(word.value for word in node.keywords)]


def made_with(base: Candidate) -> list[ast.expr]:
    """The expressions that a declarative base or a registry is made with."""
    if isinstance(base.node, ast.ClassDef):
        return [
            value
            for part in base.node.body
            for target, value, _ in assigned(part)
            if dotted(target) in ("metadata", "registry")
        ]
    if base.kind == "base" and isinstance(base.node, ast.Call):
        return [base.node.func, *(word.value for word in base.node.keywords)]
    return arguments(base.node)


def table_of(node: ast.ClassDef) -> str:
    """The name of a model's table: what it says, or what Flask-SQLAlchemy makes of it."""
    for part in node.body:
        for target, value, _ in assigned(part):
            if dotted(target) == "__tablename__":
                return first(constants(value))
            if dotted(target) == "__table__":
                return ""
    return re.sub(
        r"(?<=[a-z0-9])(?=[A-Z])|(?<!^)(?=[A-Z][a-z])", "_", node.name
    ).lower()
