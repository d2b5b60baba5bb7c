"""Server defaults that are hard to compare."""

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
    double = db.Column(db.Integer, db.Computed("size * 2", persisted=True))
    owner = db.Column(db.String(20), server_default="nobody's")
    data = db.Column(db.JSON, server_default=db.text("'{}'"))
    made = db.Column(db.DateTime, server_default=db.func.now())
    is_new = db.Column(db.Boolean, server_default=db.true())
    is_old = db.Column(
        db.Boolean, server_default=db.text(os.environ.get("OLD", "false"))
    )
