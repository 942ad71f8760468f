"""Lifecycle policies: stored, previewed and applied."""
