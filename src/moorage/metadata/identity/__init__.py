"""Rows of accounts, users, access keys, roles and their policies."""
