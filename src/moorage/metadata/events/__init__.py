"""Rows of event targets and of the deliveries to them."""
