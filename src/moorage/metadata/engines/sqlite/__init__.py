"""The SQLite engine: the embedded database."""
