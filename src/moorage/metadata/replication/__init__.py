"""Rows of replication: configurations, entries that wait, images that arrived, and backfills."""
