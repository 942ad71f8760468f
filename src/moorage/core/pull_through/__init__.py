"""Pull-through cache: repositories whose images come from an upstream registry."""
