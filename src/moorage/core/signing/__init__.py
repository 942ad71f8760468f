"""Signing: profiles and their keys, signatures of pushed images, and pulls that need a signature."""
