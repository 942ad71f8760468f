"""The docker door: the OCI distribution protocol, over the same core as the ECR API."""
