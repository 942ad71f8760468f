"""Implementations of the ports: one module, or a few, for each external system."""
