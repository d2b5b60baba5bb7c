"""The lines of alembic.ini."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

# The options in alembic.ini, besides the place of the scripts.
DATE = "%%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d"
INI = {"path_separator": "os"}
STYLE = {"file_template": f"{DATE}-%%(rev)s_%%(slug)s", "timezone": "UTC"}
# What Alembic itself has where an option is not set.
DEFAULTS = {
    "output_encoding": "utf-8",
    "path_separator": "os",
    "recursive_version_locations": "false",
    "revision_environment": "false",
    "sourceless": "false",
    "truncate_slug_length": "40",
    "version_path_separator": "os",
}
# The hooks that a new revision is given to, by what the project depends on.
HOOKS = {
    "ruff": """\
ruff_fix.type = module
ruff_fix.module = ruff
ruff_fix.options = check --fix-only --ignore F401 REVISION_SCRIPT_FILENAME
ruff_format.type = module
ruff_format.module = ruff
ruff_format.options = format REVISION_SCRIPT_FILENAME""",
    "black": """\
black.type = module
black.module = black
black.options = REVISION_SCRIPT_FILENAME""",
    "alembic-linear-migrations": """\
# Two Git branches that each add a revision conflict in head.txt.
alembic_linear.type = console_scripts
alembic_linear.entrypoint = alembic-linear-update""",
}


def post_write_hooks(libraries: Iterable[str]) -> str:
    """The section of alembic.ini that hands a new revision to these libraries."""
    texts = [HOOKS[name] for name in libraries]
    if not texts:
        return ""
    names = re.findall(r"^(\w+)\.type", "\n".join(texts), re.MULTILINE)
    return "\n".join(["[post_write_hooks]", f"hooks = {', '.join(names)}", *texts])


def lines(directory: str, source: str, old: Mapping[str, Any]) -> str:
    """The options in [alembic]: ours, and those that are taken over.

    What pyproject.toml has is left to it. A history of another tool keeps its style of
    file names and dates, which are Alembic's own where it has set none.

    :param old: what is taken over.
    """
    directory, source = directory.replace("%", "%%"), source.replace("%", "%%")
    options = {
        "script_location": f"%(here)s/{directory}",
        # For revisions that import the app's modules: some commands don't run env.py.
        "prepend_sys_path": f"%(here)s/{source}" if source else "%(here)s",
        **INI,
        **({} if old.get("keeps_style") or old.get("toml") else STYLE),
        **old.get("ini", {}),
    }
    own = {
        name: value
        for name, value in options.items()
        if name not in old.get("toml", ())
    }
    return "\n".join(f"{name} = {value}" for name, value in own.items())


def sections(libraries: Iterable[str], old: Mapping[str, Any]) -> str:
    """The sections after those for logging: what is taken over, and hooks."""
    text = old.get("sections", "")
    if "[post_write_hooks]" in text or "post_write_hooks" in old.get("toml", ()):
        return text
    return "\n\n".join(filter(None, [text, post_write_hooks(libraries)]))
