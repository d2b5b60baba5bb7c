"""Server defaults that are hard to compare, and two renames."""

import os

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["APP_URL"]
db = SQLAlchemy(app)


identity = [db.Identity()] if "postgresql" in os.environ["APP_URL"] else []


class Item(db.Model):
    id = db.Column(db.Integer, *identity, primary_key=True)
    size = db.Column(db.Integer)
    price = db.Column(db.Numeric(10, 2), server_default="0")
    double = db.Column(db.Integer, db.Computed("size * 2", persisted=True))
    owner = db.Column(db.String(20), server_default="nobody's")
    data = db.Column(db.JSON, server_default=db.text("'{}'"))
    made = db.Column(db.DateTime, server_default=db.func.now())
    is_new = db.Column(db.Boolean, server_default=db.true())
    is_old = db.Column(
        db.Boolean, server_default=db.text(os.environ.get("OLD", "false"))
    )


if "NEW" in os.environ:

    class Room(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        number = db.Column(db.Integer, unique=True)

    class Note(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String(9), server_default="b")
        tone = db.Column(db.String(5), server_default="calm")

else:

    class Chamber(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        number = db.Column(db.Integer, unique=True)

    class Note(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        body = db.Column(db.String(9), server_default="a")
        mood = db.Column(db.String(5))
