"""Facts and rules of a registry: no input or output, no clock, no framework."""
