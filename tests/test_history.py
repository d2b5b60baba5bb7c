"""One line of history: head.txt, one_head.py, and what `alembic upgrade head` says."""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from conftest import ROOT, Project
from documentation import not_run

TOOL = ROOT / "{{cookiecutter.project}}" / "{{cookiecutter.directory}}" / "one_head.py"

# Running it would fail: it is only read.
REVISION = '''"""{id} of a test

Revision ID: {id}
Revises: {revises}
{created}
"""

import nowhere

revision = "{id}"
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {needs!r}
'''


class Histories(Project):
    """A folder with one_head.py, and revisions that are written as text."""

    def add(self, id, down=None, labels=None, needs=None, day=None, at="versions"):
        revises = ", ".join(down) if isinstance(down, tuple) else down or ""
        created = f"Create Date: 2026-01-{day:02} 10:00:00+00:00" if day else ""
        text = REVISION.format(**locals())
        return self.write(f"migrations/{at}/{id}.py", text)

    def one_head(self, *arguments, **options):
        """Run the script as in a Python without any package."""
        script = str(self.path / "migrations/one_head.py")
        options.setdefault("cwd", self.path)
        return self.run("python", "-B", "-I", "-S", script, *arguments, **options)

    def down(self, id, at="versions"):
        """What the file of a revision comes after, in its code and in its docstring."""
        text = self.read(f"migrations/{at}/{id}.py")
        code = re.search("^down_revision = (.*)$", text, re.MULTILINE)[1]
        assert re.search("^Revises: (.*)$", text, re.MULTILINE)[1] == code.strip("'\"")
        return code.strip("'\"")

    def all_files(self):
        files = [path for path in self.path.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in files}


@pytest.fixture
def history(tmp_path):
    (tmp_path / "site/migrations/versions").mkdir(parents=True)
    shutil.copy(TOOL, tmp_path / "site/migrations")
    return Histories(tmp_path / "site")


@pytest.fixture
def fork(history):
    """`old` and `new` both come after `first`, and `newer` after `new`."""
    history.add("first", day=1)
    history.add("old", "first", day=2)
    history.add("new", "first", day=3)
    history.add("newer", "new", day=4)
    return history


# The check


def test_one_head(history):
    assert history.one_head() == "There is no revision yet.\n"
    history.add("first")
    history.add("second", "first")
    assert history.one_head() == "The head is second (migrations/versions/second.py).\n"
    assert history.one_head("check") == history.one_head()


def test_two_heads(fork):
    assert fork.one_head(fails=True) == (
        "Two heads, newer (migrations/versions/newer.py) and old"
        " (migrations/versions/old.py), come after first. Run `python"
        " migrations/one_head.py rebase`, or `alembic merge heads` to join them.\n"
    )


def test_many_heads(fork):
    for id in "abc":
        fork.add(id, "first")
    told = fork.one_head(fails=True).splitlines()
    assert [re.findall(r"(\w+) \(", line) for line in told] == [
        ["a", other] for other in ("b", "c", "newer", "old")
    ]


@pytest.mark.parametrize(
    ("extra", "is_meant"),
    [
        ({}, False),
        ({"b": {"labels": "side"}}, True),
        ({"b": {"labels": ("side", "way")}, "a": {"labels": ["main"]}}, True),
        ({"root": {"labels": "side"}}, False),
        ({"b": {"labels": "side"}, "c": {"down": "b"}, "d": {"down": "b"}}, False),
        ({"b": {"needs": "a"}}, True),
        ({"b": {"labels": "x", "needs": ("a",)}}, True),
        ({"c": {"down": "a", "needs": "b"}}, True),
        ({"b": {"needs": "root"}}, False),
        ({"b": {"down": None}}, False),
        ({"b": {"down": None, "needs": "roo"}}, True),
        ({"b": {"down": None}, "m": {"down": ("a", "b")}}, True),
        ({"m": {"down": ("a", "b")}}, True),
        ({"m": {"down": ("a", "b")}, "c": {"down": "a"}}, False),
    ],
)
def test_heads_that_are_meant(history, extra, is_meant):
    revisions = {"root": {}, "a": {"down": "root"}, "b": {"down": "root"}}
    for id in {**revisions, **extra}:
        history.add(id, **{**revisions.get(id, {}), **extra.get(id, {})})
    history.one_head(fails=not is_meant)
    history.write("alembic.ini", "[alembic]\nseveral_heads = true\n")
    history.one_head()


def test_several_heads_are_not_rebased_unless_one_is_named(fork):
    fork.write("alembic.ini", "[alembic]\nseveral_heads = true\n")
    before = [fork.read("migrations/versions/new.py"), fork.down("old")]
    fork.one_head("rebase")
    assert before == [fork.read("migrations/versions/new.py"), fork.down("old")]
    fork.one_head("rebase", "new")
    assert fork.down("new") == "old"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('revision = "x"\ndown_revision = "gone"', r"x \(.*x.py\) comes after gone"),
        ('revision = "x"\ndown_revision = "old"\ndepends_on = "?"', "x .*depends on ?"),
        (
            'revision = "old"\ndown_revision = None',
            "old.py and .*x.py both are revision",
        ),
        ('revision = "x"\ndown_revision = "x"', "circle: x, x"),
        ('revision = "x"\n<<<<<<< HEAD\n', "x.py can't be read"),
        ('revision = "x"\ndown_revision = find()', "x.py can't be read"),
        ('revision = "x"\n', "x.py can't be read"),
        ("down_revision = None\n", "x.py can't be read"),
        ("revision = 5\ndown_revision = None\n", "x.py can't be read"),
        ("# coding: nonsense\n", "x.py can't be read"),
    ],
)
def test_what_alembic_could_not_work_with(fork, text, told):
    fork.write("migrations/versions/x.py", text)
    before = fork.all_files()
    for command in ("check", "rebase"):
        output = fork.one_head(command, fails=True)
        assert re.search(told, output) and "Traceback" not in output
    assert fork.all_files() == before


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("second add email\n", True),
        ("second", True),
        ("first add name\n", False),
        ("", False),
        ("<<<<<<< HEAD\nfirst\n=======\nsecond\n>>>>>>> main\n", False),
        ("first a\nsecond b\n", False),  # as `merge=union` would leave it
    ],
)
def test_head_file(history, text, is_right):
    history.add("first")
    history.add("second", "first")
    history.write("migrations/head.txt", text)
    output = history.one_head(fails=not is_right)
    if not is_right:
        assert output == (
            "migrations/head.txt should name second (migrations/versions/second.py)."
            " Run `python migrations/one_head.py rebase`.\n"
        )
        history.one_head("rebase")
        assert history.read("migrations/head.txt") == "second second of a test\n"
        history.one_head()


def test_head_file_without_revisions(history):
    history.write("migrations/head.txt", "gone with its revision\n")
    history.one_head(fails=True)
    history.one_head("rebase")
    assert history.one_head() == "There is no revision yet.\n"


def test_head_file_of_heads_that_are_meant(history):
    """Two Git branches have each added to a branch with a label of its own."""
    history.add("core1", labels="core", day=1)
    history.add("shop1", labels="shop", day=2)
    history.add("core2", "core1", day=4)
    history.add("shop2", "shop1", day=3)
    history.write("migrations/head.txt", "<<<<<<<\ncore2\n=======\nshop2\n>>>>>>>\n")
    history.one_head(fails=True)
    history.one_head("rebase")
    assert history.read("migrations/head.txt") == "core2 core2 of a test\n"
    assert "core2 (migrations/versions/core2.py) or shop2" in history.one_head()


# Where the revisions are


@pytest.mark.parametrize(
    "options",
    [
        "version_locations = %(here)s/migrations/versions;here/more\npath_separator = ;",
        "version_locations = %(here)s/migrations/versions here/more\n"
        "version_path_separator = space",
        "version_locations = %(here)s/migrations/versions, here/more",
        "version_locations =\n  %(here)s/migrations/versions\n  here/more\n"
        "path_separator = newline",
    ],
)
def test_several_folders(history, options):
    history.write("alembic.ini", f"[alembic]\n{options}\n[other]\nx = %(nothing)s\n")
    history.add("first")
    history.add("second", "first", at="../here/more")
    assert history.one_head().startswith("The head is second (here/more/")
    (history.path / "here/more/second.py").unlink()
    (history.path / "here/more").rmdir()  # Git keeps no empty folder
    assert history.one_head().startswith("The head is first ")


def test_folder_of_a_package(history):
    text = "[alembic]\nversion_locations = shop:versions\npath_separator = space\n"
    history.write("alembic.ini", text)
    assert "alembic.ini has shop:versions" in history.one_head(fails=True)


def test_folders_below(history):
    history.add("first")
    history.add("second", "first", at="versions/2026/may")
    assert "first" in history.one_head()
    history.write("alembic.ini", "[alembic]\nrecursive_version_locations = true\n")
    assert "second" in history.one_head()


def test_files_that_are_no_revisions(history):
    history.add("first")
    for name in ("__init__.py", ".#first.py", "notes.txt"):
        history.write(f"migrations/versions/{name}", "no revision")
    history.one_head()


def test_ini_file(fork, tmp_path):
    """The one above the folder, unless another is given as for alembic."""
    meant = "[alembic]\nseveral_heads = true\n"
    fork.write("migrations/alembic.ini", meant)  # which Flask-Migrate has left
    fork.write("alembic.ini", "[alembic]\n")
    other = fork.write("other.ini", meant)
    fork.one_head(fails=True)
    fork.one_head("-c", "other.ini")
    fork.one_head("-c", "../other.ini", cwd=fork.path / "migrations")
    run = ["python", "-B", "migrations/one_head.py"]
    fork.run(*run, ALEMBIC_CONFIG=str(other))
    fork.write("alembic.ini", meant)
    fork.one_head()


def test_no_ini_file(fork):
    assert fork.one_head("-c", "gone.ini", fails=True) == "gone.ini is no file.\n"


def test_letters_that_the_terminal_has_not(history):
    history.add("first").rename(history.path / "migrations/versions/größer.py")
    script = ["python", "-B", "migrations/one_head.py"]
    output = history.run(*script, PYTHONIOENCODING="ascii")
    assert output == "The head is first (migrations/versions/gr\\xf6\\xdfer.py).\n"


def test_from_other_folders(fork, tmp_path):
    command = "`python one_head.py rebase`"
    assert command in fork.one_head(fails=True, cwd=fork.path / "migrations")
    path = (fork.path / "migrations/one_head.py").as_posix()
    (tmp_path / "else").mkdir()
    elsewhere = fork.one_head(fails=True, cwd=tmp_path / "else")
    assert f"`python {path} rebase`" in elsewhere


# Rebasing


def test_rebase_moves_the_younger_branch(fork):
    old = fork.read("migrations/versions/old.py")
    newer = fork.read("migrations/versions/newer.py")
    assert fork.one_head("rebase") == (
        "new (migrations/versions/new.py)\n"
        "  now comes after old (migrations/versions/old.py).\n"
        "migrations/head.txt names newer (migrations/versions/newer.py).\n"
        "\n"
        "A database where `alembic current` shows new or newer has not run what now comes"
        " before it. Run there:\n"
        "  alembic stamp first\n"
        "  alembic upgrade old\n"
        "  alembic stamp REVISION\n"
        "where REVISION is what `alembic current` showed at first.\n"
        "Where it shows old too, run only the last line, with --purge.\n"
    )
    assert fork.down("new") == "old"
    assert fork.read("migrations/versions/old.py") == old
    assert fork.read("migrations/versions/newer.py") == newer
    assert fork.read("migrations/head.txt") == "newer newer of a test\n"
    assert "The head is newer" in fork.one_head()
    before = fork.all_files()
    fork.one_head("rebase")
    assert fork.all_files() == before


@pytest.mark.parametrize("named", ["old", "ol"])
def test_rebase_moves_the_branch_that_is_named(fork, named):
    output = fork.one_head("rebase", named)
    assert fork.down("old") == "newer" and fork.down("new") == "first"
    steps = ["stamp first", "upgrade newer", "stamp old"]
    assert re.findall(r"^  alembic (.*)$", output, re.MULTILINE) == steps


def test_rebase_of_three_heads(fork):
    fork.add("newest", "first", day=9)
    output = fork.one_head("rebase")
    line = [fork.down(id) for id in ("newest", "new", "old")]
    assert line == ["newer", "old", "first"]
    assert "shows newest has not" in output and "alembic upgrade newer" in output
    fork.one_head()


def test_rebase_of_a_line_that_was_cut_twice(history):
    """A database at `c` has run something in the middle, and lacks what is around it."""
    for day, (id, down) in enumerate(
        [("root", None), ("b", "root"), ("a1", "root"), ("a2", "a1"), ("c", "a1")], 1
    ):
        history.add(id, down, day=day)
    output = history.one_head("rebase")
    assert [history.down(id) for id in ("c", "a2", "a1", "b")] == [
        "a2",
        "a1",
        "b",
        "root",
    ]
    steps = re.findall(r"^  alembic (.*)$", output, re.MULTILINE)
    assert steps[-5:] == [
        "stamp root",
        "upgrade b",
        "stamp a1",
        "upgrade a2",
        "stamp c",
    ]


def test_rebase_of_two_roots(history):
    history.add("one", day=1)
    history.add("other", day=2)
    history.add("more", "other", day=3)
    output = history.one_head("rebase", "more")
    assert history.down("other") == "one"
    steps = ["stamp base", "-x allow-tables upgrade one", "stamp REVISION"]
    assert re.findall(r"^  alembic (.*)$", output, re.MULTILINE) == steps


def test_rebase_leaves_heads_that_are_meant(fork):
    fork.add("side", "first", labels="side", day=8)
    fork.one_head("rebase")
    assert fork.down("new") == "old" and fork.down("side") == "first"


FORMS = {
    "as ours": 'revision = "{id}"\ndown_revision = "{down}"\n',
    "of Flask-Migrate": "revision = '{id}'\ndown_revision = '{down}'\n",
    "with types": "revision: str = '{id}'\ndown_revision: 'str | None' = \"{down}\"\n",
    "in parentheses": 'revision = ("{id}")\ndown_revision = (\n    "{down}"\n)  # why\n',
    "prefixed": "revision = u'{id}'; größenänderungsübersicht = down_revision = u'{down}'\n",
    "written twice": 'down_revision = "?"\nrevision = "{id}"\ndown_revision = "{down}"\n',
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_rebase_keeps_the_rest_of_the_file(history, form, encoding, newline):
    history.add("first", day=1)
    history.add("old", "first", day=2)
    text = "# coding: latin-1\n" if encoding == "latin-1" else ""
    text += '"""größer\x0c\n\nRevision ID: {id}\nRevises: {down}\n'
    text += 'Create Date: 2026-02-03 04:05:06.789\n"""\nfirst = "first"  # first\n'
    text = (text + form).replace("\n", newline)
    path = history.path / "migrations/versions/new.py"
    path.write_bytes(text.format(id="new", down="first").encode(encoding))
    history.one_head("rebase", "new")
    assert path.read_bytes() == text.format(id="new", down="old").encode(encoding)


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("parent", ["None", "()", "('first',)", "[ 'first' ]"])
def test_rebase_of_what_is_not_one_text(history, quote, parent):
    history.add("first", day=1)
    history.add("old", "first", day=2)
    line = f"revision = {quote}new{quote}\ndown_revision = "
    path = history.write("migrations/versions/new.py", f"{line}{parent}  # why")
    history.one_head("rebase", "new")
    assert path.read_text() == f"{line}{quote}old{quote}  # why"


def refused(history, *arguments):
    """The line that says why, where nothing is written."""
    before = history.all_files()
    output = history.one_head("rebase", *arguments, fails=True)
    assert history.all_files() == before
    assert output.count("\n") == 1
    return output


def test_rebase_can_not_tell_which_is_younger(history):
    history.add("first")
    history.add("one", "first", day=1)
    history.add("other", "first")
    told = "Run `python migrations/one_head.py rebase REVISION` with the one to move"
    assert told in refused(history)
    history.add("other", "first", day=1)
    assert told in refused(history)
    path = history.add("other", "first", day=2)
    path.write_text(path.read_text().replace("+00:00", ""))
    assert told in refused(history)
    path.write_text(path.read_text().replace("2026", "in May"))
    assert told in refused(history)
    history.one_head("rebase", "one")
    assert history.down("one") == "other"


def test_rebase_of_what_is_on_no_branch(fork):
    assert "first is on no branch" in refused(fork, "first")
    assert "nothing is on no branch" in refused(fork, "nothing")


def test_rebase_does_not_move_a_merge(fork):
    fork.add("side", "new", day=5)
    fork.add("joined", ("newer", "side"), day=6)
    output = refused(fork)
    assert "joined (migrations/versions/joined.py) joins branches" in output
    assert "Run `python migrations/one_head.py rebase old`" in output
    fork.one_head("rebase", "old")
    assert fork.down("old") == "joined"


def test_rebase_is_refused_where_it_would_go_in_a_circle(history):
    """`b` would come after `a`, which depends by way of `c` on what `b` begins with."""
    history.add("root", day=1)
    history.add("a", "root", needs="c", day=2)
    history.add("b", "root", day=3)
    history.add("c", None, needs="b", labels="side", day=4)
    assert "in a circle" in refused(history)


def test_rebase_is_refused_where_the_parent_is_put_together(fork):
    path = fork.path / "migrations/versions/new.py"
    text = path.read_text().replace(
        "down_revision = 'first'", "down_revision = 'fi' 'rst'"
    )
    path.write_text(text)
    assert "set down_revision to old by hand" in refused(fork)


def test_rebase_does_not_move_what_the_main_branch_has(fork):
    """It may have been run, although it was begun later."""
    fork.git("init", "--quiet")
    (fork.path / "migrations/versions/old.py").rename(fork.path / "old.py")
    fork.git("add", "migrations")
    fork.git("commit", "--quiet", "--message", "main")
    fork.git("update-ref", "refs/remotes/origin/main", "HEAD")
    main = "refs/remotes/origin/main"
    fork.git("symbolic-ref", "refs/remotes/origin/HEAD", main)
    (fork.path / "old.py").rename(fork.path / "migrations/versions/old.py")
    fork.one_head("rebase")
    assert fork.down("old") == "newer" and fork.down("new") == "first"


def test_a_compiled_file_does_not_outlive_its_source(history):
    """Both sources have the same size, and perhaps the same second."""
    history.add("f", day=1)
    history.add("a", "f", day=2)
    path = history.add("b", "f", day=3)
    path.write_text(path.read_text().replace("import nowhere", "import sys"))
    code = f"""
import importlib.util, os, subprocess, sys
for _ in range(2):
    spec = importlib.util.spec_from_file_location("b", {str(path)!r})
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    print("down", module.down_revision)
    time = os.stat({str(path)!r}).st_mtime_ns
    subprocess.run([sys.executable, "migrations/one_head.py", "rebase"], check=True)
    os.utime({str(path)!r}, ns=(time, time))
"""
    history.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    assert re.findall("^down (.)$", history.python(code), re.MULTILINE) == ["f", "a"]


# With Alembic and Git


def unmerged(project):
    return project.git("diff", "--name-only", "--diff-filter=U").split()


def test_new_revisions_of_two_git_branches_conflict(bake):
    """Without env.py being run; with head.txt in none, then in both of the branches."""
    project = bake()
    project.write("migrations/versions/.keep", "")  # for older versions of Alembic
    project.commit("begin")
    for number in (1, 2):
        project.git("checkout", "--quiet", "-b", f"feature{number}")
        project.alembic("revision", "-m", 'add "ü"\nand more', "--rev-id", f"f{number}")
        assert project.read("migrations/head.txt") == f'f{number} add "ü"\n'
        project.commit("feature")
        project.git("checkout", "--quiet", "main")
        project.alembic("revision", "-m", "", "--rev-id", f"m{number}")
        assert project.read("migrations/head.txt") == f"m{number}\n"
        project.commit("main")
        project.git("merge", f"feature{number}", fails=True)
        assert unmerged(project) == ["migrations/head.txt"]
        assert "Two heads" in project.run(
            "python", "migrations/one_head.py", fails=True
        )
        if number == 1:
            project.alembic("merge", "heads", "-m", "join", "--rev-id", "j")
            assert project.read("migrations/head.txt") == "j join\n"
        else:
            project.run("python", "migrations/one_head.py", "rebase", "f2")
            assert project.read("migrations/head.txt") == 'f2 add "ü"\n'
        project.commit("merge")
        project.run("python", "migrations/one_head.py")


def query(path, statement):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def alembic(project, *commands, **environment):
    """Run commands in one process, which takes less time."""
    code = f"from alembic.config import main\nfor argv in {commands!r}: main(argv)"
    Project.ran.extend(["alembic", *command] for command in commands)
    return project.python(code, **environment)


def test_a_merge_from_conflict_to_database(bake):
    """Two features are autogenerated, and the databases get both, with all rows."""
    project = bake()
    project.commit("begin")
    tool = ["python", "migrations/one_head.py"]
    path = {
        name: project.path / f"instance/{name}.db"
        for name in ("main", "feature", "new")
    }
    url = {
        name: {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{path[name]}"} for name in path
    }
    new, head = ["revision", "--autogenerate", "-m"], ["upgrade", "head"]
    path["main"].parent.mkdir()
    alembic(project, [*new, "first"], head, **url["main"])
    project.commit("first")
    query(path["main"], "INSERT INTO users (id, name) VALUES (1, 'Ada')")
    query(path["main"], "INSERT INTO posts (id, title, author_id) VALUES (1, 'a', 1)")
    shutil.copy(path["main"], path["feature"])

    title = "    title: Mapped[str] = mapped_column(String(200))\n"
    subtitle = title.replace("title", "subtitle").replace("str]", "str | None]")
    project.edit("app.py", title, title + subtitle)
    project.alembic(*new, "subtitle", **url["main"])
    project.commit("subtitle")

    project.git("checkout", "--quiet", "-b", "feature", "HEAD~")
    name = "    name: Mapped[str] = mapped_column(String(80), unique=True)\n"
    project.edit("app.py", name, name + "    email: Mapped[str | None]\n")
    alembic(project, [*new, "email"], head, **url["feature"])
    query(
        path["feature"], "INSERT INTO users (id, name, email) VALUES (2, 'Bob', 'b@c')"
    )
    project.commit("email")

    project.git("merge", "main", fails=True)
    assert unmerged(project) == ["migrations/head.txt"]
    output = project.alembic("upgrade", "head", fails=True, **url["main"])
    assert "There is more than one head: " in output
    assert "Nothing was done" in output and "_email.py)" in output
    assert "run `python migrations/one_head.py rebase`, which" in output
    told = project.run(*tool, "rebase")
    assert told.splitlines()[0].endswith("_email.py)")
    project.git("add", "migrations")
    assert unmerged(project) == []
    project.commit("merge")
    assert project.read("migrations/head.txt").endswith(" email\n")
    project.run(*tool)

    steps = re.findall(r"^  alembic (.*)$", told, re.MULTILINE)
    assert [step.split()[0] for step in steps] == ["stamp", "upgrade", "stamp"]
    commands = [step.split() for step in steps]
    alembic(project, *commands, head, ["check"], **url["feature"])
    alembic(project, head, ["check"], **url["main"])
    assert query(path["feature"], "SELECT id, name, email FROM users") == [
        (1, "Ada", None),
        (2, "Bob", "b@c"),
    ]
    for name in ("main", "feature"):
        rows = query(path[name], "SELECT id, title, subtitle, author_id FROM posts")
        assert rows == [(1, "a", None, 1)]
    assert not_run("one-line-of-history.md#One line of history") == []
    assert not_run("one-line-of-history.md#Putting it right") == []
    assert not_run("one-line-of-history.md#In CI, and before a commit") == []


IN_PROCESS = """
from alembic import command, config, util

settings = config.Config("alembic.ini")
for target, sql in ("head", False), ("head", True), ("side@head", False):
    try:
        command.upgrade(settings, target, sql=sql)
    except util.CommandError as error:
        print("error:", error)
for target in ("main@head", "heads"):
    command.upgrade(settings, target)
command.current(settings)
"""


def test_upgrade_to_heads_that_are_meant(bake):
    """Code that calls Alembic gets the same error, and other targets are as ever."""
    project = bake()
    text = REVISION.replace("import nowhere", "def upgrade(): pass")
    parts = {"down": "r", "revises": "r", "created": "", "needs": None}
    root = {**parts, "down": None, "labels": None}
    for id, more in {
        "r": root,
        "m": {**parts, "labels": "main"},
        "s": {**parts, "labels": "side"},
        "t1": {**parts, "labels": None, "down": "s"},
        "t2": {**parts, "labels": None, "down": "s"},
    }.items():
        project.write(f"migrations/versions/{id}.py", text.format(id=id, **more))
    output = project.python(IN_PROCESS).splitlines()
    errors = [
        line for line in output if line.startswith("error: There is more than one")
    ]
    assert "m (m.py) and t1 (t1.py) and t2 (t2.py)" in errors[0]
    assert errors[0].endswith("If all are meant, upgrade to heads")
    assert errors[1] == errors[0]
    assert "t1 (t1.py) and t2 (t2.py)" in errors[2] and "m.py" not in errors[2]
    assert errors[2].endswith("If all are meant, upgrade to side@heads")
    heads = {line for line in output if "(head)" in line}
    assert heads == {"m (head)", "t1 (head)", "t2 (head)"}
