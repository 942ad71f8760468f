"""The PostgreSQL engine: one database for any number of nodes."""
