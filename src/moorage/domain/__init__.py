"""The rules of a registry, as pure functions and values: no input or output, no clock, no framework."""
