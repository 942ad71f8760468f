"""Manifests, encryption and quotas: facts about the contents of a registry."""
