"""Takes over an environment of Flask-Migrate, Flask-Alembic or `alembic init`.

Nothing is imported or run. `keywords` reads what the old env.py gives to Alembic, `ini`
what alembic.ini sets; `copying` brings along the code that a value needs. All that
remains and that no stock env.py has is listed by `leftover`, for its owner to look at.
"""

from __future__ import annotations

import ast
import os
import warnings
from dataclasses import dataclass, field

from ..carried import copied_code, copied_imports
from ..finding import find
from ..finding.directory import revisions_in
from ..findings import Findings, Setting
from ..ini import in_inis, in_toml
from ..layout import shown
from ..reading.files import read
from .copying import Needed, collect
from .keywords import given_to_alembic, given_to_extension
from .leftover import is_extension, is_special, leftover
from .source import Given, Source


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


def take_over(
    root: str | os.PathLike[str], directory: str, findings: Findings | None = None
) -> TakeOver:
    """Read the environment in a folder, and what the application gives to it."""
    root = os.fspath(root)
    directory = os.path.normpath(directory).replace(os.sep, "/")
    folder = "" if directory == "." else f"{directory}/"
    findings = findings or find(root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's code, such as "\d"
        env = Source(f"{folder}env.py", read(os.path.join(root, folder, "env.py")))
        migrate = given_to_extension(findings, directory)
        options = given_to_alembic(env, migrate).values()
        given = [each for each in options if is_special(each, env, findings)]
        needed: Needed = {}
        configure = {each.name: code for each in given if (code := carry(each, needed))}
        settings = [setting_of(each, each.name in configure) for each in given]
        extensions = []
        for stmt in leftover(env, findings):
            code = ast.unparse(stmt)
            if is_extension(stmt, env):
                extensions.append(f"{code}  # noqa: F401")
            elif stmt not in needed:
                settings.append(Setting("", shown(code), env.where(stmt)))
        settings.sort(key=lambda each: int(each.where.rpartition(":")[2]))
        settings.sort(key=lambda each: each.where.startswith(env.path))
        ini, sections, more = in_inis(root, folder, env.data)
        history = revisions_in(root, directory)
        if history and history != f"{directory}/versions":  # Flask-Alembic's
            ini.setdefault("version_locations", f"%(here)s/{history}")
    return TakeOver(
        configure=configure,
        imports=(*copied_imports(needed), *extensions),
        code=copied_code(needed),
        ini=ini,
        sections=sections,
        toml=tuple(in_toml(root)),
        settings=tuple(dict.fromkeys([*settings, *more])),
        broken=env.path if env.is_broken else "",
        keeps_style=bool(history or "version_locations" in ini) and not env.is_ours,
    )


def carry(given: Given, needed: Needed) -> str:
    """The code of an option that can be carried over, with what it needs."""
    if given.depends:
        return ""
    more: Needed = {}
    if not given.literal:
        if not collect(given.source, given.node, more):
            return ""
        needed.update(more)
    return given.code


def setting_of(given: Given, is_carried: bool) -> Setting:
    where = given.source.where(given.node)
    return Setting(given.name, shown(given.code), where, is_carried)
