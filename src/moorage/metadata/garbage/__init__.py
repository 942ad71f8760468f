"""Rows that garbage collection and verification read and delete."""
