from config import app, db
from models import Post


@app.route("/")
def index():
    posts = db.session.scalars(db.select(Post))
    return "".join(f"<h1>{post.title}</h1><p>{post.content}</p>" for post in posts)


if __name__ == "__main__":
    app.run()
