"""Folders and files with images: those of other registries, OCI layouts, and bundles."""
