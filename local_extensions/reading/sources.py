"""Guesses the folders from which the code's imports start, such as `src`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from .modules import module_name

IMPORTED = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(\w+(?:\.\w+)?)", re.MULTILINE)
RELATIVE = re.compile(rb"^[ \t]*from[ \t]+\.", re.MULTILINE)


def guess_source_roots(contents: dict[str, bytes], hot: list[bytes]) -> list[str]:
    """The folders from which the code's own imports may start, the likeliest first.

    For each folder: how many files below it import something that lies in it, against
    how many import it as a package by its own name. `src` needs no import for it, only
    none against it. The root itself follows ("" for it), then a folder with a name that
    no import can name.
    """
    inside: dict[str, set[str]] = {}
    for path in contents:
        for folder in ["", *folders_above(path)]:
            below = path[len(folder) + 1 :] if folder else path
            names = below.removesuffix(".py").split("/")
            inside.setdefault(folder, set()).update([names[0], ".".join(names[:2])])
    imports = {
        path: {name.decode() for name in IMPORTED.findall(data)}
        for path, data in contents.items()
        if any(word in data for word in hot)
    }
    marked = {path.rpartition("/")[0] for path in contents if "__init__.py" in path}
    tops = tops_of(name for names in imports.values() for name in names)
    packages = used_packages(contents, marked, tops)
    score: Counter[str] = Counter()
    for path, imported in imports.items():
        own = imported - inside.get("", set())
        for folder in folders_above(path):
            if folder in packages:
                break
            named = folder.partition("/")[0] in tops_of(imported)
            score[folder] += bool(own & inside[folder]) - named
            score[folder] += folder == "src" and not named and folder not in marked
    ranked = sorted(score, key=lambda name: (-score[name], name.count("/"), name))
    likely = [folder for folder in ranked if score[folder] > 0][:2]
    odd = [folder for folder in ranked if module_name(f"{folder}/x.py", "") is None]
    return [*likely, "", *odd[:1]]


def used_packages(
    contents: dict[str, bytes], marked: set[str], imported: set[str]
) -> set[str]:
    """The folders with `__init__.py` that are packages indeed.

    Some have that file, and are put on `sys.path` all the same: then nothing imports
    them by their name, and no file in them has a relative import.
    """
    relative = {
        path.rpartition("/")[0]
        for path, data in contents.items()
        if b"from ." in data and RELATIVE.search(data)
    }
    return {
        folder
        for folder in marked
        if folder in relative or folder.rpartition("/")[2] in imported
    }


def tops_of(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def folders_above(path: str) -> list[str]:
    """The folders above a path, up to three levels below the root."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(min(len(parts), 3))]
