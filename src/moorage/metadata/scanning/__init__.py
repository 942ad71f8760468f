"""Scanning: the configuration of each registry, the scans of images, and what they found."""
