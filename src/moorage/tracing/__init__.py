"""OpenTelemetry traces, for `moorage serve --traces`; otherwise not imported.

Tracing wraps the application, the database and the blob store, which know nothing of it.
"""
