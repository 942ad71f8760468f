"""Signer by boto3: profiles, signatures and revocations, as Terraform, the AWS command line and verifiers use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moorage.domain.signing.envelope import PAYLOAD_TYPE
from moorage.domain.signing.profiles import PLATFORM
from tests.api.ecr.wire import refusal
from tests.api.services.calls import ACCOUNT, Person, allow, client_of, person_with
from tests.support.server import Server

ARN = f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/"
PAYLOAD = json.dumps(
    {
        "targetArtifact": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:" + "0a" * 32,
            "size": 3,
        }
    }
).encode()


def missing(name: str) -> tuple[int, str, str]:
    return 404, "ResourceNotFoundException", f"there is no signing profile {ARN}{name}"


# --- Profiles -----------------------------------------------------------------------------------------------------


def test_a_profile_is_created_read_tagged_and_canceled_as_terraform_does(signer: Any) -> None:
    """`internal/service/signer/signing_profile.go`: a canceled profile counts as deleted."""
    created = signer.put_signing_profile(
        profileName="of_terraform",
        platformId=PLATFORM,
        signatureValidityPeriod={"type": "MONTHS", "value": 12},
        tags={"team": "a"},
    )
    read = signer.get_signing_profile(profileName="of_terraform")

    assert created["arn"] == read["arn"] == f"{ARN}of_terraform"
    assert created["profileVersionArn"] == read["profileVersionArn"] == f"{read['arn']}/{read['profileVersion']}"
    assert read["signatureValidityPeriod"] == {"type": "MONTHS", "value": 12}
    assert (read["status"], read["platformId"], read["tags"]) == ("Active", PLATFORM, {"team": "a"})
    assert "revocationRecord" not in read

    signer.untag_resource(resourceArn=created["arn"], tagKeys=["team"])
    signer.tag_resource(resourceArn=created["arn"], tags={"stage": "b", "more": ""})
    assert signer.list_tags_for_resource(resourceArn=created["arn"])["tags"] == {"stage": "b", "more": ""}
    signer.cancel_signing_profile(profileName="of_terraform")
    assert signer.get_signing_profile(profileName="of_terraform")["status"] == "Canceled"


def test_the_default_validity_is_135_months(signer: Any, profile: str) -> None:
    read = signer.get_signing_profile(profileName=profile)

    assert read["signatureValidityPeriod"] == {"type": "MONTHS", "value": 135}


def test_profiles_are_listed_in_pages_by_status(server: Server) -> None:
    signer = client_of(server, "signer", region_name="eu-north-1")
    for name in ("one", "two", "three"):
        signer.put_signing_profile(profileName=name, platformId=PLATFORM)
    signer.cancel_signing_profile(profileName="two")

    def listed(**request: Any) -> list[str]:
        pages = signer.get_paginator("list_signing_profiles").paginate(PaginationConfig={"PageSize": 1}, **request)
        return [profile["profileName"] for page in pages for profile in page["profiles"]]

    assert listed() == ["one", "three"]
    assert listed(includeCanceled=True) == ["one", "three", "two"]
    assert listed(statuses=["Canceled", "Revoked"]) == ["two"]
    assert listed(platformId=PLATFORM) == ["one", "three"]
    assert listed(platformId="AWSLambda-SHA384-ECDSA") == []
    assert refusal(signer.list_signing_profiles, nextToken="x").code == "ValidationException"


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"platformId": "AWSLambda-SHA384-ECDSA"}, f"Moorage has only the platform {PLATFORM}"),
        ({"signingParameters": {"a": "b"}}, f"The platform {PLATFORM} has no use for signingParameters"),
        (
            {"signatureValidityPeriod": {"type": "YEARS", "value": 12}},
            "signatures are valid for at least a day and at most 135 months",
        ),
    ],
)
def test_a_profile_that_cannot_sign_images_is_refused(signer: Any, request_: dict[str, Any], text: str) -> None:
    refused = refusal(signer.put_signing_profile, **{"profileName": "never", "platformId": PLATFORM, **request_})

    assert refused == (400, "ValidationException", text)


ON_A_PROFILE: list[tuple[str, dict[str, Any]]] = [
    ("get_signing_profile", {}),
    ("cancel_signing_profile", {}),
    ("sign_payload", {"payload": PAYLOAD, "payloadFormat": PAYLOAD_TYPE}),
]


@pytest.mark.parametrize(("operation", "more"), ON_A_PROFILE)
def test_a_profile_that_does_not_exist_is_not_found(signer: Any, operation: str, more: dict[str, Any]) -> None:
    assert refusal(getattr(signer, operation), profileName="none", **more) == missing("none")


def test_operations_on_tags_have_errors_of_their_own(signer: Any) -> None:
    """Their models have NotFoundException and BadRequestException."""
    for call, more in (
        (signer.list_tags_for_resource, {}),
        (signer.tag_resource, {"tags": {"a": "b"}}),
        (signer.untag_resource, {"tagKeys": ["a"]}),
    ):
        assert refusal(call, resourceArn=f"{ARN}none", **more)[:2] == (404, "NotFoundException")
        assert refusal(call, resourceArn="arn:aws:s3:::bucket", **more)[:2] == (400, "BadRequestException")
        elsewhere = f"{ARN}none".replace("us-east-1", "eu-west-1")
        assert refusal(call, resourceArn=elsewhere, **more)[:2] == (400, "BadRequestException")


# --- Signatures and revocations -----------------------------------------------------------------------------------


def signed(signer: Any, profile: str, **more: Any) -> dict[str, Any]:
    response: dict[str, Any] = signer.sign_payload(
        profileName=profile, payload=PAYLOAD, payloadFormat=PAYLOAD_TYPE, **more
    )
    return response


def revoked(signer: Any, profile: str, job: str, at: datetime, *hashes: str) -> list[str]:
    version = signer.get_signing_profile(profileName=profile)["profileVersionArn"]
    response = signer.get_revocation_status(
        signatureTimestamp=at,
        platformId=PLATFORM,
        profileVersionArn=version,
        jobArn=f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-jobs/{job}",
        certificateHashes=list(hashes) or ["00"],
    )
    entities: list[str] = response["revokedEntities"]
    return entities


def test_a_payload_is_signed_with_the_current_version(signer: Any, profile: str) -> None:
    response = signed(signer, profile)

    envelope = json.loads(response["signature"])
    assert envelope.keys() == {"payload", "protected", "header", "signature"}
    assert response["jobOwner"] == ACCOUNT
    version = signer.get_signing_profile(profileName=profile)["profileVersionArn"]
    assert response["metadata"]["profileVersion"] == version
    assert response["metadata"]["signingJob"].endswith(f"/signing-jobs/{response['jobId']}")


@pytest.mark.parametrize(
    "request_",
    [
        {"payload": b"{}"},
        {"payload": b"not JSON"},
        {"payload": PAYLOAD, "payloadFormat": "application/json"},
    ],
)
def test_only_payloads_of_notation_are_signed(signer: Any, profile: str, request_: dict[str, Any]) -> None:
    request = {"payloadFormat": PAYLOAD_TYPE, **request_}

    assert refusal(signer.sign_payload, profileName=profile, **request)[:2] == (400, "ValidationException")


def test_a_canceled_profile_signs_nothing_and_its_signatures_stay_valid(signer: Any, profile: str) -> None:
    job = signed(signer, profile)["jobId"]
    signer.cancel_signing_profile(profileName=profile)

    assert refusal(signed, signer=signer, profile=profile)[:2] == (400, "ValidationException")
    assert revoked(signer, profile, job, datetime.now(UTC)) == []


def test_a_revoked_signature_is_reported(signer: Any, profile: str) -> None:
    first, second = (signed(signer, profile)["jobId"] for _ in range(2))

    signer.revoke_signature(jobId=first, reason="leaked")

    now = datetime.now(UTC)
    assert revoked(signer, profile, first, now) == [f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-jobs/{first}"]
    assert revoked(signer, profile, second, now) == []
    assert refusal(signer.revoke_signature, jobId="none", reason="x")[:2] == (404, "ResourceNotFoundException")


def test_a_revoked_profile_is_reported_for_signatures_from_then_on(signer: Any, profile: str) -> None:
    job = signed(signer, profile)["jobId"]
    read = signer.get_signing_profile(profileName=profile)
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    request = {"profileName": profile, "profileVersion": read["profileVersion"], "reason": "leaked"}

    signer.revoke_signing_profile(**request, effectiveTime=since)

    assert revoked(signer, profile, job, since) == [read["profileVersionArn"]]
    assert revoked(signer, profile, job, since - timedelta(seconds=1)) == []
    after = signer.get_signing_profile(profileName=profile)
    assert after["status"] == "Revoked"
    assert after["revocationRecord"]["revocationEffectiveFrom"] == since
    assert after["revocationRecord"]["revokedBy"] == f"arn:aws:iam::{ACCOUNT}:root"
    again = refusal(signer.revoke_signing_profile, **request, effectiveTime=since)
    assert again[:2] == (400, "ValidationException")
    request["profileVersion"] = "0123456789"
    unknown = refusal(signer.revoke_signing_profile, **request, effectiveTime=since)
    assert unknown[:2] == (404, "ResourceNotFoundException")


def test_a_verifier_may_name_the_host_as_its_sdk_does(server: Server, profile: str) -> None:
    """SDKs put `data-` (botocore) or `verification.` (Go) before the host for GetRevocationStatus.

    The signature covers that host; the server answers under any host that leads to it.
    """
    client = client_of(server, "signer", inject_host_prefix=True)
    client.meta.events.register("before-send.signer", lambda request, **_: _to(server, request))

    assert revoked(client, profile, "none", datetime.now(UTC)) == []


def _to(server: Server, request: Any) -> None:
    """Send a request to the server's address, as DNS would, and keep the signed host."""
    host = request.url.split("/")[2]
    request.headers["Host"] = host
    request.url = request.url.replace(host, f"{server.host}:{server.port}")


# --- Permissions --------------------------------------------------------------------------------------------------


def denied(person: Person, operation: str, resource: str, kind: str = "identity") -> tuple[int, str, str]:
    action = f"signer:{operation}"
    text = (
        f"User: arn:aws:iam::{ACCOUNT}:user/{person.name} is not authorized to perform: {action} on resource: "
        f"{resource} because no {kind}-based policy allows the {action} action"
    )
    return 403, "AccessDeniedException", text


@pytest.mark.parametrize(
    ("statement", "is_allowed"),
    [
        (lambda name: allow("signer:SignPayload", resource=f"{ARN}{name}"), True),
        (lambda _: allow("signer:Sign*", resource="arn:aws:signer:*:*:/signing-profiles/tests_*"), True),
        (lambda _: allow("signer:*", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}), True),
        (lambda _: allow("signer:*", Condition={"StringEquals": {"signer:ProfileVersion": "0123456789"}}), False),
        (lambda name: allow("signer:GetSigningProfile", resource=f"{ARN}{name}"), False),
        (lambda name: allow("signer:SignPayload", resource=f"{ARN}{name}_"), False),
        (lambda _: allow("ecr:*", "secretsmanager:*"), False),
    ],
)
def test_identity_policies_decide_who_signs(
    server: Server, profile: str, statement: Callable[[str], dict[str, Any]], is_allowed: bool
) -> None:
    person = person_with(server, statement(profile))
    client = client_of(server, "signer", person)

    if is_allowed:
        assert signed(client, profile)["jobId"]
    else:
        assert refusal(signed, signer=client, profile=profile) == denied(person, "SignPayload", f"{ARN}{profile}")


def test_a_denied_caller_does_not_learn_which_profiles_exist(server: Server, profile: str) -> None:
    person = person_with(server, allow("signer:*", Condition={"StringEquals": {"aws:ResourceTag/team": "z"}}))
    client = client_of(server, "signer", person)

    for name in (profile, "none"):
        refused = refusal(client.get_signing_profile, profileName=name)
        assert refused == denied(person, "GetSigningProfile", f"{ARN}{name}")


def test_a_profile_of_another_account_is_for_those_it_is_shared_with(server: Server, profile: str) -> None:
    exports = server.moorage("account", "create", "666666666666").splitlines()
    key, secret = (line.partition("=")[2] for line in exports if line.startswith("export "))
    stranger = client_of(server, "signer", Person("root", key, secret))
    owner = {"profileOwner": ACCOUNT}

    for call, request in (
        (signed, {"signer": stranger, "profile": profile, **owner}),
        (stranger.get_signing_profile, {"profileName": profile, **owner}),
        (stranger.tag_resource, {"resourceArn": f"{ARN}{profile}", "tags": {"a": "b"}}),
        (stranger.revoke_signature, {"jobId": "x", "jobOwner": ACCOUNT, "reason": "x"}),
    ):
        assert refusal(call, **request)[:2] == (403, "AccessDeniedException")
    server.moorage("signing-profile", "share", profile, "--with", "666666666666")
    assert signed(stranger, profile, **owner)["jobOwner"] == ACCOUNT
    assert stranger.get_signing_profile(profileName=profile, **owner)["profileName"] == profile
    refused = refusal(stranger.tag_resource, resourceArn=f"{ARN}{profile}", tags={"a": "b"})
    assert refused.code == "AccessDeniedException"


def test_calls_of_signer_are_recorded_without_payloads(server: Server, signer: Any, profile: str) -> None:
    signed(signer, profile)

    records = [json.loads(line) for line in (server.data / "audit.jsonl").read_text().splitlines()]
    (record,) = [
        each
        for each in records
        if each["eventName"] == "SignPayload" and (each["requestParameters"] or {}).get("profileName") == profile
    ]
    assert record["eventSource"] == "signer.amazonaws.com"
    assert record["requestParameters"] == {"profileName": profile, "payloadFormat": PAYLOAD_TYPE}
    assert record["readOnly"] is False
