"""What settings name: FLASK_APP, `flask --app`, the command of a server."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import replace

from ..reading.files import read
from ..reading.modules import Module
from ..reading.syntax import dotted, first, literals
from .candidates import Candidate
from .ranking import Bound, starts
from .tree import Tree

VALUE = r"""(?:"([^"\n]+)"|'([^'\n]+)'|([\w./\\:-]+(?:\([^)\n]*\))?))"""
FLASK_APP = re.compile(
    r"""FLASK_APP["']?\]?(?:[ \t]*[=:][ \t]*|[ \t]+)(?:\$\{\w+:?-)?""" + VALUE
)
FLASK_OPTION = re.compile(r"\bflask\b[^\n|;&]*?[\s\"'](?:--app|-A)[ =]\"?" + VALUE)
SERVER = re.compile(
    r"\b(gunicorn|uwsgi|waitress-serve|hypercorn|uvicorn|mod_wsgi)\b"
    r"|^\s*(module|wsgi-file|wsgi)\s*="
)
SERVED = re.compile(
    r"""(?<![\w./:-])([A-Za-z_/][\w./]*)(?::([A-Za-z_][\w.]*(?:\([^)\n]*\))?))?"""
    r"""(?=["'\s\],]|$)"""
)


class Named:
    """Reads the apps that the settings of a tree name."""

    def __init__(self, tree: Tree, bound: Bound):
        self.tree = tree
        self.bound = bound  # the objects to which code binds a db
        self.by_path = {module.path: module for module in tree.modules}

    def all(self) -> list[Candidate]:
        """The apps that FLASK_APP, `flask --app` or a server's command names."""
        found = []
        for path in self.tree.files.settings:
            folder, _, name = path.rpartition("/")
            readme = name.startswith("README")
            whole = read(os.path.join(self.tree.root, path)).decode(errors="replace")
            for line, text in joined_lines(whole):
                if text.lstrip().startswith("#") and not readme:
                    continue
                app, server = self.named_in(text, folder), False
                if app is None and not readme:
                    app, server = self.served_in(text, folder), True
                if app is not None:
                    order = (setting_order(name, server), path.count("/"), path, line)
                    found.append((order, replace(app, where=f"{path}:{line}")))
        found.sort(key=lambda pair: pair[0])
        return [app for _, app in found]

    def named_in(self, text: str, folder: str) -> Candidate | None:
        """The app that a line names for the flask command."""
        for match in [*FLASK_APP.finditer(text), *FLASK_OPTION.finditer(text)]:
            value = first(match.groups(""))
            path, *attribute = re.split(r":(?![\\/])", value.strip(), maxsplit=1)
            module = self.module_at(path, folder)
            if module is None:
                continue
            if attribute:
                app = self.attribute(module, attribute[0], trusted=True)
            else:
                app = self.only_app(module)
            if app is not None:
                return self.underlying(app) if starts(self.tree, app) else app
        return None

    def served_in(self, text: str, folder: str) -> Candidate | None:
        """The app that a server's command names in a line."""
        if not SERVER.search(text):
            return None
        chdir = re.search(r"--chdir[= ](\S+)", text)
        folder = os.path.join(folder, chdir[1]) if chdir else folder
        for match in sorted(SERVED.finditer(text), key=lambda match: not match[2]):
            module = self.module_at(match[1], folder)
            for name in [match[2]] if match[2] else ["application", "app"]:
                app = self.attribute(module, name) if module else None
                if app is not None:
                    tied = self.bound.get(app.value) and not starts(self.tree, app)
                    return app if tied else self.underlying(app)
        return None

    def module_at(self, name: str, folder: str) -> Module | None:
        """The module that FLASK_APP or a server means by a path or a dotted name."""
        name = name.replace("\\", "/").rstrip("/")
        names = [name] if name.endswith(".py") else [name, name.replace(".", "/")]
        if name.startswith("/"):  # in a container: /app/wsgi.py
            parts = name.strip("/").split("/")
            names = ["/".join(parts[start:]) for start in range(len(parts))]
        for base in (folder, "", self.tree.source_root):
            for name in names:
                path = os.path.normpath(os.path.join(base, name)).replace(os.sep, "/")
                for end in ("", ".py", "/__init__.py"):
                    if path + end in self.by_path:
                        return self.by_path[path + end]
        end = f"/{names[-1].removesuffix('.py')}.py"
        same = [module for module in self.tree.modules if module.path.endswith(end)]
        return same[0] if len(same) == 1 else None

    def attribute(
        self, module: Module, text: str, trusted: bool = False
    ) -> Candidate | None:
        """The app that `name`, `name()` or `name('x')` is in a module.

        What the flask command is given is trusted to be an app, if it is there.
        """
        node = parse_expression(text)
        call = node if isinstance(node, ast.Call) else None
        name = dotted(call.func if call else node)
        given = literals(call) if call else ""
        if not name or given is None:
            return None
        value = f"{module.name}:{name}"
        for end in self.tree.code.follow(module.scope, name):
            if end.name is not None and end.name.late:
                continue  # made only when a function is called
            maker = self.tree.maker_at(end)
            kind = "connexion" if call else self.tree.kinds.of_end(end)
            if maker is not None:
                if maker.needs_arguments and not given:
                    continue
                end_value = f"{value}({given})"
            elif call or kind not in ("flask", "connexion"):
                if not trusted or end.rest or (end.scope and end.name is None):
                    continue
                end_value = f"{value}({given})" if call else value
            else:
                end_value = f"{value}.app" if kind == "connexion" else value
            made_by = end.name.node if end.name else None
            app = Candidate(end_value, module, 1, "flask", made_by, end.scope)
            app.maker = maker
            return app
        lazy = [app for app in self.tree.objects if app.value == value]
        return lazy[0] if lazy else None

    def only_app(self, module: Module) -> Candidate | None:
        """The app that the flask command finds in a module that it is given."""
        objects = {app.name: app for app in self.tree.objects if app.module is module}
        for name in module.scope.names:
            app = self.attribute(module, name)
            if app is not None and app.maker is None:
                objects[name] = app
        for name in ("app", "application"):
            if name in objects:
                return objects[name]
        if len(objects) == 1:
            return next(iter(objects.values()))
        for name in ("create_app", "make_app"):
            app = self.attribute(module, name)
            if app is not None:
                return app
        for name in ("app", "application"):
            for meaning in module.scope.names.get(name, ()):
                if meaning.kind in ("value", "import"):
                    return self.attribute(module, name, trusted=True)
        return None

    def underlying(self, app: Candidate) -> Candidate:
        """The same app from where it is made, where an entry file only imports it or
        has it from a factory."""
        if app.maker is not None or app.scope is None:
            return app
        if isinstance(app.node, ast.Call):
            given = literals(app.node)
            for end in self.tree.code.follow(app.scope, dotted(app.node.func)):
                maker = self.tree.maker_at(end)
                if maker and given is not None and (given or not maker.needs_arguments):
                    module = maker.scope.module
                    value = f"{maker.value}({given})"
                    return replace(app, value=value, module=module, maker=maker)
        if app.scope.module is not app.module and app.scope.parent is None:
            for candidate in self.tree.objects:
                if candidate.node is app.node:
                    return candidate
        return app


def joined_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers; those that end in \\ with the next."""
    begun, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if begun else number
        line = re.sub(r"""["']\s*,\s*["']""", " ", begun + line)  # ["flask", "run"]
        if line.endswith("\\") and len(line) < 10_000:
            begun = line[:-1] + " "
            continue
        begun = ""
        yield start, line[:10_000]


def setting_order(name: str, server: bool) -> tuple[int, int]:
    """How strong it is that a file of settings names an app, the strongest first."""
    lower = name.lower()
    if name.startswith("README"):
        return 2, 0
    order = 4
    if name == ".flaskenv":
        order = 0
    elif name == ".env":
        order = 1
    elif ".env" in name:
        order = 2
    elif re.search("procfile|dockerfile|compose", lower):
        order = 3
    return int(server), order


def parse_expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
