"""From any schema to any other, and back: the revision runs, and nothing is left to do."""

import json
import os
import sys
from functools import partial

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servers import database

APP = """
import json
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

schema = json.loads(Path(__file__).with_name("schema.json").read_text())
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = schema["url"]
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"poolclass": sa.NullPool}
db = SQLAlchemy(app, metadata=sa.MetaData(naming_convention=schema["names"] or None))

for name, columns in schema["tables"].items():
    db.Table(
        name,
        db.Column("id", db.Integer, primary_key=True),
        *(
            db.Column(
                column,
                eval(options["type"], vars(sa)),
                *[db.ForeignKey(options["target"])] if options["target"] else [],
                nullable=options["nullable"],
                unique=options["unique"],
                index=options["index"],
                server_default=options["default"],
            )
            for column, options in columns.items()
        ),
    )
"""
CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
TABLES = ["user", "post", "tag"]
# Of each column: the types that the database can turn into each other, and a value.
COLUMNS = {
    "size": (["Integer()", "BigInteger()"], 7),
    "title": (["String(20)", "String(40)"], "it is"),
    "is_open": (["Boolean()"], 1),
    "made": (["DateTime()"], "2020-01-01 00:00:00"),
    "price": (["Numeric(8, 2)"], "3.00"),
}


@st.composite
def columns(draw, name, tables):
    if name == "parent_id":
        target, types, default = (
            draw(st.sampled_from(tables)) + ".id",
            ["Integer()"],
            None,
        )
    else:
        target, (types, value) = None, COLUMNS[name]
        default = (
            None if draw(st.booleans()) or name in ("is_open", "made") else str(value)
        )
    return {
        "type": draw(st.sampled_from(types)),
        "target": target,
        "nullable": True if target else draw(st.booleans()),
        # MySQL can't change an index that a foreign key needs, whoever writes the revision.
        "unique": False if target else draw(st.booleans()),
        "index": True if target else draw(st.booleans()),
        "default": default,
    }


@st.composite
def schemas(draw):
    tables = sorted(draw(st.sets(st.sampled_from(TABLES), min_size=1)))
    names = st.lists(st.sampled_from([*COLUMNS, "parent_id"]), min_size=1, unique=True)
    return {  # without a circle of foreign keys, for which the models need use_alter
        table: {name: draw(columns(name, tables[: index + 1])) for name in draw(names)}
        for index, table in enumerate(tables)
    }


class Database:
    """A project whose schema is given, and the commands on it, in this process."""

    def __init__(self, project, url):
        self.project = project
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        project.write("app.py", APP)

    def clear(self):
        metadata = sa.MetaData()
        metadata.reflect(self.engine)
        metadata.drop_all(self.engine)
        for path in self.project.versions():
            path.unlink()

    def alembic(self, function, schema, *arguments, attributes=(), **options):
        url = self.engine.url.render_as_string(hide_password=False)
        self.project.write("schema.json", json.dumps({"url": url, **schema}))
        sys.modules.pop("app", None)
        config = Config(self.project.path / "alembic.ini")
        config.attributes.update(attributes)
        function(config, *arguments, **options)

    def add_rows(self, tables):
        """One row in each table, with a value in each column."""
        metadata = sa.MetaData()
        metadata.reflect(self.engine)
        with self.engine.begin() as connection:
            for table in tables:
                values = {
                    name: COLUMNS[name][1] for name in tables[table] if name in COLUMNS
                }
                if "is_open" in values:
                    values["is_open"] = sa.true()
                if "made" in values:
                    values["made"] = sa.literal_column(f"'{values['made']}'")
                connection.execute(
                    metadata.tables[table].insert().values(id=1, **values)
                )

    def rows(self, tables):
        metadata = sa.MetaData()
        metadata.reflect(self.engine)
        with self.engine.connect() as connection:
            return {
                name: connection.execute(
                    sa.select(metadata.tables[name].c[("id", *kept)])
                ).all()
                for name, kept in tables.items()
            }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_from_any_schema_to_any_other(kind, tmp_path, bake, monkeypatch):
    folder = tmp_path / "database"
    folder.mkdir()
    project = bake("random", app="app:app", db="app:db", database="sqlite")
    with database(kind, folder) as url:
        there = Database(project, url)
        monkeypatch.syspath_prepend(str(project.path))

        @settings(
            max_examples=int(os.environ.get("EXAMPLES", "3")),
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # shrinking would take minutes
            suppress_health_check=list(HealthCheck),
        )
        @given(schemas(), schemas(), st.sampled_from([CONVENTION, {}]))
        def goes_there_and_back(old, new, names):
            there.clear()
            old_alembic = partial(there.alembic, schema={"names": names, "tables": old})
            new_alembic = partial(there.alembic, schema={"names": names, "tables": new})
            old_alembic(command.revision, autogenerate=True)
            old_alembic(command.upgrade, revision="head")
            there.add_rows(old)
            kept = {
                table: sorted(old[table].keys() & new[table].keys())
                for table in old.keys() & new.keys()
            }
            before = there.rows(kept)
            values = [
                f"{table}.{name}:{COLUMNS[name][1]}"
                for table in kept
                for one, other in [(old, new), (new, old)]  # the downgrade's, too
                for name, options in other[table].items()
                if name not in one[table] and not options["nullable"]
                if options["default"] is None
            ]
            attributes = {"default": values, "allow-drops": True}
            new_alembic(command.revision, autogenerate=True, attributes=attributes)
            new_alembic(command.upgrade, revision="head")
            new_alembic(command.check)
            assert there.rows(kept) == before
            if len(project.versions()) == 2:
                new_alembic(command.downgrade, revision="-1")
                project.versions()[-1].unlink()
            old_alembic(command.check)
            assert there.rows(kept) == before

        goes_there_and_back()
