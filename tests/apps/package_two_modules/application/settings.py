SQLALCHEMY_DATABASE_URI = "sqlite:///application.db"
