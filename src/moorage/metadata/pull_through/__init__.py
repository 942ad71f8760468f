"""Rows of the pull-through cache."""
