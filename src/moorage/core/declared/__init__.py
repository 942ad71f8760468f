"""Declared state: a file that describes an account, its identities and its registries, and how it is applied."""
