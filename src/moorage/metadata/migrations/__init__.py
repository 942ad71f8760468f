"""The history of the schema: one numbered SQL file per step, additive, applied in order, never edited once released."""
