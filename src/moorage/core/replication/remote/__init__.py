"""Destinations outside this server: another Moorage, a real ECR, or any other OCI registry.

What arrives, and in which order, follows from what the destination has: nothing is remembered that it could contradict.
Layers come first, the images of an index before the index, and a tag last.
"""
