"""Files with declarations: read with the constraints of ECR's service model, and described by a JSON schema."""
