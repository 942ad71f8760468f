"""Tables of all commands: which of them change something, what their audit records have, and which of them read."""

from __future__ import annotations

import json
from typing import Any

from moorage.domain.identity.root_keys import FIRST_ACCOUNT
from tests.support.issuer import Issuer

PROFILE = f"arn:aws:signer:us-east-1:{FIRST_ACCOUNT}:/signing-profiles/web"
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}})
TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}}
)
KEYS = Issuer("https://issuer.example").key_set()
KEY_IDS = [key["kid"] for key in json.loads(KEYS)["keys"]]
ACCOUNT = "123456789012"
FULL = "AmazonEC2ContainerRegistryFullAccess"
URL = "https://hooks.example:8443/services/T0/secret-path?token=abc"
HUB_SECRET = "ecr-pullthroughcache/hub"
ACCESS_TOKEN = "dckr_pat_0123456789"
SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="

CHANGES: tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...] = (
    ("account create", (ACCOUNT,), {"account_id": ACCOUNT}),
    ("user create", ("ann", "--policy", FULL), {"name": "ann", "policies": [FULL], "account": FIRST_ACCOUNT}),
    ("user attach", ("ann", "AmazonEC2ContainerRegistryReadOnly"), {"policy": "AmazonEC2ContainerRegistryReadOnly"}),
    ("user detach", ("ann", FULL), {"policy": FULL}),
    ("user put-policy", ("ann", "inline", "-"), {"policy": "inline", "document": ALLOW}),
    ("user delete-policy", ("ann", "inline"), {"policy": "inline"}),
    ("key create", ("--user", "ann"), {"name": "ann"}),
    ("key rotate", ("--user", "ann", "--now"), {"name": "ann", "at_once": True}),
    ("key activate", ("KEY",), {}),
    ("key deactivate", ("KEY",), {}),
    ("key delete", ("KEY",), {}),
    ("user delete", ("ann",), {"name": "ann"}),
    ("policy create", ("mine", "-"), {"name": "mine", "document": ALLOW}),
    ("policy update", ("mine", "-"), {"name": "mine", "document": ALLOW}),
    ("policy delete", ("mine",), {"name": "mine"}),
    ("role create", ("ci", "--trust", "-"), {"name": "ci", "document": TRUST, "path": "/"}),
    ("role trust", ("ci", "-"), {"document": TRUST}),
    ("role limit", ("ci", "7200"), {"max_session": 7200}),
    ("role attach", ("ci", FULL), {"policy": FULL}),
    ("role detach", ("ci", FULL), {"policy": FULL}),
    ("role put-policy", ("ci", "inline", "-"), {"document": ALLOW}),
    ("role delete-policy", ("ci", "inline"), {}),
    ("role delete", ("ci",), {}),
    ("console", (), {}),
    ("oidc put", ("https://issuer.example", "--audience", "a", "--keys", "-"), {"audiences": ["a"], "keys": KEY_IDS}),
    ("oidc delete", ("https://issuer.example",), {"issuer": "https://issuer.example"}),
    ("webhook add", (URL, "--secret", SECRET), {"url": "https://hooks.example:8443"}),
    ("webhook change", ("WEBHOOK", "--format", "cloudevents"), {}),
    ("webhook remove", ("WEBHOOK",), {}),
    ("secret put", (HUB_SECRET, "--username", "ann"), {"name": HUB_SECRET, "username": "ann"}),
    ("secret delete", (HUB_SECRET,), {"name": HUB_SECRET}),
    ("secret restore", (HUB_SECRET,), {"name": HUB_SECRET}),
    ("pull-through set", ("quay", "--refresh", "1h"), {"prefix": "quay", "refresh": 3600.0}),
    (
        "destination set",
        ("eu-west-1", ACCOUNT, "https://registry.example", "--username", "ann", "--secret-file", "-"),
        {"to_region": "eu-west-1", "to_account": ACCOUNT, "url": "https://registry.example", "username": "ann"},
    ),
    ("destination remove", ("eu-west-1", ACCOUNT), {"to_region": "eu-west-1"}),
    (
        "replication retry",
        ("--destination", "eu-west-1", ACCOUNT, "--repository", "team/app"),
        {"destination": ["eu-west-1", ACCOUNT], "repository": "team/app"},
    ),
    ("jobs retry", ("old", "1"), {"kind": "old", "key": "1"}),
    ("jobs drop", ("old", "1", "--yes"), {"kind": "old", "key": "1"}),
    ("undelete", ("team/app", "v1"), {"repository": "team/app", "reference": "v1"}),
    ("collect", ("--grace", "0"), {"grace": 0.0}),
    ("verify", (), {}),
    ("adopt-blobs", (), {}),
    ("signing-profile create", ("web",), {"name": "web", "account": FIRST_ACCOUNT}),
    ("signing-profile share", ("web", "--with", ACCOUNT), {"name": "web", "accounts": [ACCOUNT]}),
    ("signing-profile rotate-root", ("--yes",), {}),
    ("signing-profile revoke", ("web", "--reason", "lost"), {"name": "web", "reason": "lost"}),
    ("signing-profile create", ("app", "--region", "eu-west-1"), {"name": "app", "profile_region": "eu-west-1"}),
    ("signing require", ("team/*", "--notation-profile", PROFILE), {"pattern": "team/*", "profile": PROFILE}),
    ("signing unrequire", ("REQUIREMENT",), {}),
    ("signing-profile cancel", ("app", "--region", "eu-west-1"), {"name": "app"}),
    ("master-key rotate", ("NEW_KEY",), {}),
    ("apply", ("FILE", "--yes"), {}),
    ("backup", ("BACKUP", "--with-secrets"), {"with_secrets": True}),
)
"""Commands in an order that works, with their words, and some of the parameters that are recorded."""

OMITTED = {"secret", "yes", "rate"}
"""Parameters that are secret, or that change only how the command works."""

ELSEWHERE = {
    *("import distribution", "import images", "import registry", "import ecr", "restore"),
    "migrate",
    "webhook retry",
    "scanner update",
    "signing-profile import-root",
    "signing-profile revoke-signature",
    "signing retry",
}
"""Changing commands with tests of their own: a move, failed deliveries (tests/api/events), roots and signatures."""

READS = {
    *("serve", "run", "ready", "env", "ecr", "bench", "explain", "why", "usage", "tls ca", "scanner status", "sbom"),
    *("export settings", "export images"),
    *("account list", "user list", "key list", "role list", "role show", "policy list", "policy show", "oidc list"),
    *("user show-policy", "role show-policy", "webhook list", "webhook test", "webhook failed", "jobs list"),
    *("secret list", "pull-through list", "destination list", "replication status"),
    *("signing requirements", "signing-profile list", "signing-profile trust", "signing-profile export-root"),
}
"""Commands that change nothing, or whose changes the server records because they call it."""
