"""Rows of migrations between databases, and the tables as a migration copies them."""
