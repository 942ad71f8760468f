"""Authentication of AWS requests, and the STS endpoint."""
