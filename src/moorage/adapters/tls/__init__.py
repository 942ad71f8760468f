"""TLS certificates: given ones, and those of a built-in authority."""
