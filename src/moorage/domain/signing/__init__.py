"""Signing: profiles, rules for signing on push, certificates and Notation signatures."""
