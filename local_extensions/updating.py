"""What is different when cruft renders the files: a later version, in empty folders."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import project


def is_by_cruft(answers: dict[str, str]) -> bool:
    """Whether cruft renders the files. That shows when the questions are answered."""
    return "_commit" in answers


def stored(answers: dict[str, str]) -> dict[str, str]:
    """The answers in the project's .cruft.json, by which cruft brings a later version.

    It renders the old version and the new one in empty folders, and merges what differs.
    It hands over the answers that can be given, but not what was found in the project's
    folder. That is taken from here, so that the old version is rendered as it was.
    """
    for place in (project.started_in, project.folder(answers)):
        try:
            text = (place / ".cruft.json").read_text(encoding="utf-8")
            context = json.loads(text)["context"]["cookiecutter"]
            if context["project"] == answers["project"]:
                return context
        except (OSError, ValueError, KeyError, TypeError):
            continue  # none, or one of another template
    return {}


def as_stored(name: str, find: Callable[[Any], str]) -> Callable[[Any], str]:
    """A filter that takes an answer from .cruft.json, and finds it if it is not there."""

    def answer(answers):
        context = stored(answers)
        return context[name] if name in context else find(answers)

    return answer


def forget_this_version() -> None:
    """Let cruft, which renders two versions in one process, import the other one's code."""
    from shutil import rmtree  # slow to import, and only cruft needs it

    package = __name__.partition(".")[0]
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            del sys.modules[name]
    for cache in Path(__file__).parent.rglob("__pycache__"):
        rmtree(cache, ignore_errors=True)
