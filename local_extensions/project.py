"""Where the project is, and what its files say, read once in a run of Cookiecutter."""

from functools import lru_cache
from pathlib import Path

from .findings import Findings

TEMPLATE = Path(__file__).parent.parent / "{{cookiecutter.project}}"
started_in = Path.cwd()


def remember_where_started() -> None:
    """Note the current folder, but not where the hooks are rendered."""
    global started_in
    if not TEMPLATE.parent.samefile("."):
        started_in = Path.cwd()


def folder(answers: dict[str, str]) -> Path:
    """The project's folder. While the questions are asked, `-o` is not known yet.

    cruft never says it, so the folder is looked for where the command was started.
    """
    return Path(answers.get("_output_dir", started_in), answers["project"]).absolute()


def is_empty(path: Path) -> bool:
    """Whether a new project can be written here: no folder, or one with nothing in it.

    A Git repository in which nothing is yet counts as empty.
    """
    return not path.is_dir() or all(item.name == ".git" for item in path.iterdir())


@lru_cache
def found_in(root: str) -> Findings:
    if is_empty(Path(root)):
        return Findings()
    from .finding import find  # slow to import, and a new project does not need it

    return find(root)


def found(answers: dict[str, str]) -> Findings:
    """What the code in the project's folder says."""
    return found_in(str(folder(answers)))


@lru_cache
def taken_from(root: str, directory: str):
    from .takeover import take_over  # slow to import; a new project does not need it

    return take_over(root, directory, found_in(root))


def taken(answers: dict[str, str]):
    """What is taken over from the environment that is there."""
    return taken_from(str(folder(answers)), answers["directory"])


def forget() -> None:
    found_in.cache_clear()
    taken_from.cache_clear()
