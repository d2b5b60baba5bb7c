"""Options of the helpers, and questions at the terminal.

Options are given as `alembic -x name=value ...`. Code that calls Alembic sets
`config.attributes[name]` instead; a list stands for an option that is repeated.
"""

import math
import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from alembic import context
from alembic.util import CommandError

NAMES = (
    "allow-drops",
    "allow-tables",
    "bind",
    "default",
    "lock",
    "lock-timeout",
    "lock-wait",
    "rename",
)


def running_function() -> Any:
    """Return the function of the command, such as `upgrade.<locals>.upgrade`."""
    # Alembic has no public name for it (1.18 to 1.20).
    return context._proxy.context_opts["fn"]  # type: ignore[attr-defined]


def refuse_misspelled() -> None:
    """Stop at an option that is nearly one of ours; others may be the owner's."""
    for argument in context.get_x_argument():
        name = argument.partition("=")[0]
        close = get_close_matches(name.replace("_", "-"), NAMES, n=1, cutoff=0.84)
        if close and name not in NAMES:
            raise CommandError(f"-x {argument}: did you mean -x {close[0]}?")


def values_of(name: str) -> list[str]:
    """Return all values of an option; one without a value gives an empty string."""
    arguments = [text.partition("=") for text in context.get_x_argument()]
    values = [value for key, _, value in arguments if key == name]
    given = context.config.attributes.get(name, [])
    if not isinstance(given, list):
        given = [given]
    return values or [str(value) for value in given]


def value_of(name: str, default: str = "") -> str:
    """Return the first value of an option."""
    values = values_of(name)
    return values[0] if values else default


def is_on(name: str) -> bool:
    """Return whether an option without a value is given, such as `-x allow-drops`."""
    return value_of(name, "False") != "False"


def seconds_of(name: str, default: float) -> float:
    """Return an option that is a number of seconds, at least 0.

    :raises CommandError: if it is not a number.
    """
    text = value_of(name, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if seconds < 0 or not math.isfinite(seconds):
        raise CommandError(f"-x {name}={text}: give a number of seconds")
    return seconds


def pairs_of(name: str) -> dict[str, str]:
    """Return the options of the form `-x name=what:value` as a dict.

    :raises CommandError: if one has another form.
    """
    pairs = {}
    for text in values_of(name):
        key, _, value = text.partition(":")
        if not key or not value:
            raise CommandError(f"-x {name}={text}: write -x {name}=WHAT:VALUE")
        pairs[key] = value
    return pairs


def ask(question: str, read: Callable[[str], str]) -> str:
    """Ask a person at the terminal, until `read` accepts the answer.

    :param read: returns the value of an answer, or raises ValueError with the reason.
    :returns: an empty string if the answer is empty or if there is nobody to ask.
    :raises CommandError: if the person gives up with Ctrl-C or Ctrl-D.
    """
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not context.config.cmd_opts or not is_terminal:
        return ""
    while True:
        try:
            text = input(f"{question} ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            raise CommandError("No answer. Nothing was written") from None
        if not text:
            return ""
        try:
            return read(text)
        except ValueError as error:
            print(error)
