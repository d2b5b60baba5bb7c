"""An app whose database and engine options are given by the environment."""

import json
import os
import sqlite3
import time
from pathlib import Path

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["LEDGER_URL"]
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = json.loads(
    os.environ.get("LEDGER_OPTIONS", "{}")
)


@event.listens_for(Engine, "connect")
def enforce_foreign_keys(connection, record):
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA foreign_keys=ON")


if os.environ.get("LEDGER_BEGIN"):  # the recipe of SQLAlchemy's documentation

    @event.listens_for(Engine, "connect")
    def begin_nothing(connection, record):
        connection.isolation_level = None

    @event.listens_for(Engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN")


db = SQLAlchemy(app)


class Account(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(50))


class Entry(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    account_id = db.Column(db.ForeignKey("account.id", ondelete="CASCADE"))


if os.environ.get("LEDGER_BARRIER"):  # wait until so many processes are here
    folder, number = os.environ["LEDGER_BARRIER"].split(":")
    Path(folder, str(os.getpid())).touch()
    end = time.monotonic() + 60
    while len(os.listdir(folder)) < int(number) and time.monotonic() < end:
        time.sleep(0.01)
