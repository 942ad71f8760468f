"""Garbage collection, undeletion and verification of stored data."""
