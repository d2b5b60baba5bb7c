from flask import Flask

app = Flask(__name__)
app.config.from_object("application.settings")

from application import models, views  # noqa: E402, F401
