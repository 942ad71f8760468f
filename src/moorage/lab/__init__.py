"""Lab mode: what tests can do with a server besides using it. A server without it does not import this package."""
