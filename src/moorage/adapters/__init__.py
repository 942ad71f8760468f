"""Implementations of the ports: one file, or a few, per thing outside."""
