"""Lifecycle policies: store them, preview them and apply them."""
