import enum
from datetime import datetime

from app import db


class Level(enum.Enum):
    low = 1
    high = 2


class Person(db.Model):  # full_name was name, mail was email
    id = db.Column(db.Integer, primary_key=True)
    full_name = db.Column(db.String(50), nullable=False, index=True)
    mail = db.Column(db.String(50), unique=True, server_default="nobody")
    notes = db.Column(db.String(20))
    age = db.Column(db.Integer, db.CheckConstraint("age > 0"), nullable=False)
    motto = db.Column(db.String(20), nullable=False)
    joined = db.Column(db.DateTime, nullable=False)
    is_active = db.Column(db.Boolean, nullable=False, default=True)
    level = db.Column(db.Enum(Level), nullable=False, default=Level.high)
    options = db.Column(db.JSON, nullable=False, default={"a": ["it's", 1]})


class Article(db.Model):  # was post
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(50), index=True, unique=True)
    slug = db.Column(db.String(40), unique=True)
    person_id = db.Column(db.ForeignKey("person.id", ondelete="CASCADE"))
    parent_id = db.Column(db.ForeignKey("article.id"))


class Remark(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    post_id = db.Column(db.ForeignKey("article.id"), nullable=False)
    origin_id = db.Column(db.ForeignKey("article.id"))  # was source_id
