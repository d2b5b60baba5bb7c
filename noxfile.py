"""`nox -s demo` bakes and migrates a project, `nox -s tests` runs the test suite."""

import os

import nox

nox.options.sessions = ["tests"]
PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]


@nox.session
def demo(session):
    """Bake a new project into flask-app/, and migrate its SQLite database."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "bake"))
    session.run("cookiecutter", "--no-input", "--default-config", ".")
    session.chdir("flask-app")
    session.install("--editable", ".", "--group", "dev")
    session.run("alembic", "revision", "--autogenerate", "-m", "create users")
    session.run("alembic", "upgrade", "head")
    session.run("alembic", "check")


@nox.session
def tests(session):
    """Run all tests with the newest libraries, on the Python that runs nox."""
    run_tests(session)


@nox.session(python=PYTHONS)
@nox.parametrize("libraries", ["lowest", "newest"], ids=["lowest", "newest"])
def matrix(session, libraries):
    """Run all tests on one Python, with the lowest or the newest libraries."""
    options = ["--constraint", "tests/lowest.txt"] if libraries == "lowest" else []
    run_tests(session, *options)


@nox.session
def benchmarks(session):
    """Compare with Flask-Migrate, Flask-Alembic and bare Alembic, and draw the result."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "benchmarks"))
    record = ["--json", "benchmarks/results.json"]
    session.run("python", "benchmarks/run.py", *record, *session.posargs)
    session.run("python", "benchmarks/plot.py")


@nox.session
def lint(session):
    """Lint and format-check this repository; the tests do it for what is baked."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


def run_tests(session, *options):
    groups = nox.project.dependency_groups(PYPROJECT, "tests")
    session.install(*groups, *options)
    workers = str(os.cpu_count() + 1)  # a part of the tests only waits for locks
    session.run("pytest", "-n", workers, "--dist", "worksteal", *session.posargs)
