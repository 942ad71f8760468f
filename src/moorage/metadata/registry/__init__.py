"""Rows of repositories, images, layers and registry settings."""
