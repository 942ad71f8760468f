"""Traces in the form of OpenTelemetry, when `moorage serve` is asked for them; without, none of this is imported.

What is traced is wrapped: the application, the database and the blob store each stay as they are.
"""
