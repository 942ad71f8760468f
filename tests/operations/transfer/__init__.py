"""Replication to destinations outside the server: a second Moorage, and CNCF Distribution."""
