"""Callers, actions and IAM policies."""
