"""Scanners: the same contract for each adapter, and what confines a scanner that is a program."""
