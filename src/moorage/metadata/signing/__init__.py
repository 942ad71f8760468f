"""Rows of signing: profiles with their keys, signing jobs, the statuses of images, and configurations."""
