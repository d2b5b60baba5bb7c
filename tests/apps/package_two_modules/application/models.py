from flask_sqlalchemy import SQLAlchemy

from application import app

db = SQLAlchemy(app)


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(200), nullable=False)
    # new columns
