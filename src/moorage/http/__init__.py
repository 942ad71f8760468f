"""HTTP as the doors see it, on bare ASGI: requests, bodies with limits, responses, and the server that runs them."""
