"""The use cases of the registry, in a package for each topic; called by the endpoints, commands and jobs."""
