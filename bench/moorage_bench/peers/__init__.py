"""Registries that the benchmark starts itself: each with its own folder and its own port on the loopback interface."""
