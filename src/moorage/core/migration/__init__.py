"""Move a registry to another database, another blob store, or both."""
