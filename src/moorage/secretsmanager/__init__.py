"""Secrets Manager: the operations for the secrets that this server may keep. Handlers only translate."""
