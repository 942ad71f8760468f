"""TLS certificates: the operator's own, and those of the built-in authority."""
