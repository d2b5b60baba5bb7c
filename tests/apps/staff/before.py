from app import db


class Person(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(50), nullable=False, index=True)
    email = db.Column(db.String(50), unique=True, server_default="nobody")
    notes = db.Column(db.String(20))


class Post(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(50), index=True, unique=True)
    slug = db.Column(db.String(40), unique=True)
    person_id = db.Column(db.ForeignKey("person.id", ondelete="CASCADE"))
    parent_id = db.Column(db.ForeignKey("post.id"))


class Remark(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    post_id = db.Column(db.ForeignKey("post.id"), nullable=False)
    source_id = db.Column(db.ForeignKey("post.id"), nullable=True)
