"""Garbage collection: what is removed, when, and how to keep it or bring it back."""
