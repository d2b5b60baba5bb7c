"""For env_autogenerate.py: formats a new revision as the rest of the project is.

That is by ruff (its fixes, too) or black, where the project has settings for it and it is
installed, and where alembic.ini has no `[post_write_hooks]` of its own.
"""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from alembic import context
from alembic.script import write_hooks

log = logging.getLogger("alembic.env")
QUIET = ["--quiet", "--force-exclude"]
# `sa` stays, even if it is not used: whoever edits the revision may want it.
COMMANDS = {
    "ruff": [["check", "--fix-only", "--ignore=F401", *QUIET], ["format", *QUIET]],
    "black": [["--quiet"]],
}


def format_as_project():
    script = context.script
    if context.config.get_section("post_write_hooks") or not formatter_of(script.dir):
        return
    write_hooks.register("as_project")(run_formatter)
    # Not documented: the dict `hook_config`, since Alembic 1.16 the list `hooks` (1.20).
    if hasattr(script, "hooks"):
        script.hooks = [{"_hook_name": "as_project", "type": "as_project"}]
    else:
        script.hook_config = {"hooks": "as_project", "as_project.type": "as_project"}


def formatter_of(path):
    """The name of the formatter that the nearest settings above `path` are for, or None."""
    for folder in Path(path).resolve().parents:
        if (folder / "ruff.toml").is_file() or (folder / ".ruff.toml").is_file():
            return "ruff"
        pyproject = folder / "pyproject.toml"
        text = pyproject.read_text(encoding="utf-8") if pyproject.is_file() else ""
        for name in COMMANDS:
            if f"\n[tool.{name}" in f"\n{text}":
                return name
        if (folder / ".git").exists():  # what is above is not this project
            return None
    return None


def run_formatter(path, options):
    name = formatter_of(path)
    beside = os.pathsep.join(
        [os.path.dirname(sys.executable), os.environ.get("PATH", "")]
    )
    program = shutil.which(name, path=beside)
    if program is None:
        log.info("Not formatted: %s is not installed here", name)
        return
    for arguments in COMMANDS[name]:
        done = subprocess.run(
            [program, *arguments, path], capture_output=True, check=False, text=True
        )
        if done.returncode:
            log.warning("%s could not format it: %s", name, done.stderr.strip())
