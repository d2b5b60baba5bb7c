"""Cookiecutter's local extension: fills in and checks the answers, in its own process.

https://cookiecutter.readthedocs.io/en/stable/advanced/local_extensions.html
"""

import json
import re
import sys
from functools import lru_cache
from pathlib import Path

from cookiecutter.exceptions import FailedHookException
from jinja2.ext import Extension

from . import answers as rules
from . import pins
from .finding import Findings, find

TEMPLATE = Path(__file__).parent.parent / "{{cookiecutter.project}}"
CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache"}
started_in = Path.cwd()


class FlaskAlembicEnv(Extension):
    """The filters of the template. Each is called with the dict of answers so far."""

    def __init__(self, environment):
        global started_in
        super().__init__(environment)
        if not TEMPLATE.parent.samefile("."):  # from where the hooks are rendered
            started_in = Path.cwd()
        environment.filters.update(
            project_default=project_default,
            app_default=app_default,
            db_default=db_default,
            metadata_default=metadata_default,
            models_default=models_default,
            directory_default=directory_default,
            check_answers=check_answers,
            starter=as_stored("__starter", starter),
            source=as_stored("__source", source),
            settle=settle,
            is_by_cruft=is_by_cruft,
            environment_files=environment_files,
            carried=as_stored("__carried", carried),
            formatter=as_stored("__formatter", formatter_default),
            ini_lines=ini_lines,
            ini_sections=ini_sections,
            carried_settings=carried_settings,
            summary=summary,
            literal=lambda value: ascii(json.loads(json.dumps(value))),
            example_url=example_url,
            import_lines=rules.import_lines,
            db_facts=as_stored("__db", db_facts),
            path_lines=lambda answers: rules.path_lines(
                answers["directory"], answers["__source"]
            ),
        )


found_in = lru_cache(find)


@lru_cache
def taken_from(root, directory):
    from .takeover import (
        take_over,
    )  # slow to import, and a new project does not need it

    return take_over(root, directory)


def found(answers: dict[str, str]) -> Findings:
    """What the code in the project's folder says, read once."""
    return found_in(str(folder(answers)))


def folder(answers: dict[str, str]) -> Path:
    """The project's folder. While the questions are asked, `-o` is not known yet.

    cruft never says it, so the folder is looked for where the command was started.
    """
    return Path(answers.get("_output_dir", started_in), answers["project"]).absolute()


def is_by_cruft(answers: dict[str, str]) -> bool:
    """Whether cruft renders the files. That shows when the questions are answered."""
    return "_commit" in answers


def stored(answers: dict[str, str]) -> dict[str, str]:
    """The answers in the project's .cruft.json, by which cruft brings a later version.

    It renders the old version and the new one in empty folders, and merges what differs.
    It hands over the answers that can be given, but not what was found in the project's
    folder. That is taken from here, so that the old version is rendered as it was.
    """
    for place in (started_in, folder(answers)):
        try:
            text = (place / ".cruft.json").read_text(encoding="utf-8")
            context = json.loads(text)["context"]["cookiecutter"]
            if context["project"] == answers["project"]:
                return context
        except (OSError, ValueError, KeyError, TypeError):
            continue  # none, or one of another template
    return {}


def as_stored(name, find):
    """A filter that takes an answer from .cruft.json, and finds it if it is not there."""

    def answer(answers):
        context = stored(answers)
        return context[name] if name in context else find(answers)

    return answer


def is_empty(path: Path) -> bool:
    """Whether a new project can be written here: no folder, or one with nothing in it.

    A Git repository in which nothing is yet counts as empty.
    """
    return not path.exists() or all(item.name == ".git" for item in path.iterdir())


def project_default(answers):
    return "." if found({"project": "."}).is_flask else "flask-app"


def app_default(answers):
    return first(found(answers).app) or rules.STARTER["app"]


def db_default(answers):
    return first(found(answers).db) or rules.STARTER["db"]


def metadata_default(answers):
    return first(found(answers).metadata) or rules.STARTER["metadata"]


def models_default(answers):
    return " ".join(found(answers).models)


def directory_default(answers):
    directory = found(answers).directory
    return directory if directory not in (None, ".") else "migrations"


def first(candidates):
    return candidates[0].value if candidates else ""


def check_answers(answers):
    """Refuse bad answers with one line, before Cookiecutter makes the folder."""
    try:
        rules.check(answers, folder(answers))
        pins.refuse_old(folder(answers))
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
    return package_name(answers) if is_starters and is_empty(folder(answers)) else ""


def source(answers):
    """The folder that the app's package lies in, such as `src`, if it is not the root."""
    package = answers["app"].partition(":")[0].partition(".")[0]
    root = folder(answers)
    for source in ("", found(answers).source_root, "src"):
        if (root / source / package).is_dir() or (
            root / source / f"{package}.py"
        ).is_file():
            return source
    return ""


def settle(answers):
    """Look again at the folder that is really written to, which `-o` or `--replay` moves.

    Called by the first hook, before anything is written. What it finds replaces the
    answers that the templates are rendered with.
    """
    if is_by_cruft(answers):
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
    if not folder(answers).exists():
        return json.dumps({"configure": {}, "ini": {}, "sections": "", "told": []})
    old = taken_from(str(folder(answers)), answers["directory"])
    return json.dumps(
        {
            "configure": old.configure,
            "ini": old.ini,
            "sections": old.sections,
            "told": [
                f"{setting.name} = {setting.code}  ({setting.where}): "
                + ("taken over" if setting.carried else setting.advice)
                for setting in old.settings
            ],
        }
    )


def db_facts(answers):
    """What import lines depend on, in words, if the code tells what the db is.

    `extension`: a running app has it as `extensions["sqlalchemy"]`. `engine`: it is an
    Engine. `early`: importing the module of the app imports the db.
    """
    findings = found(answers)
    if first(findings.db) != answers["db"]:
        return ""
    facts = {"db": "extension", "lite": "extension", "engine": "engine"}
    words = [facts.get(findings.db_kind, "")]
    if findings.db_is_early and first(findings.app) == answers["app"]:
        words.append("early")
    return " ".join(words).strip()


def carried_settings(answers):
    """Return the statement in env.py for settings of the environment before it.

    It ends with the two empty lines that follow it in env.py.
    """
    ours = {"compare_type": "True", "render_as_batch": "True"}
    carried = json.loads(answers["__carried"])["configure"]
    others = {name: code for name, code in carried.items() if ours.get(name) != code}
    return rules.carried_settings(others)


def ini_lines(answers):
    """The options in alembic.ini: ours, and those that are taken over."""
    directory = answers["directory"].replace("%", "%%")
    source = answers["__source"].replace("%", "%%")
    options = {
        "script_location": f"%(here)s/{directory}",
        # For revisions that import the app's modules: some commands don't run env.py.
        "prepend_sys_path": f"%(here)s/{source}" if source else "%(here)s",
        **rules.INI,
        **json.loads(answers["__carried"])["ini"],
    }
    return "\n".join(f"{name} = {value}" for name, value in options.items())


def ini_sections(answers):
    """Return more sections of alembic.ini: those carried over, and the hooks.

    A new revision is formatted as the project is, if that depends on a formatter.
    """
    carried = json.loads(answers["__carried"])["sections"]
    if "[post_write_hooks]" in carried:
        return carried
    libraries = answers["__formatter"].split()
    if answers["__starter"]:
        libraries = ["ruff", "alembic-linear-migrations"]
    return "\n\n".join(filter(None, [carried, rules.post_write_hooks(libraries)]))


def formatter_default(answers):
    """Return the libraries for hooks that an application depends on, one formatter."""
    names = pins.dependencies(folder(answers))
    found = [name for name in rules.HOOKS if name in names]
    return " ".join(name for name in found if name != "black" or "ruff" not in names)


def package_name(answers):
    """A name for the new project's pyproject.toml, made from its folder's name."""
    words = re.findall(r"[a-z0-9]+", folder(answers).name.lower())
    return "-".join(words) or "flask-app"


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
    """Return the files of the Alembic environment, relative to the project's folder."""
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
    """What the last hook tells the user: each answer, and where it was found.

    Nothing in an update by cruft, where the project is not what is written to.
    """
    if is_by_cruft(answers):
        forget_this_version()
        if stored(answers):
            return {}
    findings = found(answers)
    places = {}
    for name in ("app", "db", "metadata"):
        for candidate in getattr(findings, name):
            places.setdefault((name, candidate.value), candidate.where)
    lines = []
    for name in ("app", "db", "metadata", "models"):
        value = answers[name]
        if value and (name, value) != ("metadata", "db.metadata"):
            where = places.get((name, value))
            lines.append(
                f"{name:9} {value}" + (f"  (found in {where})" if where else "")
            )
            others = [
                candidate.value
                for candidate in getattr(findings, name)
                if name != "models" and candidate.value != value
            ]
            if where and others:
                lines.append(f"{'':9} not taken: {', '.join(others[:4])}")
    found_in.cache_clear()  # the next run in this process reads the code anew
    taken_from.cache_clear()
    return {"answers": lines, "settings": json.loads(answers["__carried"])["told"]}


def forget_this_version():
    """Let cruft, which renders two versions in one process, import the other one's code."""
    from shutil import rmtree  # slow to import, and only cruft needs it

    for name in list(sys.modules):
        if name.partition(".")[0] == __name__:
            del sys.modules[name]
    rmtree(Path(__file__).parent / "__pycache__", ignore_errors=True)
