"""What the registry does: one topic a file, called by both doors."""
