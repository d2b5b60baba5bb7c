"""For the files beside it: options, given as `alembic -x name=value ...`.

Code that calls Alembic gives them in `config.attributes`.
"""

from alembic import context
from alembic.util import CommandError


def option(name, default=None):
    """The value of an option, as it was given."""
    for argument in context.get_x_argument():
        key, _, value = argument.partition("=")
        if key == name:
            return value
    return context.config.attributes.get(name, default)


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


def merged(*parts):
    """Options for `context.configure`: the later ones win, and callbacks are all kept."""
    result = {}
    for part in parts:
        callbacks = [result.get("on_version_apply"), part.get("on_version_apply")]
        result.update(part)
        if any(callbacks):
            given = [
                item if isinstance(item, (list, tuple)) else [item]
                for item in callbacks
            ]
            result["on_version_apply"] = [
                each for item in given for each in item if each
            ]
    return result
