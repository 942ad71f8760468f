"""Floods: requests that try to take a server's memory, connections or time, while an honest client works.

`python -m moorage_bench.floods` runs them, one after the other, against a server on this machine.
"""
