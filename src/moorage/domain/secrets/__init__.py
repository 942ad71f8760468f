"""Secrets, as in AWS Secrets Manager: their names, ARNs and refusals."""
