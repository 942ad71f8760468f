"""Lifecycle policies: their grammar, and which images their rules choose. ECR user guide, "Lifecycle policies"."""
