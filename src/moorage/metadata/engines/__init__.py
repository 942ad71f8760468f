"""The two database engines, SQLite and PostgreSQL, and their common parts."""
