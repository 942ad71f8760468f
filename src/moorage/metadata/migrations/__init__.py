"""The schema's history: one numbered SQL file a step, additive, applied in order and never edited once released."""
