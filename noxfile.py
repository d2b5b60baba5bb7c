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
    session.install("--editable", ".")
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
def sqlalchemy_1(session):
    """Run the life cycles and faults in projects with SQLAlchemy 1.4."""
    old = os.path.abspath(".nox/old_libraries")
    session.run("python", "-m", "venv", old, silent=True)
    scripts = os.path.join(old, "Scripts" if os.name == "nt" else "bin")
    python = os.path.join(scripts, "python")
    install = [python, "-m", "pip", "install", "--quiet"]
    session.run(*install, "--requirement", "tests/sqlalchemy_1.txt", external=True)
    session.install(*nox.project.dependency_groups(PYPROJECT, "tests"))
    names = "single_file or three_files or package_two or any_engine or once or killed"
    names += " or half_way or holds_a_lock or under_migration or the_run_lock"
    names = f"({names}) and not postgresql"  # whose driver here needs SQLAlchemy 2
    session.run("pytest", "-n", "auto", "-k", names, env={"PROJECT_SCRIPTS": scripts})


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
