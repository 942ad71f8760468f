"""The registry endpoint: the OCI distribution protocol, over the same core as the ECR API."""
