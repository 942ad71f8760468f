"""Scanning of images for known vulnerabilities: the port of scanners, and the rules of ECR's scanning."""
