"""Events of a registry, their delivery to event targets, and the audit log."""
