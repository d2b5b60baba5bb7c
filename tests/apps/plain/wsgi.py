from flask import Flask

from journal.database import Session

app = Flask(__name__)


@app.teardown_appcontext
def remove_session(error):
    Session.remove()
