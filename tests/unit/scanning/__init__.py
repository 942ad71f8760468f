"""Scanning: filters, statuses, findings and jobs, without a server."""
