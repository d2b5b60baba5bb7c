"""Cookiecutter's local extension: fills in and checks the answers, in its own process.

https://cookiecutter.readthedocs.io/en/stable/advanced/local_extensions.html
"""

import json
import re

from cookiecutter.exceptions import FailedHookException
from jinja2.ext import Extension

from . import answers as rules
from . import carried as old
from . import imports, ini, project, updating
from .project import TEMPLATE, folder, found, is_empty

CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache"}


class FlaskAlembicEnv(Extension):
    """The filters of the template. Each is called with the dict of answers so far."""

    def __init__(self, environment):
        super().__init__(environment)
        project.remember_where_started()
        stored = updating.as_stored
        environment.filters.update(
            project_default=project_default,
            app_default=app_default,
            db_default=db_default,
            metadata_default=metadata_default,
            models_default=models_default,
            directory_default=directory_default,
            check_answers=check_answers,
            starter=stored("__starter", starter),
            source=stored("__source", source),
            settle=settle,
            is_by_cruft=updating.is_by_cruft,
            environment_files=environment_files,
            carried=stored("__carried", carried),
            formatter=stored("__formatter", formatter_default),
            ini_lines=ini_lines,
            ini_sections=ini_sections,
            carried_settings=carried_settings,
            summary=summary,
            literal=lambda value: ascii(json.loads(json.dumps(value))),
            example_url=example_url,
            import_lines=imports.import_lines,
            db_facts=stored("__db", db_facts),
            path_lines=lambda answers: imports.path_lines(
                answers["directory"], answers["__source"]
            ),
        )


# The defaults of the answers. In a folder with files, what is not found is left empty,
# and refused: a guess would be taken for something that was found.


def project_default(answers):
    return "." if found({"project": "."}).is_flask else "flask-app"


def app_default(answers):
    return first(answers, "app")


def db_default(answers):
    return first(answers, "db")


def metadata_default(answers):
    findings = found(answers)
    is_missing = findings.db_kind in ("lite", "engine") and not findings.metadata
    return "" if is_missing else first(answers, "metadata") or "db.metadata"


def models_default(answers):
    return " ".join(found(answers).models)


def directory_default(answers):
    directory = found(answers).directory
    return directory if directory not in (None, ".") else "migrations"


def first(answers, name):
    candidates = getattr(found(answers), name)
    if candidates:
        return candidates[0].value
    return rules.STARTER[name] if is_empty(folder(answers)) else ""


# What is worked out before anything is written


def check_answers(answers):
    """Refuse bad answers with one line, before Cookiecutter makes the folder."""
    try:
        rules.check_paths(answers, folder(answers))
        if not is_empty(folder(answers)):
            from . import pins  # slow to import, and a new project does not need it

            rules.refuse_empty(answers, found(answers))
            pins.refuse_old(folder(answers))
        rules.check(answers)
    except rules.Refused as refused:
        raise FailedHookException(f"ERROR: {refused}") from None
    answers["database"] = rules.OTHER_NAMES.get(
        answers["database"], answers["database"]
    )
    return ""


def starter(answers):
    """The name of the new project, where one begins: in no folder or an empty one.

    An app named by the answers that is not the starter's lives elsewhere: then the
    Alembic environment alone is written.
    """
    is_starters = all(answers[name] == rules.STARTER[name] for name in rules.STARTER)
    words = re.findall(r"[a-z0-9]+", folder(answers).name.lower())
    name = "-".join(words) or "flask-app"
    return name if is_starters and is_empty(folder(answers)) else ""


def source(answers):
    """The folder that the app's package lies in, such as `src`, if it is not the root."""
    findings = found(answers)
    if answers["app"] == first(answers, "app"):
        return findings.source_root
    package = answers["app"].partition(":")[0].partition(".")[0]
    for source in ("", findings.source_root, "src"):
        place = folder(answers) / source / package
        if place.is_dir() or place.with_name(f"{package}.py").is_file():
            return source
    return ""


def settle(answers):
    """Look again at the folder that is really written to, which `-o` or `--replay` moves.

    Called by the first hook, before anything is written. What it finds replaces the
    answers that the templates are rendered with.
    """
    if updating.is_by_cruft(answers):
        return ""
    check_answers(answers)
    if "_output_dir" in answers and not is_empty(folder(answers)):
        answers.update(
            __starter=starter(answers),
            __source=source(answers),
            __db=db_facts(answers),
            __carried=carried(answers),
            __formatter=formatter_default(answers),
        )
    return ""


def carried(answers):
    """What is taken over from the environment that is there, as JSON."""
    old = {}
    if not is_empty(folder(answers)):
        taken = project.taken(answers)
        old = {
            "configure": taken.configure,
            "imports": taken.imports,
            "code": taken.code,
            "ini": taken.ini,
            "sections": taken.sections,
            "toml": taken.toml,
            "keeps_style": taken.keeps_style,
        }
    return json.dumps({name: value for name, value in old.items() if value})


def db_facts(answers):
    """What import lines depend on, in words, if the code tells what the db is.

    `extension`: a running app has it as `extensions["sqlalchemy"]`. `engine`: it is an
    Engine. `early`: importing the module of the app imports the db.
    """
    findings = found(answers)

    def is_best(name):
        return answers[name] in [each.value for each in getattr(findings, name)[:1]]

    if not is_best("db"):
        return ""
    facts = {"db": "extension", "lite": "extension", "engine": "engine"}
    words = [facts.get(findings.db_kind, "")]
    if findings.db_is_early and is_best("app"):
        words.append("early")
    return " ".join(words).strip()


def formatter_default(answers):
    """Return the libraries for hooks that an application depends on, one formatter."""
    if is_empty(folder(answers)):
        return ""
    from . import pins

    names = pins.dependencies(folder(answers))
    found = [name for name in ini.HOOKS if name in names]
    return " ".join(name for name in found if name != "black" or "ruff" not in names)


# What is rendered


def carried_settings(answers):
    return old.carried_settings(answers["directory"], json.loads(answers["__carried"]))


def ini_lines(answers):
    old = json.loads(answers["__carried"])
    return ini.lines(answers["directory"], answers["__source"], old)


def ini_sections(answers):
    """More sections of alembic.ini: those carried over, and the hooks.

    A new revision is formatted as the project is, if that depends on a formatter.
    """
    old = json.loads(answers["__carried"])
    libraries = answers["__formatter"].split()
    if answers["__starter"]:
        libraries = ["ruff", "alembic-linear-migrations"]
    return ini.sections(libraries, old)


def example_url(answers):
    """The URL of the new project's database on the developer's machine.

    It fits the password in .env.example, with which compose.yaml makes the database.
    """
    return {
        "sqlite": "sqlite:///app.db",
        "postgresql": "postgresql+psycopg://app:password@localhost/app",
        "mysql": "mysql+pymysql://app:password@127.0.0.1/app",
    }[answers["database"]]


def environment_files(answers):
    """The files of the Alembic environment, relative to the project's folder."""
    beside = TEMPLATE / "{{cookiecutter.directory}}"
    return [
        "alembic.ini",
        *(
            f"{answers['directory']}/{file.relative_to(beside).as_posix()}"
            for file in sorted(beside.rglob("*"))
            if file.is_file() and not CACHES.intersection(file.parts)
        ),
    ]


def summary(answers):
    """What the last hook tells the user; nothing in an update by cruft."""
    if updating.is_by_cruft(answers):
        updating.forget_this_version()
        if updating.stored(answers):
            return {}
    lines = started(answers) if answers["__starter"] else adopted(answers)
    project.forget()  # the next run in this process reads the code anew
    return {"lines": lines}


def adopted(answers):
    from .message import told  # slow to import, and a new project does not need it

    return told(answers)


def started(answers):
    """The first commands, as the new project's README has them."""
    server = [
        "cp .env.example .env",
        "docker compose up --detach --wait db    # or your own server: its URL in .env",
    ]
    steps = [
        f"cd {answers['project']}",
        "python -m venv .venv && . .venv/bin/activate",
        "pip install --upgrade pip && pip install --editable . --group dev",
        *(server if answers["database"] != "sqlite" else server[:1]),
        'alembic revision --autogenerate -m "create users"',
        "alembic upgrade head",
        "flask run",
    ]
    return ["Next:", *(f"  {step}" for step in steps)]
