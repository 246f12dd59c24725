"""What is kept and how it changes: SQLAlchemy, no web."""
