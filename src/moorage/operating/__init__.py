"""The operating API: a service of Moorage's own at the API endpoint. Handlers only translate."""
