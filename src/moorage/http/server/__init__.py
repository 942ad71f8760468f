"""The HTTP/1.1 server: a supervisor process, worker processes with one event loop each, and their connections."""
