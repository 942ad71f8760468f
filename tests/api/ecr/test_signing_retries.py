"""Signatures that failed and are tried again (`moorage signing retry`)."""

from __future__ import annotations

import json

from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.pushing import push
from tests.api.ecr.signing import REGION, SigningRegistry, arn_of
from tests.api.ecr.wire import client_of
from tests.support.images import Image, image
from tests.support.server import Server


def retried(registry: SigningRegistry, *words: str) -> str:
    return registry.moorage("signing", "retry", *words, "--region", REGION).strip()


def codes(registry: SigningRegistry, repository: str, pushed: Image) -> list[str]:
    """The failure codes of an image's signatures, or their statuses."""
    found = registry.statuses(repository, pushed.manifest.digest)
    return [found[name].get("failureCode", found[name]["status"]) for name in sorted(found)]


def recorded(server: Server) -> list[object]:
    """What the audit log says of the retries so far; the tests of a process share the server."""
    records = [json.loads(line) for line in (server.data / "audit.jsonl").read_text().splitlines()]
    return [each["responseElements"] for each in records if each["eventName"] == "signing retry"]


def test_a_failed_signature_is_made_after_its_cause_is_gone(registry: SigningRegistry, server: Server) -> None:
    name, repository, before = registry.profile(), registry.repository(), len(recorded(server))
    registry.configure(arn_of(name), arn_of("not_there_yet"))
    pushed = push(registry.ecr, repository, image(seed=71), "v1")
    assert codes(registry, repository, pushed) == ["ResourceNotFoundException", "COMPLETE"]

    assert retried(registry, "other/*") == "Failed signatures that are tried again: 0."
    assert retried(registry, repository) == "Failed signatures that are tried again: 1."
    assert codes(registry, repository, pushed) == ["ResourceNotFoundException", "COMPLETE"]

    registry.moorage("signing-profile", "create", "not_there_yet", "--region", REGION)
    assert retried(registry, repository) == "Failed signatures that are tried again: 1."
    assert codes(registry, repository, pushed) == ["COMPLETE", "COMPLETE"]
    assert len(registry.signatures(repository, pushed.manifest.digest)) == 2
    assert retried(registry, repository) == "Failed signatures that are tried again: 0."

    assert recorded(server)[before:] == [{"signatures": 1}, {"signatures": 1}]


def test_it_is_made_for_who_pushed_who_must_be_allowed_by_then(
    registry: SigningRegistry, colleague: KeyedUser, server: Server
) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    ecr = client_of(server, region=REGION, aws_access_key_id=colleague.key, aws_secret_access_key=colleague.secret)
    pushed = push(ecr, repository, image(seed=72), "v1")
    assert codes(registry, repository, pushed) == ["AccessDeniedException"]

    retried(registry)
    assert codes(registry, repository, pushed) == ["AccessDeniedException"]

    statement = {"Effect": "Allow", "Action": "signer:SignPayload", "Resource": arn_of(name)}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    server.moorage("user", "put-policy", colleague.name, "signing", "-", stdin=policy)
    retried(registry)
    assert codes(registry, repository, pushed) == ["COMPLETE"]
    server.moorage("user", "delete-policy", colleague.name, "signing")
