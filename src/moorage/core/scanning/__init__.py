"""Scanning of images: configurations, scans on push and on request, continuous scans, and their results."""
