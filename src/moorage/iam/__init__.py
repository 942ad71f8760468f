"""IAM: the operations on users, access keys, roles, policies and identity providers. Handlers only translate."""
