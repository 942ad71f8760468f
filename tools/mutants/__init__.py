"""Mutation checks: change one thing in a module of a topic, and see whether a test of the topic fails.

`make mutants` runs them. `surviving.toml` lists the changes that no test can notice, each with its reason.
"""
