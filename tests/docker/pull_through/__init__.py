"""The pull-through cache as clients see it, with real servers as upstream registries, and one that misbehaves."""
