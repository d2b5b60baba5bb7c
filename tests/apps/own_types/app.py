"""An app with types of its own."""

import os

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from kinds import types
from op import Percent
from sqlalchemy.dialects import postgresql

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["APP_URL"]
db = SQLAlchemy(app)


class Name(sa.String):
    """In the module of the app itself."""


class Ware(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(Name(50))
    price = db.Column(types.Money)
    prices = db.Column(types.Money().with_variant(sa.ARRAY(types.Money), "postgresql"))
    data = db.Column(types.Document().with_variant(sa.JSON(), "mysql", "sqlite"))
    choice = db.Column(types.Choice(["a", "b"]))
    guid = db.Column(types.Guid("shop"))
    level = db.Column(types.EnumOf(types.Level))
    inner = db.Column(types.Outer.Inner)
    local = db.Column(types.made_here())
    point = db.Column(types.Point(10))
    tag = db.Column(sa.JSON().with_variant(postgresql.JSONB(), "postgresql"))
    if os.environ.get("SECOND"):
        tax = db.Column(Percent)
        other = db.Column(sa.String(9).with_variant(types.Point(), "mysql"))
