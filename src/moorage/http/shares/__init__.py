"""Shares of a worker process: nobody can take more than a share of its time and memory.

A request belongs to its caller once the caller has authenticated from this address before, and otherwise to the
address. So nobody can take another's share with a known access key id, nor get many shares with invented ones.
"""
