"""alembic.ini: what the old one sets, and the lines of the new one."""

import configparser
import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from .findings import Setting
from .layout import shown

# The options in alembic.ini, besides the place of the scripts.
DATE = "%%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d"
INI = {"path_separator": "os"}
STYLE = {"file_template": f"{DATE}-%%(rev)s_%%(slug)s", "timezone": "UTC"}
# What stock files have, or Alembic itself where an option is not set.
DEFAULTS = {
    "databases": "engine1, engine2",
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


# The old files

OUR_HOOKS = {
    post_write_hooks(names) for count in (1, 2) for names in combinations(HOOKS, count)
}
SECTION = re.compile(r"^\[(.+?)\][^\n]*\n(.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
LOGGING = re.compile(
    r"loggers|handlers|formatters|logger_(root|sqlalchemy|alembic|flask_migrate"
    r"|migration|messages|plugins)|handler_console|formatter_generic|flask_migrate"
)


class Ini:
    """An ini file: its options as Alembic reads them, and its sections as text."""

    def __init__(self, root: str, at: str):
        self.path = f"{at}alembic.ini"
        file = Path(root, self.path)
        data = file.read_bytes() if file.is_file() else b""
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        if at:  # the new file lies at the root
            here = f"%(here)s/{at.strip('/').replace('%', '%%')}"
            text = text.replace("%(here)s", here)
        self.text = text
        self.parser = configparser.RawConfigParser(strict=False, default_section="")
        try:
            self.parser.read_string(text)
        except configparser.Error:
            self.parser.clear()

    def options(self, section: str) -> dict[str, str]:
        """The options of a section that have a value, without a comment behind it."""
        found = dict(self.parser[section]) if section in self.parser else {}
        return {
            name: re.sub(r"\s+#.*", "", text) for name, text in found.items() if text
        }

    def sections(self) -> dict[str, str]:
        """The text of each section, without the comments of the next one."""
        found = SECTION.finditer(self.text)
        return {each[1]: re.sub(r"(\n([#;].*)?)+\Z", "", each[0]) for each in found}

    def where(self, start: str) -> str:
        """The place of the last line that begins like this."""
        pattern = re.compile(re.escape(start) + r"\s*([=:]|$)", re.IGNORECASE)
        lines = enumerate(self.text.splitlines(), 1)
        found = [number for number, line in lines if pattern.match(line)]
        return f"{self.path}:{[1, *found][-1]}"


def in_inis(
    root: str, folder: str, env_py: bytes
) -> tuple[dict[str, str], str, list[Setting]]:
    """The options and sections to carry over, and all that is special.

    Of two files that one counts which is used with env.py: Flask-Migrate's lies beside.
    """
    inis = [Ini(root, at) for at in dict.fromkeys((folder, ""))]
    if b"extensions" not in env_py:
        inis.reverse()
    values: dict[str, str] = {}
    texts: dict[str, str] = {}
    settings = []
    for ini in inis:
        options = ini.options("alembic")
        for name, value in special_options(options, env_py).items():
            is_carried = not re.match(r"sqlalchemy\.|databases$", name)
            is_carried = is_carried and values.setdefault(name, value) == value
            if name in options:
                where = ini.where(name)
                settings.append(Setting(name, shown(value), where, is_carried))
        for name, text in ini.sections().items():
            names = ini.options(name)
            if not names or name == "alembic" or LOGGING.fullmatch(name):
                continue
            is_url = all(key.startswith("sqlalchemy.") for key in names)
            if text in OUR_HOOKS or (is_url and "driver://" in text):
                continue
            is_text = not is_url and not name.startswith("logger_")
            is_carried = is_text and texts.setdefault(name, text) == text
            code = shown(" ".join(text.splitlines()[1:]))
            where = ini.where(f"[{name}]")
            settings.append(Setting(f"[{name}]", code, where, is_carried))
    return values, "\n\n".join(texts.values()), settings


def special_options(options: dict[str, str], env_py: bytes) -> dict[str, str]:
    """The options that no stock file sets, or not so."""
    found = separators(options)
    for name, value in options.items():
        if name == "prepend_sys_path":
            words = re.split(r"[\s,;:]+", value.replace("%(here)s", "."))
            is_stock = all(re.fullmatch(r"[./]*(src/?)?", word) for word in words)
        elif name == "sqlalchemy.url":
            is_stock = "driver://" in value or b"set_main_option" in env_py
        else:
            is_stock = name in ("script_location", "pylons_config_file")
        if not is_stock and value not in (STYLE.get(name), DEFAULTS.get(name)):
            found.setdefault(name, value.replace("\n", "\n    "))
    return found


def separators(options: dict[str, str]) -> dict[str, str]:
    """Several version locations, written so that each Alembic splits them as before.

    The new alembic.ini has `path_separator = os`, where an old one may have nothing.
    """
    if "version_locations" not in options:
        return {}
    given = [options.get(f"{name}path_separator") for name in ("", "version_")]
    separator = given[0] or given[1] or "space"
    values = {"path_separator": separator} if separator != "os" else {}
    if not given[0]:
        values["version_path_separator"] = separator
    if not any(given):
        locations = re.split(r"[,\s]+", options["version_locations"])
        values["version_locations"] = " ".join(filter(None, locations))
    return values


def in_toml(root: str) -> dict[str, Any]:
    """The options in pyproject.toml, which Alembic reads after alembic.ini."""
    from .pins import toml_of  # slow to import, and a new project does not need it

    tool = toml_of(Path(root) / "pyproject.toml").get("tool", {})
    table = tool.get("alembic", {}) if isinstance(tool, dict) else {}
    return table if isinstance(table, dict) else {}
