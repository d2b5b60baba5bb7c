"""Options of the helpers, and questions at the terminal.

Options are given as `alembic -x name=value ...`. Code that calls Alembic sets
`config.attributes[name]` instead; a list stands for an option that is repeated.
"""

import sys
from collections.abc import Callable
from difflib import get_close_matches

from alembic import context
from alembic.util import CommandError

NAMES = (
    "allow-drops",
    "allow-tables",
    "baseline",
    "bind",
    "default",
    "lock",
    "lock-timeout",
    "lock-wait",
    "rename",
)


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
    given = context.config.attributes.get(name, [])
    values = [value for key, _, value in arguments if key == name]
    return values or [str(each) for each in (given if type(given) is list else [given])]


def value_of(name: str, default: str = "") -> str:
    """Return the first value of an option."""
    return (values_of(name) or [default])[0]


def is_on(name: str, default: str = "off") -> bool:
    """Return whether a switch is on, such as `-x allow-drops` or `-x lock=off`."""
    value = value_of(name, default)
    if value not in ("", "on", "off", "True", "False"):
        raise CommandError(f"-x {name}={value}: write on or off")
    return value not in ("off", "False")


def seconds_of(name: str, default: float) -> float:
    """Return an option that is a number of seconds, at least 0."""
    text = value_of(name, str(default))
    if not text.replace(".", "", 1).isdecimal():
        raise CommandError(f"-x {name}={text}: give a number of seconds")
    return float(text)


def pairs_of(name: str) -> dict[str, str]:
    """Return the options of the form `-x name=what:value` as a dict."""
    pairs = [text.partition(":") for text in values_of(name)]
    if not all(key and value for key, _, value in pairs):
        raise CommandError(f"-x {name}=...: write -x {name}=WHAT:VALUE")
    return {key: value for key, _, value in pairs}


def ask(question: str, read: Callable[[str], object]) -> str | None:
    """Ask a person at the terminal, until `read` accepts the answer.

    :param read: raises ValueError with the reason why an answer is wrong.
    :returns: the answer; it is empty after Enter, and None if there is nobody to ask.
    :raises CommandError: if the person gives up with Ctrl-C or Ctrl-D.
    """
    if not (context.config.cmd_opts and sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    while True:
        try:
            answer = input(f"{question} ").strip()
            if answer:
                read(answer)
            return answer
        except ValueError as error:
            print(error)
        except (EOFError, KeyboardInterrupt):
            print()
            raise CommandError("No answer. Nothing was written") from None
