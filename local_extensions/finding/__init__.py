"""Finds what Alembic needs to know of a Flask application by reading its code.

`find(root)` answers: where the app is, where its db, which modules hold models. The
code is parsed, never imported. Of several apps that one is the best

1. which FLASK_APP or `flask --app` names in .flaskenv, .env, then Procfile, Dockerfile
   or compose file, then elsewhere, the README last: migrations ran with it before
   (named.py);
2. which a server's command names (gunicorn, uwsgi, waitress). Where that is only the
   result of calling a factory, the factory: importing wsgi.py may start things;
3. which comes first by the rules in ranking.py.

Which db: the one that the app imports, then the one that most models hang on, then the
other rules in ranking.py. Engines count only where there is no SQLAlchemy object.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ..findings import Findings
from ..reading.files import Files, read_all, walk
from ..reading.modules import is_below
from ..reading.sources import guess_source_roots
from .calls import given_to_flask_group
from .candidates import DATABASES, Candidate, distinct
from .directory import directory, environment_of, is_revision, revision_folders
from .metadata import metadata_of, of_environment, old_environment
from .named import Named
from .ranking import bound_apps, rank_apps, rank_dbs
from .tree import Tree
from .unreached import reached_by, unreached

# A file with none of these words has no part in the guess of the source root.
HOT = b"flask Flask SQLAlchemy sqlalchemy sqlmodel connexion .Model _app app".split()


def find(root: str | os.PathLike[str]) -> Findings:
    """Read the code below a folder and say what an environment for it needs."""
    root = os.fspath(root)
    files = walk(root)
    with warnings.catch_warnings(), collection_paused():
        warnings.simplefilter("ignore")  # of the user's code, such as "\d"
        findings = find_in(root, files, files.python)
        if not (findings.app or findings.db or findings.is_flask) and files.spare:
            findings = find_in(root, files, files.spare)
    return findings


@contextmanager
def collection_paused() -> Iterator[None]:
    """No garbage collection: it would walk over all syntax trees, again and again.

    It leaves them out afterwards, too: they are needed until the end.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def find_in(root: str, files: Files, python: list[str]) -> Findings:
    """Find in these files, first with the source root that their imports speak for."""
    contents = read_all(root, python)
    revisions = [path for path, data in contents.items() if is_revision(data)]
    contents = {path: contents[path] for path in contents.keys() - revisions}
    flat = Findings()
    for source_root in guess_source_roots(contents, HOT):
        tree = Tree(root, files, contents, source_root)
        findings, chosen = findings_of(tree, revisions)
        if any(is_below(path, source_root) for path in chosen):
            return findings
        flat = flat if source_root else findings
    return flat


def findings_of(tree: Tree, revisions: list[str]) -> tuple[Findings, list[str]]:
    """All that was found in a tree, and the files of the first app and db."""
    bound = bound_apps(tree)
    folders = revision_folders(revisions)
    folder = directory(tree, [environment_of(name) for name in folders])
    old = old_environment(tree, folder)
    given = of_environment(tree, old)
    dbs = rank_dbs(tree, None, given)
    best = rank_apps(tree, dbs[0] if dbs else None, bound)
    named = [*Named(tree, bound).all(), *given_to_flask_group(tree)]
    apps = distinct([*named, *best])
    dbs = rank_dbs(tree, apps[0] if apps else None, given)
    db = tuple(candidate.found for candidate in dbs) or tree.roots.outside(given)
    metadata = metadata_of(tree, dbs, db, given)
    folders = [*folders, f"{folder}/versions"]
    answers = (*db[:1], *metadata[:1])
    reached = reached_by(tree, apps[:1], answers)
    models, left_out = unreached(tree, reached, answers, old, folders)
    findings = Findings(
        app=tuple(candidate.found for candidate in apps),
        db=db,
        metadata=metadata,
        models=models,
        directory=folder,
        source_root=tree.source_root,
        is_flask=bool(apps or tree.makers or tree.objects)
        or any(candidate.kind in DATABASES for candidate in dbs),
        db_kind=dbs[0].kind if dbs else "",
        db_is_early=bool(apps and dbs) and is_early(tree, apps[0], dbs[0]),
        left_out=left_out,
        needing=tuple(tree.makers[node].found for node in tree.makers if not apps),
        broken=tuple(module.path for module in tree.examined if module.is_broken),
        imported=frozenset([*reached, *models]),
        tree=tree,
    )
    chosen = [*apps[:1], *dbs[:1]]
    homes = [tree.code.modules.get(each.home, each.module) for each in chosen]
    return findings, [home.path for home in homes]


def is_early(tree: Tree, app: Candidate, db: Candidate) -> bool:
    """Whether the db is there once the module of the app is imported."""
    module, _, name = db.value.partition(":")
    home = tree.code.modules.get(module)
    meanings = home.scope.names.get(name, []) if home is not None else []
    values = [meaning for meaning in meanings if meaning.kind == "value"]
    # A function that binds the name again makes the db, as in `global db`.
    is_made = bool(values) and not any(meaning.late for meaning in values)
    return is_made and module in tree.reach.of(app.home, None)
