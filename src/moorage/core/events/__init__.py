"""Events of a registry, their delivery to targets, and the audit log."""
