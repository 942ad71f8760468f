"""Names of other programs in our texts, each list with its reason. Used by test_references.py."""

from __future__ import annotations

OPTIONS_OF_OTHERS = {
    "buildah": "--format --tls-verify",
    "cosign": "--allow-http-registry --insecure-ignore-tlog --key --new-bundle-format --tlog-upload"
    " --use-signing-config",
    "crane": "--insecure",
    "curl": "--cacert",
    "ctr": "--hosts-dir",
    "docker": "--cache-from --cache-to --detach --file --name --no-deps --password-stdin --platform --publish --push"
    " --read-only --rm"
    " --stop-timeout --tag --use --volume",
    "hatchling": "--target",
    "helm": "--plain-http --set",
    "journalctl": "--output --unit",
    "kubectl": "--docker-password --docker-server --docker-username --from-literal --patch",
    "measure_lifecycle": "--images --remove",
    "mypy": "--strict",
    "notation": "--plugin-config",
    "oras": "--from-plain-http --plain-http --recursive --to-plain-http",
    "pg_dump": "--file --format",
    "pg_restore": "--dbname --no-owner",
    "pip": "--dest --find-links --no-deps --no-index --require-hashes --requirement --wheel-dir",
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
    "fpath": "a variable of zsh",
    "pipx": "a program",
    "AWS_ENDPOINT_URL_KMS": "a variable of AWS clients",
    "aws_kms_alias": "a data source of Terraform",
    "aws_kms_key": "a data source of Terraform",
    "sudo": "a program",
    "remap": "a transform of Vector",
    "imfile": "an input of rsyslog",
    "delaycompress": "an option of logrotate",
    "DB": "an option of Fluent Bit",
    "KeySet": "a class of joserfc",
    "Link": "a header of HTTP",
    "OTEL_EXPORTER_OTLP_HEADERS": "a variable of OpenTelemetry's SDK",
    "OTEL_RESOURCE_ATTRIBUTES": "a variable of OpenTelemetry's SDK",
    "PyJWTError": "an exception of PyJWT",
    "UV_DEFAULT_INDEX": "a variable of uv",
    "ca_file": "a setting of k3s",
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

FILES_OF_OTHERS = {"conftest.py", "test_images.py", "test_with_unittest.py"}
"""Files of the users of docs/testing.md."""

DOTTED_OF_OTHERS = {
    "docker.io": "a registry",
    "registry.k8s.io": "a registry",
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
