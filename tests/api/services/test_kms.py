"""KMS: the keys of `--kms-key`, as Terraform's data sources, CDK and the AWS command line look them up.

Texts of errors are those of KMS, as its callers log them: "Key '…' does not exist", "Alias … is not found.",
"Invalid keyId '…'", and "Invalid arn REGION" for a key of another Region.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.ecr.wire import Refusal, client_of, refusal
from tests.api.services.calls import ACCOUNT, allow, person_with
from tests.api.services.calls import client_of as client_of_service
from tests.support.server import Server

OTHER = "123456789012"
OWN = f"arn:aws:kms:us-east-1:{ACCOUNT}"
TEAM = f"{OWN}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
MULTI = f"{OWN}:key/mrk-1234abcd12ab34cd56ef1234567890ab"
LENT = f"arn:aws:kms:us-east-1:{OTHER}:key/99999999-12ab-34cd-56ef-1234567890ab"
FAR = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/88888888-12ab-34cd-56ef-1234567890ab"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a list of known keys."""
    server = Server(tmp_path_factory.mktemp("keyed") / "data")
    entries = (f"alias/team/registry={TEAM}", f"alias/app={TEAM}", MULTI, LENT, f"alias/far={FAR}")
    server.start(extra_env={"MOORAGE_KMS_KEY": ",".join(entries)})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def kms(keyed: Server) -> Any:
    """boto3's client of KMS with the root key."""
    return client_of_service(keyed, "kms")


def described(kms: Any, name: str) -> dict[str, Any]:
    metadata: dict[str, Any] = kms.describe_key(KeyId=name)["KeyMetadata"]
    return metadata


@pytest.mark.parametrize("name", [TEAM, TEAM.rpartition("/")[2], "alias/team/registry", f"{OWN}:alias/app"])
def test_a_key_is_described_by_each_of_its_identifiers(kms: Any, name: str) -> None:
    metadata = described(kms, name)

    assert (metadata["Arn"], metadata["KeyId"], metadata["AWSAccountId"]) == (TEAM, TEAM.rpartition("/")[2], ACCOUNT)
    assert (metadata["KeyState"], metadata["Enabled"], metadata["KeyManager"]) == ("Enabled", True, "CUSTOMER")
    assert (metadata["KeySpec"], metadata["MultiRegion"]) == ("SYMMETRIC_DEFAULT", False)


def test_a_key_of_another_account_and_a_multi_region_key_are_described(kms: Any) -> None:
    assert described(kms, LENT)["AWSAccountId"] == OTHER
    assert described(kms, MULTI)["MultiRegion"] is True


def test_the_key_that_aws_manages_for_ecr_is_that_of_a_repository_without_a_key(keyed: Server, kms: Any) -> None:
    chosen = {"encryptionType": "KMS"}
    repository = client_of(keyed).create_repository(repositoryName="managed", encryptionConfiguration=chosen)

    metadata = described(kms, "alias/aws/ecr")

    assert metadata["Arn"] == repository["repository"]["encryptionConfiguration"]["kmsKey"]
    assert metadata["KeyManager"] == "AWS"
    assert metadata["Description"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (TEAM.replace("1234abcd", "00000000"), f"Key '{TEAM.replace('1234abcd', '00000000')}' does not exist"),
        ("00000000-12ab-34cd-56ef-1234567890ab", f"Key '{TEAM.replace('1234abcd', '00000000')}' does not exist"),
        ("alias/none", f"Alias {OWN}:alias/none is not found."),
        (f"{OWN}:alias/none", f"Alias {OWN}:alias/none is not found."),
        ("aws/ecr", "Invalid keyId 'aws/ecr'"),
        ("none\n", "Invalid keyId 'none\n'"),
        (FAR, "Invalid arn eu-west-1"),
        ("alias/far", f"Alias {OWN}:alias/far is not found."),
        (TEAM.replace(ACCOUNT, OTHER), f"Key '{TEAM.replace(ACCOUNT, OTHER)}' does not exist"),
    ],
)
def test_an_unknown_key_is_refused_in_the_words_of_kms(kms: Any, name: str, text: str) -> None:
    for call in (kms.describe_key, kms.list_aliases):
        assert refusal(call, KeyId=name) == Refusal(400, "NotFoundException", text)


def test_keys_and_aliases_of_the_account_and_region_are_listed_in_pages(keyed: Server, kms: Any) -> None:
    managed = described(kms, "alias/aws/ecr")["Arn"]
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1}))
    assert [page["Truncated"] for page in pages] == [True, True, False]
    assert [key["KeyArn"] for page in pages for key in page["Keys"]] == sorted((TEAM, MULTI, managed))

    pages = list(kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 2}))
    aliases = {alias["AliasName"]: alias["TargetKeyId"] for page in pages for alias in page["Aliases"]}
    team = TEAM.rpartition("/")[2]
    assert aliases == {
        "alias/app": team,
        "alias/aws/ecr": managed.rpartition("/")[2],
        "alias/team/registry": team,
    }
    of_key = kms.list_aliases(KeyId=TEAM)["Aliases"]
    assert [alias["AliasArn"] for alias in of_key] == [f"{OWN}:alias/app", f"{OWN}:alias/team/registry"]
    far = client_of_service(keyed, "kms", region_name="eu-west-1")
    assert [alias["AliasName"] for alias in far.list_aliases()["Aliases"]] == ["alias/aws/ecr", "alias/far"]


def test_a_marker_of_another_list_is_refused(kms: Any) -> None:
    marker = kms.list_keys(Limit=1)["NextMarker"]

    for call in (kms.list_aliases, kms.list_keys):
        wrong = marker if call == kms.list_aliases else "wrong"
        assert refusal(call, Marker=wrong).code == "InvalidMarkerException"


def test_callers_without_permission_do_not_learn_which_keys_and_aliases_exist(keyed: Server) -> None:
    nobody = client_of_service(keyed, "kms", person_with(keyed))

    for known, unknown in ((TEAM, TEAM.replace("1234abcd", "00000000")), ("alias/app", "alias/none")):
        refused, expected = (refusal(nobody.describe_key, KeyId=name) for name in (known, unknown))
        assert refused.code == "AccessDeniedException"
        assert refused.message.replace(known, unknown) == expected.message


def test_a_policy_allows_a_key_by_its_arn_under_all_its_names(keyed: Server) -> None:
    kms = client_of_service(keyed, "kms", person_with(keyed, allow("kms:DescribeKey", resource=TEAM)))

    assert described(kms, "alias/app")["Arn"] == TEAM
    assert refusal(kms.describe_key, KeyId=MULTI).code == "AccessDeniedException"
    assert refusal(kms.list_keys).code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("operation", "request_", "command"),
    [
        ("create_key", {}, "`moorage serve --kms-key ARN`"),
        ("create_alias", {"AliasName": "alias/a", "TargetKeyId": TEAM}, "`moorage serve --kms-key alias/NAME=ARN`"),
        ("encrypt", {"KeyId": TEAM, "Plaintext": b"a"}, "Moorage does not encrypt with the keys of KMS"),
        ("get_key_rotation_status", {"KeyId": TEAM}, "`moorage master-key rotate`"),
    ],
)
def test_an_operation_that_is_not_built_names_what_to_use(
    kms: Any, operation: str, request_: dict[str, Any], command: str
) -> None:
    refused = refusal(getattr(kms, operation), **request_)

    assert refused.code == "UnsupportedOperationException"
    assert command in refused.message
