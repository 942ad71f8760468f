"""Rules of replication: which images go where, and what refuses them."""
