"""HTTP for the endpoints: requests, bodies with limits, responses, and the server that runs them."""
