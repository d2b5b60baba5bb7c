"""What is said of a project: its code, and the environment that is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # slow to import, and a new project does not need it
    from .finding.tree import Tree
    from .reading.modules import Module


class Found(NamedTuple):
    """An answer, and where it was read: `shop/__init__.py:12`."""

    value: str
    where: str
    why: str = ""  # another one was taken


@dataclass(frozen=True)
class Findings:
    """All that was found in a tree; candidates are in order, the best first."""

    app: tuple[Found, ...] = ()
    db: tuple[Found, ...] = ()
    metadata: tuple[Found, ...] = ()
    models: tuple[str, ...] = ()
    directory: str | None = None
    source_root: str = ""
    is_flask: bool = False
    db_kind: str = ""  # of the first one: "db", "lite", "engine"; "" if not known
    db_is_early: bool = False  # importing the module of the first app imports it
    left_out: tuple[Found, ...] = ()  # modules with models
    needing: tuple[Found, ...] = ()  # factories that nothing shows how to call
    broken: tuple[str, ...] = ()  # files that look like the app, and can't be parsed
    imported: frozenset[str] = frozenset()  # the modules that env.py will import
    tree: Tree | None = field(default=None, compare=False, repr=False)

    @property
    def modules(self) -> list[Module]:
        return self.tree.modules if self.tree is not None else []


class Setting(NamedTuple):
    """Something special in the old environment."""

    name: str  # "include_schemas", or "" for a statement
    code: str  # its value as Python source, or the text in the ini
    where: str  # "migrations/env.py:48"
    carried: bool = False


@dataclass(frozen=True)
class TakeOver:
    """What is carried over to the new environment, and all that was special."""

    configure: dict[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()  # which the values in `configure` need
    code: str = ""  # which they need, too
    ini: dict[str, str] = field(default_factory=dict)
    sections: str = ""
    toml: tuple[str, ...] = ()  # options that pyproject.toml has
    settings: tuple[Setting, ...] = ()
    broken: str = ""  # the path of env.py, if it can't be parsed
    keeps_style: bool = field(default=False, compare=False)  # of file names and dates
