"""Repositories, images and layers: what ECR calls a registry, and its settings."""
