"""Vulnerability scanners: Grype as a confined program, and any scanner with Harbor's scanner-adapter API."""
