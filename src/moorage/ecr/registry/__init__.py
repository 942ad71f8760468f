"""ECR operations on repositories, images, layers and registry settings."""
