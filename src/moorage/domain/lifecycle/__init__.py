"""Lifecycle policies: their grammar, and the selection of images. ECR user guide, "Lifecycle policies"."""
