"""Rows of lifecycle policies and their previews."""
