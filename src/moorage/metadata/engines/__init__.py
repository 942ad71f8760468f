"""The two database engines, SQLite and PostgreSQL, and what they have in common."""
