"""Blobs in a folder of the local file system."""
