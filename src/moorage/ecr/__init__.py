"""Entrance 1: the operations of the ECR API. Handlers translate; every rule is in `core`."""
