"""What may be an answer, and what is said of it in the end."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..findings import Found
from ..reading.modules import Module, Scope
from .factories import Maker

# Conventional names, the most usual first.
ENTRIES = (
    "wsgi app application main run manage autoapp asgi server serve runserver "
    "flask_app passenger_wsgi start index __main__"
).split()
APP_NAMES = ["app", "create_app", "application", "make_app", "create_application"]
DB_NAMES = ["db", "DB", "sqla", "database", "engine"]

# Kinds that are a SQLAlchemy object, which knows the engines of the app.
DATABASES = ("db", "lite")

# Apps for something else: workers, scripts, demonstrations.
DECOY = re.compile(
    r"(^|/)((\w+[_-])?(scripts?|tools?|bin|benchmarks?|demos?|examples?|samples?)"
    r"([_-]\w+)?)/"
    r"|(^|/)([^/]*celery[^/]*|[^/]*worker|[^/]*workers|tasks|scheduler|cron|locustfile"
    r"|fabfile|noxfile|setup)\.py$"
)
DECOY_NAME = re.compile(
    r"(^_)|(^|_)(tests?|testing|celery|workers?|mock|fake|dummy|cli|tasks?|minimal"
    r"|docs?|examples?|demo)(_|$)"
)

# Tiers of apps, the best first.
BOUND, FACTORY, LITERAL, ENTRY, OBJECT = range(5)


@dataclass
class Candidate:
    """An answer with what is needed to rank it."""

    value: str
    module: Module  # in which it was read
    line: int
    kind: str
    node: ast.AST | None = None  # the expression that makes it, or its definition
    scope: Scope | None = None  # of that expression
    tier: int = OBJECT
    maker: Maker | None = None  # where it is a call of a factory
    filled_by: ast.AST | None = None  # the function that gives a global its value
    where: str = ""  # where it is not the line of the module
    why: str = ""  # another one comes before it

    @property
    def found(self) -> Found:
        where = self.where or f"{self.module.path}:{self.line}"
        return Found(self.value, where, self.why)

    @property
    def name(self) -> str:
        return self.value.partition(":")[2].partition("(")[0]

    @property
    def home(self) -> str:
        """The module that the answer imports."""
        return self.value.partition(":")[0]

    @property
    def is_decoy(self) -> bool:
        last = self.name.rpartition(".")[2]
        return bool(DECOY.search(self.module.path) or DECOY_NAME.search(last))


Rule = tuple[str, Callable[[Candidate], Any]]


def ranked(candidates: Iterable[Candidate], rules: list[Rule]) -> list[Candidate]:
    """The candidates, the best first by the first rule that tells them apart.

    A rule gives a low value to what is good, and says of the others what is worse.
    """
    weighed = [([weight(each) for _, weight in rules], each) for each in candidates]
    weighed.sort(key=lambda pair: pair[0])
    for weights, each in weighed[1:]:
        differing = [
            reason
            for (reason, _), best, own in zip(
                rules, weighed[0][0], weights, strict=True
            )
            if best != own
        ]
        each.why = differing[0] if differing else ""
    return [each for _, each in weighed]


def place(names: list[str], name: str) -> int:
    """The place of a name among the conventional ones, after them if it is none."""
    return names.index(name) if name in names else len(names)


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates without those whose value came before."""
    firsts: dict[str, Candidate] = {}
    for candidate in candidates:
        firsts.setdefault(candidate.value, candidate)
    return list(firsts.values())
