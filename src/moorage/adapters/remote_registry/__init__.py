"""A client of the OCI distribution protocol that trusts no answer: for upstreams and for replication."""
