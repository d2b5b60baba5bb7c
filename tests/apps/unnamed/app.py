"""Constraints without a name, in a history whose first revision named nothing."""

import os

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["APP_URL"]
db = SQLAlchemy(app)
SECOND = bool(os.environ.get("SECOND"))


class Team(db.Model):
    id = db.Column(db.Integer, primary_key=True)


class Member(db.Model):
    __table_args__ = (db.UniqueConstraint("low", "high"),) if SECOND else ()
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(50), unique=True)
    team_id = db.Column(db.Integer if SECOND else db.ForeignKey("team.id"))
    low = db.Column(db.Integer)
    high = db.Column(db.Integer)
    if SECOND:
        age = db.Column(db.Integer, db.CheckConstraint("age > 0"), server_default="1")
        boss_id = db.Column(db.ForeignKey("member.id", ondelete="SET NULL"))


if SECOND:

    class AThingWithQuiteALongNameThatAMachineMustHaveMadeUp(db.Model):
        __table_args__ = (
            db.CheckConstraint("low < high"),
            db.CheckConstraint("low <> 7"),
            db.CheckConstraint("high < low + 100"),
        )
        id = db.Column(db.Integer, primary_key=True)
        low = db.Column(db.Integer, db.CheckConstraint("low > 0"))
        high = db.Column(db.Integer, index=True)
        done = db.Column(db.Boolean(create_constraint=True))
        member_of_the_team = db.Column(db.ForeignKey("member.id"), unique=True)
        kind = db.Column(sa.String(9), sa.CheckConstraint("kind in ('a', 'b')", name="k"))
