"""Rows of everything that is stored beside images: as many of each kind as the large repository has images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.lifecycle.previews import PreviewResult
from moorage.metadata.registry.repositories import Repository

HERE: Final = Registry("000000000000", "us-east-1")
THERE: Final = Registry("000000000000", "eu-west-1")
PROFILE: Final = f"arn:aws:signer:{HERE.region}:{HERE.account}:/signing-profiles/profile"


class Repositories(Protocol):
    """The part of what is filled that the rows refer to."""

    @property
    def large(self) -> Repository: ...

    @property
    def images(self) -> int: ...


def digest_of(*parts: object) -> str:
    return "sha256:" + hashlib.sha256(repr(parts).encode()).hexdigest()


def account(number: int) -> str:
    return f"{number:012}"


Row = Callable[[int, int], tuple[Any, ...]]
"""The row with a number; the second argument is the id of the large repository."""


def _preview_results(number: int) -> bytes:
    result = PreviewResult(number + 1, digest_of("selected", number), (), 1, False, "expire", 1)
    return msgspec.msgpack.encode([result])


_HERE: Final = (HERE.account, HERE.region)
_THERE: Final = (THERE.account, THERE.region)
_TEXT: Final = "text"
_OPTIONS: Final = (
    '{"tags": [], "versions": "", "only_signed": false, "rewrites": [], "realms": [], "private_networks": false,'
    ' "bytes_per_second": 0, "at_once": 4}'
)

_ROWS: Final[dict[str, tuple[str, Row]]] = {
    # --- Accounts and identities
    "account": ("id created_at", lambda n, _: (account(n), 1)),
    "iam_user": ("id account name created_at", lambda n, _: (f"AIDA{n:017}", HERE.account, f"user-{n}", 1)),
    "access_key": (
        "id user_id sealed_secret active created_at",
        lambda n, _: (f"AKIA{n:016}", f"AIDA{n:017}", b"secret", 1, 1),
    ),
    "iam_role": (
        "id account name path trust_policy max_session_seconds created_at",
        lambda n, _: (f"AROA{n:017}", HERE.account, f"role-{n}", "/", "{}", 3600, 1),
    ),
    "iam_policy": ("account name document created_at", lambda n, _: (HERE.account, f"policy-{n}", "{}", 1)),
    "iam_policy_version": (
        "account name version document created_at",
        lambda n, _: (HERE.account, f"policy-{n}", 1, "{}", 1),
    ),
    "inline_policy": ("identity_id name document", lambda n, _: (f"AIDA{n:017}", "inline", "{}")),
    "attached_policy": (
        "identity_id policy_account policy_name",
        lambda n, _: (f"AIDA{n:017}", HERE.account, f"policy-{n}"),
    ),
    "console_session": (
        "id account principal session_key sealed_token client user_agent started_at expires_at is_link",
        lambda n, _: (f"session-{n:07}", HERE.account, f"arn-{n % 100}", "ASIA", b"token", "", "", n, n, n % 2),
    ),
    "identity_provider": (
        "account issuer audiences key_set created_at",
        lambda n, _: (account(n), "https://issuer", "[]", "{}", 1),
    ),
    # --- Registries: each has its settings
    "account_setting": (
        "account region name value",
        lambda n, _: (account(n), HERE.region, "BLOB_MOUNTING", "ENABLED"),
    ),
    "registry_policy": ("account region text", lambda n, _: (account(n), HERE.region, _TEXT)),
    "pull_time_exclusion": ("account region principal created_at", lambda n, _: (account(n), HERE.region, "arn", 1)),
    "repository_template": (
        (
            "account region prefix given applied_for tag_mutability exclusion_filters encryption_type resource_tags"
            " created_at updated_at"
        ),
        lambda n, _: (account(n), HERE.region, "team", "team", "[]", "MUTABLE", "[]", "AES256", "{}", 1, 1),
    ),
    "pull_through_rule": (
        "account region prefix given url upstream_prefix created_at updated_at",
        lambda n, _: (account(n), HERE.region, "team", "team", "registry.example", "", 1, 1),
    ),
    "registry_scanning": (
        "account region scan_type rules enhanced_at applied_type applied_rules",
        lambda n, _: (account(n), HERE.region, "BASIC", "[]", 0, "BASIC", "[]"),
    ),
    "replication_configuration": ("account region rules changed_at", lambda n, _: (account(n), HERE.region, "[]", 1)),
    "signing_configuration": ("account region rules", lambda n, _: (account(n), HERE.region, "[]")),
    "signature_requirement": (
        "id account region filter kind trusted created_at",
        lambda n, _: (f"requirement-{n}", account(n), HERE.region, "*", "notation-profile", "arn", 1),
    ),
    "secret": (
        "id account region name suffix description tags created_at changed_at delete_at",
        lambda n, _: (f"secret-{n}", *_HERE, f"name-{n:07}", "abcdef", "", "{}", 1, 1, None if n % 2 else n),
    ),
    "secret_version": (
        "id secret_id version sealed_secret is_binary stages created_at",
        lambda n, _: (f"version-{n}", f"secret-{n}", "token", b"secret", 0, "[]", 1),
    ),
    # --- Repositories
    "resource_tag": ("repository_id key value", lambda n, large: (large, f"key-{n}", "value") if n < 40 else ()),
    "upload": (
        "id repository_id owner size parts last_part short_part created_at",
        lambda n, large: (f"upload-{n}", large, f"AIDA{n:017}", 1, 1, 1, 0, n),
    ),
    "finished_upload": (
        "id repository_id owner digest finished_at",
        lambda n, large: (f"finished-{n}", large, f"AIDA{n:017}", digest_of("blob", n), n),
    ),
    "upload_state": ("upload version state", lambda n, _: (f"upload-{n}", 1, b"state")),
    "awaited_layer": (
        "repository_id digest image_id media_type",
        lambda n, large: (large, digest_of("awaited", n), n + 1, "type"),
    ),
    "image_annotations": ("image_id annotations", lambda n, _: (n + 1, '{"a": "b"}')),
    "removed_image": (
        "id account region repository digest media_type body removed_at",
        lambda n, _: (n + 1, *_HERE, "large/app", digest_of("removed", n), "type", b"{}", n),
    ),
    "removed_tag": ("removed_id name", lambda n, _: (n + 1, f"v{n:07}")),
    "removed_layer": ("removed_id blob_id repository_id", lambda n, large: (n + 1, n + 1, large)),
    "removed_bytes": ("name kind digest size due_at", lambda n, _: (f"key-{n}", "blob", digest_of("gone", n), 1, n)),
    "cached_manifest": (
        "repository_id digest media_type body fetched_at",
        lambda n, large: (large, digest_of("cached", n), "type", b"{}", 1),
    ),
    "cached_blob": (
        "repository_id digest manifest size",
        lambda n, large: (large, digest_of("cached blob", n), digest_of("cached", n), 1),
    ),
    "cached_tag": ("repository_id tag digest check_at", lambda n, large: (large, f"c{n}", digest_of("cached", n), n)),
    "fetching": ("item lease lease_end", lambda n, _: (f"item-{n}", f"lease-{n}", n)),
    # --- Jobs and events
    "job": (
        "kind key payload state due_at attempts",
        lambda n, _: ("scan", f"key-{n:07}", "{}", "waiting" if n % 2 else "dead", n, 1),
    ),
    "webhook": (
        "id url events sealed_secret created_at",
        lambda n, _: (f"target-{n}", "http://example.org", "[]", b"secret", 1) if n < 5 else (),
    ),
    "delivery": (
        "webhook_id stream event_id body recorded_at",
        lambda n, _: ("target-1", f"stream-{n}", f"event-{n}", "{}", n),
    ),
    # --- Replication
    "replication_entry": (
        "account region repository digest tag action to_account to_region created_at version failed_at",
        lambda n, _: (*_HERE, "large/app", digest_of("image", n), "", "COPY", *_THERE, 1, 1, None if n % 2 else n + 1),
    ),
    "replicated_image": (
        "repository_id digest to_account to_region copied_at",
        lambda n, large: (large, digest_of("image", large, n), *_THERE, 1),
    ),
    "replica": (
        "repository_id digest from_account from_region copied_at",
        lambda n, large: (large, digest_of("copy", n), *_THERE, 1),
    ),
    "replication_backfill": (
        (
            "id account region to_account to_region status started_at ended_at is_prepared at_repository at_image total"
            " completed failed failure_codes"
        ),
        lambda n, _: (f"backfill-{n}", *_HERE, *_THERE, "COMPLETE", n, n + 1, 1, "", 0, 1, 1, 0, "[]"),
    ),
    "replication_backfill_result": (
        "backfill_id position repository digest tag status",
        lambda n, _: ("backfill-7", n, "large/app", digest_of("image", n), "", "COMPLETE" if n % 2 else "WAITING"),
    ),
    "replication_destination": (
        "id account region url sealed_secret options changed_at",
        lambda n, _: (f"{HERE.region}/{account(n)}", account(n), HERE.region, "https://example.org", b"s", _OPTIONS, 1),
    ),
    "replication_upload": (
        "destination repository digest location saved_at",
        lambda n, _: (f"{HERE.region}/{account(0)}", "app", digest_of("layer", n), "https://example.org", n),
    ),
    # --- Scans and signatures
    "image_scan": (
        (
            "image_id scan_type outcome reason requested_at completed_at source_at database_id scanner counts"
            " generation is_watched"
        ),
        lambda n, _: (n + 1, "BASIC", "DONE", "", 1, 1, 0, "", "", "{}", 1, 0),
    ),
    "scan_finding": (
        "image_id generation position id first_seen_at body",
        lambda n, _: (n + 1, 1, 0, f"{n:032x}", 1, "{}"),
    ),
    "signing_root": (
        "id account certificate sealed_key is_current created_at",
        lambda n, _: (f"root-{n}", account(n), b"certificate", b"key", 1, 1),
    ),
    "signing_profile": (
        (
            "id account region name version is_current status root_id certificate certificate_hash sealed_key"
            " validity_value validity_type tags shared_with created_at ends_at"
        ),
        lambda n, _: (
            f"{PROFILE}-{n:07}/v",
            *_HERE,
            f"profile-{n:07}",
            "v",
            1,
            "Active" if n % 2 else "Canceled",
            "root-1",
            b"certificate",
            f"hash-{n}",
            b"key",
            1,
            "DAYS",
            "{}",
            "[]",
            n,
            n,
        ),
    ),
    "signing_job": (
        "id account region profile_version requested_by created_at ends_at",
        lambda n, _: (f"job-{n}", *_HERE, f"{PROFILE}-{n:07}/v", "arn", n, n),
    ),
    "image_signing": ("image_id profile status pusher", lambda n, _: (n + 1, PROFILE, "FAILED", "{}")),
    # --- Lifecycle policies
    "lifecycle_preview": (
        "repository_id policy is_complete started_at expiring archiving",
        lambda n, large: (large, "{}", 1, 1, 0, 0) if n == 0 else (),
    ),
    "lifecycle_preview_page": (
        "repository_id is_tagged last_image results",
        lambda n, large: (large, n % 2, n + 1, _preview_results(n)),
    ),
    "lifecycle_policy": ("repository_id policy evaluated_at", lambda n, large: (large + n, "{}", 0)),
    "repository_policy": ("repository_id text", lambda n, large: (large + n, _TEXT)),
}
"""Columns and rows by table. An empty row is not added."""

_OF_REPOSITORIES: Final = frozenset({"lifecycle_policy", "repository_policy"})


def fill_beside(tx: Transaction, filled: Repositories) -> None:
    """Add the rows of all tables, in the order of their references."""
    for table, (columns, row) in _ROWS.items():
        number = filled.images // 10 if table in _OF_REPOSITORIES else filled.images
        rows = [made for made in (row(each, filled.large.id) for each in range(number)) if made]
        tx.fill(table, columns.split(), rows)
