from flask import Flask

from .database import db


def create_app():
    app = Flask(__name__, instance_relative_config=True)
    app.config.from_mapping(SQLALCHEMY_DATABASE_URI="sqlite:///shelf.db")
    db.init_app(app)
    return app
