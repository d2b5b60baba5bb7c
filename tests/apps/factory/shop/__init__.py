from flask import Flask

from shop.extensions import db


def create_app(config_name, debug=False):
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{config_name}.db"
    app.debug = debug
    db.init_app(app)

    from shop import models  # noqa: F401

    return app
