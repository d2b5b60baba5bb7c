"""What the pages tell to type, to be compared with what the tests have run."""

import re
import shlex

from conftest import ROOT, Project

# Those that install something are left out, and Flask-Migrate's own.
PROGRAMS = {"alembic", "cookiecutter", "cruft", "git", "python"}
# What stands for another: an id of a revision, NAME, the template, a message
WILD = re.compile(r"[0-9a-f]{12}|[A-Z]+|gh:org/.*|https://github.com/org/.*|.* .*")


def sections():
    """The text below each heading of the documentation, as a dict: `page#heading`."""
    found = {}
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        _, *parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
        for heading, body in zip(parts[::2], parts[1::2], strict=True):
            found[f"{path.name}#{heading}"] = body
    return found


def commands(text):
    """The commands in the blocks and tables of a section, each as a list of words."""
    found = []
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        lines = [
            re.sub(r"^(\$|- run:|\s*entry:) ", "", line) for line in block.split("\n")
        ]
        found += [part for line in lines for part in line.split(" && ")]
    for line in re.findall(r"^\|.*", text, re.MULTILINE):
        found += re.findall("`([^`]+)`", line)
    split = [
        shlex.split(command, comments=True)
        for command in found
        if command.partition(" ")[0] in PROGRAMS
    ]
    return [words for words in split if len(words) > 1]


def not_run(section):
    """The commands of a section that the present test has not run.

    What was run may have more words, such as `--no-input`.
    """
    documented = commands(sections()[section])
    return [
        shlex.join(words)
        for words in documented
        if not any(fits(words, ran) for ran in Project.ran)
    ]


def fits(words, ran):
    rest = iter(ran)
    return all(
        any(word == other or WILD.fullmatch(word) for other in rest) for word in words
    )
