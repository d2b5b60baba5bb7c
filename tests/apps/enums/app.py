"""Enums of all kinds, which change in two stages."""

import enum
import os

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.dialects import postgresql

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["APP_URL"]
db = SQLAlchemy(app)
STAGE = int(os.environ.get("STAGE", "1"))
SCHEMA = os.environ.get("SCHEMA")


class Priority(enum.Enum):
    low = 1
    mid = 2
    if STAGE < 2:
        old = 3


class PriorityType(sa.TypeDecorator):
    impl = sa.Enum(Priority)
    cache_ok = True


STATES = {
    1: ["open", "closed", "it's: odd"],
    2: ["open", "waiting", "closed", "it's: odd", "100%"],
}
status = sa.Enum(*STATES[STAGE], name="status", metadata=db.metadata)
sizes = sa.Enum("s", "l", *["xl"][: STAGE - 1], name="size", schema=SCHEMA)
label = sa.Enum("bug", "idea", name="label")


class Ticket(db.Model):
    __table_args__ = (
        db.Index("busy", "id", postgresql_where=sa.text("state <> 'closed'")),
    )
    id = db.Column(db.Integer, primary_key=True)
    state = db.Column(status, nullable=False, server_default="open")
    labels = db.Column(
        sa.String(20).with_variant(sa.ARRAY(label), "postgresql"),
        server_default="{bug}",
    )
    priority = db.Column(PriorityType)
    kind = db.Column(sa.Enum("x", "y", name="kind", native_enum=False, length=9))
    theirs = db.Column(postgresql.ENUM("t", name="theirs", create_type=False))
    size = db.Column(sizes, sa.CheckConstraint("size <> 'l' OR kind IS NULL", name="large"))
    if STAGE == 1:
        gone = db.Column(sa.Enum("g", name="gone"))
    else:
        shade = db.Column(sa.Enum("dark", name="shade"), server_default="dark")
        other = db.Column(sizes, server_default="l")


class Note(db.Model):
    __table_args__ = {"schema": SCHEMA}
    id = db.Column(db.Integer, primary_key=True)
    state = db.Column(status)
    tone = db.Column(sa.Enum("calm", name="tone", schema=SCHEMA))


if STAGE > 1:

    class Log(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        state = db.Column(status)
        shade = db.Column(sa.Enum("dark", name="shade"))
