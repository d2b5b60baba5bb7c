"""For the files beside it: options, given as `alembic -x name=value ...`.

Code that calls Alembic gives them in `config.attributes`.
"""

import sys
from difflib import get_close_matches
from functools import cache

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


def refuse_misspelt():
    """Stop at an option that is nearly one of ours; any other is the owner's own."""
    for argument in context.get_x_argument():
        name = argument.partition("=")[0]
        meant = get_close_matches(name.replace("_", "-"), NAMES, n=1, cutoff=0.84)
        if meant and name not in NAMES:
            raise CommandError(f"-x {argument}: did you mean -x {meant[0]}?")


def option(name, default=None):
    """The value of an option, as it was given."""
    values = options(name)
    return values[0] if values else context.config.attributes.get(name, default)


def options(name):
    """The values of an option that may be given several times."""
    pairs = [argument.partition("=") for argument in context.get_x_argument()]
    values = [value for key, _, value in pairs if key == name]
    more = context.config.attributes.get(name, [])
    return values or (more if isinstance(more, list) else [more])


def seconds(name, default):
    """An option that is a number of seconds.

    :raises CommandError: where it is not.
    """
    value = option(name, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < float("inf"):
        raise CommandError(f"-x {name}={value}: give a number of seconds")
    return number


def flag(name):
    """Whether an option is given that has no value, such as `-x allow-drops`."""
    return option(name) not in (None, False)


@cache
def answers(name):
    """The options of the form `-x name=key:value`, as a dict.

    :raises CommandError: where one has another form.
    """
    pairs = [(text, text.partition(":")) for text in options(name)]
    for text, (key, _, value) in pairs:
        if not key or not value:
            raise CommandError(f"-x {name}={text}: write -x {name}=WHAT:VALUE")
    return {key: value for _, (key, _, value) in pairs}


USED = set()  # the names and keys of answers to something that was asked


def refuse_unused(*names):
    """Stop where an answer is to no question: it may be mistyped."""
    for name in names:
        for key, value in answers(name).items():
            if (name, key) not in USED:
                raise CommandError(
                    f"-x {name}={key}:{value}: autogenerate sees nothing that this is for"
                )


def ask(question, answers):
    """Ask the person at the terminal, until there is an answer.

    :param answers: a dict with what each answer means, or a function that tells it and
        raises ValueError with a text for what can't be one.
    :returns: None where nobody can be asked.
    """
    if not context.config.cmd_opts or not sys.stdin.isatty() or not sys.stdout.isatty():
        return None
    while True:
        try:
            text = input(f"{question} ").strip()
        except (EOFError, KeyboardInterrupt):
            raise CommandError("No answer: nothing is written") from None
        try:
            return answers[text.lower()] if isinstance(answers, dict) else answers(text)
        except KeyError:
            print("Answer with one of", ", ".join(filter(None, answers)))
        except ValueError as error:
            print(error)


def merged(*parts):
    """Options for `context.configure`: the later ones win, and callbacks are all kept."""
    result = {}
    for part in parts:
        for name, value in part.items():
            if name in TOGETHER and result.get(name) and value:
                value = TOGETHER[name](result[name], value)
            elif name in TOGETHER and value is None:
                continue
            result[name] = value
    return result


def in_turn(*callbacks):
    return lambda *args, **kwargs: [callback(*args, **kwargs) for callback in callbacks]


def all_agree(*callbacks):
    return lambda *args: all(callback(*args) for callback in callbacks)


def first_that_does(*callbacks):
    """One `render_item`, where False means that it is left to the next."""

    def render(*args):
        for callback in callbacks:
            text = callback(*args)
            if text is not False:
                return text
        return False

    return render


TOGETHER = {
    "include_name": all_agree,
    "include_object": all_agree,
    "on_version_apply": lambda one, more: [*in_list(one), *in_list(more)],
    "process_revision_directives": in_turn,
    "render_item": first_that_does,
}


def in_list(value):
    return value if isinstance(value, (list, tuple)) else [value]
