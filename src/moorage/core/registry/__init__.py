"""The use cases of a registry: repositories, images, layers, policies and settings."""
