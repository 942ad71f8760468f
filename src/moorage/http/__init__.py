"""HTTP for the endpoints, on plain ASGI: requests, bodies with limits, responses, and the server that runs them."""
