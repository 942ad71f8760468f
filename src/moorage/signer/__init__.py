"""Signer: the operations for signing profiles and their signatures. Handlers only translate."""
