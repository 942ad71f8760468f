"""Manifests, encryption, quotas and settings: values and rules for the contents of a registry."""
