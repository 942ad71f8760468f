"""Settings: one table, from which options, environment variables, the TOML file and the documentation are derived.

kinds      how a text or a TOML value becomes a value of some type: duration, address, list, …
table      one entry: kind, default, help, and the commands that take it
settings   the table: `Settings`, a frozen dataclass whose fields are entries
checks     rules that concern more than one setting
sources    command line, then environment, then TOML file, then default; the only reader of the environment
"""
