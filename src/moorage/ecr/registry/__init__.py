"""ECR operations on repositories, images, layers, policies, creation templates and settings."""
