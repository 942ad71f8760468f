"""Identity: accounts, credentials, sessions, roles, IAM policies and access decisions."""
