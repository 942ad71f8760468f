"""Signing: certificates, envelopes and profiles, without a server."""
