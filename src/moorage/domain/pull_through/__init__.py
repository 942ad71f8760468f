"""Pull-through cache: rules, the registries that they can name, and their refusals."""
