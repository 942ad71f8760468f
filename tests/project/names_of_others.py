"""Names of other programs in our texts, each list with its reason. Used by test_references.py."""

from __future__ import annotations

OPTIONS_OF_OTHERS = {
    "buildah": "--format --tls-verify",
    "cosign": "--allow-http-registry --insecure-ignore-tlog --key --new-bundle-format --tlog-upload"
    " --use-signing-config",
    "crane": "--insecure",
    "curl": "--cacert",
    "docker": "--detach --file --name --no-deps --password-stdin --publish --read-only --rm --stop-timeout --tag"
    " --volume",
    "helm": "--plain-http --set",
    "journalctl": "--output --unit",
    "kubectl": "--from-literal",
    "measure_lifecycle": "--images --remove",
    "mypy": "--strict",
    "oras": "--from-plain-http --plain-http --to-plain-http",
    "pip": "--no-deps --require-hashes --requirement",
    "make requirements": "--upgrade",
    "podman": "--cert-dir --tls-verify",
    "regctl": "--pass-stdin",
    "skopeo": "--dest-cert-dir --dest-tls-verify --src-cert-dir --src-tls-verify --tls-verify",
}
"""A text with one of these options also names the program."""

PLACEHOLDERS = {"--name", "--no-name", "--no"}
"""Used in the module that makes options of settings."""

GLOBAL_OPTIONS_OF_AWS = {"--endpoint-url", "--generate-cli-skeleton", "--output", "--query", "--region"}

WORDS_OF_OTHERS = {
    "KeySet": "a class of joserfc",
    "Link": "a header of HTTP",
    "OTEL_EXPORTER_OTLP_HEADERS": "a variable of OpenTelemetry's SDK",
    "OTEL_RESOURCE_ATTRIBUTES": "a variable of OpenTelemetry's SDK",
    "PyJWTError": "an exception of PyJWT",
    "UV_DEFAULT_INDEX": "a variable of uv",
    "config_path": "a setting of containerd",
    "noqa": "a comment of ruff",
    "pg_current_snapshot": "a function of PostgreSQL",
    "sendfile": "a system call",
    "SO_REUSEPORT": "an option of sockets",
    "sqlite3": "SQLite's command line",
    "sslmode": "a parameter of libpq",
    "synchronous_commit": "a setting of PostgreSQL",
    "x5u": "a header of JSON Web Signature",
}

DOTTED_OF_OTHERS = {
    "aws.request_id": "an attribute of OpenTelemetry",
    "client.address": "an attribute of OpenTelemetry",
    "http.disconnect": "a message of ASGI",
    "http.request.method": "an attribute of OpenTelemetry",
    "http.response.pathsend": "a message of ASGI",
    "http.response.status_code": "an attribute of OpenTelemetry",
    "harbor.artifact.pushed": "an event of Harbor",
    "zotregistry.image.updated": "an event of zot",
}

NOT_SYMBOLS = {"cfg", "com", "crt", "db", "json", "jsonl", "key", "lock", "md", "pem", "py", "sql", "toml", "yaml"}
"""Endings of names with dots that are files or hosts."""
