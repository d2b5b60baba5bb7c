"""Bad answers are refused with one line, and nothing is written."""

import ast
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT, SCRIPTS
from cookiecutter.exceptions import FailedHookException, OutputDirExistsException
from cookiecutter.main import cookiecutter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

REFUSED = [
    ("app", "", "is not of the form module:name"),
    ("app", "shop", "is not of the form module:name"),
    ("app", "shop:", "has no name after the colon"),
    ("app", ":app", "is not of the form module:name"),
    ("app", "shop/app.py:app", "is not of the form module:name"),
    ("app", "shop.:app", "is not of the form module:name"),
    ("app", "class:app", "is not of the form module:name"),
    ("app", "shop:for", "has no name after the colon"),
    ("app", "shop:2", "has no name after the colon"),
    ("app", "shop:app[0]", "has no name after the colon"),
    ("app", "shop:create_app(", "has no name after the colon"),
    ("app", "shop:create_app(os.environ)", "a call with literal arguments"),
    ("app", "shop:create_app(*[1])", "a call with literal arguments"),
    ("app", "shop:create_app(**{'a': 1})", "a call with literal arguments"),
    ("app", "shop:create_app()()", "a call with literal arguments"),
    ("app", "shop:app\nimport os", "has no name after the colon"),
    ("app", "shop:app; import os", "has no name after the colon"),
    ("db", "db", "is not of the form module:name"),
    ("db", "shop:2db", "has no name after the colon"),
    ("metadata", "Base.metadata", "is not of the form module:name"),
    ("models", "shop/models.py", "is not the name of a module"),
    ("models", "shop.models, import", "is not the name of a module"),
    ("directory", "", "is not a folder inside the project"),
    ("directory", ".", "is not a folder inside the project"),
    ("directory", "/migrations", "is not a folder inside the project"),
    ("directory", "../migrations", "is not a folder inside the project"),
    ("directory", "a/../../b", "is not a folder inside the project"),
    ("directory", "C:\\migrations", "is not a folder inside the project"),
    ("directory", "a\\b", "single slashes"),
    ("directory", "a//b", "single slashes"),
    ("directory", "migrations/", "single slashes"),
    ("directory", "a\nb", "is not the name of a folder"),
    ("directory", "app.py", "is not the name of a folder"),
    ("directory", "x" * 300, "over 255 bytes"),
    ("project", "", "is not the name of a folder"),
    ("project", "a\0b", "is not the name of a folder"),
    ("project", "file/below", "Not a directory"),
    ("project", "file", "is a file, not a folder"),
    ("database", "oracle", "is none of sqlite, postgresql, mysql"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one file in it, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    return tmp_path


def contents(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize(("answer", "value", "reason"), REFUSED)
def test_refused(folder, answer, value, reason):
    answers = {"project": "a/new/project", answer: value}
    with pytest.raises(FailedHookException) as refused:
        cookiecutter(
            str(ROOT), no_input=True, default_config=True, extra_context=answers
        )
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"ERROR: {answer}: ") and reason in line
    assert contents(folder) == {"file"}


def test_refused_on_the_command_line(folder):
    command = [shutil.which("cookiecutter", path=str(SCRIPTS)), "--no-input"]
    done = subprocess.run(
        [*command, "--default-config", str(ROOT), "directory=../up"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("ERROR: directory: '../up' is not a folder inside")
    assert contents(folder) == {"file"}


def test_refused_in_an_existing_folder(folder):
    with pytest.raises(FailedHookException):
        cookiecutter(
            str(ROOT),
            no_input=True,
            default_config=True,
            overwrite_if_exists=True,
            extra_context={"project": ".", "app": "nothing"},
        )
    assert contents(folder) == {"file"}


def test_directory_that_leaves_the_project_by_a_link(folder):
    (folder / "outside").mkdir()
    (folder / "site").mkdir()
    (folder / "site" / "migrations").symlink_to(folder / "outside")
    with pytest.raises(FailedHookException, match="symbolic link"):
        cookiecutter(
            str(ROOT),
            no_input=True,
            default_config=True,
            overwrite_if_exists=True,
            extra_context={"project": "site"},
        )
    assert not list((folder / "outside").iterdir())


names = st.from_regex(r"[a-zA-Zé_][a-z_0-9]{0,12}", fullmatch=True)
dotted = st.lists(names, min_size=1, max_size=3).map(".".join)
literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2)
    ),
    max_leaves=4,
)
calls = st.builds(
    lambda name, args, kwargs: (
        f"{name}({', '.join([*map(repr, args), *(f'{k}={v!r}' for k, v in kwargs.items())])})"
    ),
    dotted,
    st.lists(literals, max_size=3),
    st.dictionaries(names, literals, max_size=2),
)
references = st.builds("{}:{}".format, dotted, dotted | calls)
# Cookiecutter itself renders what is given as Jinja, and stops at its syntax errors.
anything = st.text(max_size=20).filter(lambda text: "{" not in text)


@given(
    app=references | anything,
    db=references | anything,
    metadata=st.just("db.metadata") | references | anything,
    models=st.lists(dotted, max_size=3).map(", ".join) | anything,
    directory=st.lists(names, min_size=1, max_size=3).map("/".join) | anything,
    project=names | anything,
)
@example("app:app", "app:db", "db.metadata", "", "migrations", "..")
@example("a:b('\udc80')", "a:b", "db.metadata", "", "migrations", "p")
@example("a:b('''it's \"both\"''')", "a:b", "db.metadata", "", "50%/m", "p")
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_bake_succeeds_or_refuses(
    monkeypatch, app, db, metadata, models, directory, project
):
    """It compiles, or there is one line; and nothing is written outside the target."""
    with tempfile.TemporaryDirectory() as temporary:
        outer = Path(temporary).resolve()
        inner = outer / "inner"
        inner.mkdir()
        (outer / "canary").write_text("mine")
        monkeypatch.chdir(inner)
        answers = {"app": app, "db": db, "metadata": metadata, "models": models}
        answers |= {"directory": directory, "project": project}
        before = contents(outer)
        try:
            path = cookiecutter(
                str(ROOT), no_input=True, default_config=True, extra_context=answers
            )
        except FailedHookException as refused:
            assert len(str(refused).splitlines()) == 1
            assert contents(outer) == before
        except OutputDirExistsException:  # such as "."
            assert contents(outer) == before
        else:
            target = Path(path).resolve()
            ast.parse((target / directory / "env.py").read_text(encoding="utf-8"))
            written = {outer / name for name in contents(outer) - before}
            assert all(
                file == target or target in file.parents or file in target.parents
                for file in written
            )
        finally:
            monkeypatch.undo()
