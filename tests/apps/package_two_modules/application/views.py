from application import app
from application.models import Note, db


@app.route("/notes")
def notes():
    return [note.text for note in db.session.scalars(db.select(Note))]
