"""Secrets: encrypted values with versions, as in AWS Secrets Manager."""
