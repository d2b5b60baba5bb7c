"""Takes over an environment of Flask-Migrate, Flask-Alembic or `alembic init`.

Nothing is imported or run. `keywords` reads what the old env.py gives to Alembic, `ini`
what alembic.ini sets; `copying` brings along the code that a value needs. All that
remains and that no stock env.py has is listed by `leftover`, for its owner to look at.
"""

from __future__ import annotations

import ast
import os
import warnings

from ..carried import copied_code, copied_imports
from ..finding import find
from ..finding.directory import revisions_in
from ..findings import Findings, Setting, TakeOver
from ..ini import in_inis, in_toml
from ..layout import shown
from ..reading.files import read
from .copying import Needed, collect
from .keywords import given_to_alembic, given_to_extension
from .leftover import is_extension, is_special, leftover
from .source import Given, Source


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
        settings = [
            Setting(each.name, shown(each.code), each.where, each.name in configure)
            for each in given
        ]
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
    more: Needed = {}
    if given.depends:
        return ""
    if not given.literal and not collect(given.source, given.node, more):
        return ""
    needed.update(more)
    return given.code
