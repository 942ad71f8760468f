"""Migration of a whole registry to another database, another blob store, or both."""
