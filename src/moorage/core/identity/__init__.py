"""Who is asking, and what they may do: credentials, sessions, roles, IAM policies."""
