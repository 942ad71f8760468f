"""Replication: copy the images of one registry to others.

A reaction to a push writes an entry for each destination (`outbox.py`), in the transaction of the push. A job for each
repository and destination replicates the entries (`streams.py`), through one of the kinds of destinations
(`destinations.py`).
A backfill does the same for older images (`backfills.py`, `backfill_jobs.py`).
"""
