from sqlalchemy.orm import Mapped, mapped_column

from journal.database import Base


class Page(Base):
    __tablename__ = "page"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
