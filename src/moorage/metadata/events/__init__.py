"""Rows of event targets and of events that wait for delivery."""
