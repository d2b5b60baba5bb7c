"""The default database and a bind, each with a table."""

import os

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("MAIN_URL", "sqlite:///main.db")
app.config["SQLALCHEMY_BINDS"] = {
    "audit-log": os.environ.get("AUDIT_URL", "sqlite:///audit.db"),
    "foreign": "sqlite:///foreign.db",
}
db = SQLAlchemy(app)


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(50))


class Event(db.Model):
    __bind_key__ = "audit-log"
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(50))
