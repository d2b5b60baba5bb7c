import os

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, scoped_session, sessionmaker

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
engine = create_engine("sqlite:///" + os.path.join(root, "journal.db"))
Session = scoped_session(sessionmaker(engine))


class Base(DeclarativeBase):
    pass
