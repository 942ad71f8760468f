"""GetAccountSetting and PutAccountSetting, and the effect of each setting (API reference, PutAccountSetting)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.wire import Refusal, refusal
from tests.support.http_client import Docker
from tests.support.images import layer

DEFAULTS = {"BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "REGISTRY_POLICY_SCOPE": "V2", "BLOB_MOUNTING": "ENABLED"}


def setting(ecr: Any, name: str) -> Any:
    answer = ecr.get_account_setting(name=name)
    return answer["name"], answer["value"]


def refused(member: str, values: str) -> Refusal:
    constraint = f"'Member must satisfy enum value set: [{values}]'"
    message = f"Invalid parameter at '{member}' failed to satisfy constraint: {constraint}"
    return Refusal(400, "ValidationException", message)


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_a_setting_that_was_never_put_has_its_default(clients: Callable[..., Any], name: str, value: str) -> None:
    assert setting(clients(region="eu-north-1"), name) == (name, value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("REGISTRY_POLICY_SCOPE", ["V1", "V2"]),
        ("BLOB_MOUNTING", ["DISABLED", "ENABLED"]),
        ("BASIC_SCAN_TYPE_VERSION", ["AWS_NATIVE"]),
    ],
)
def test_a_setting_has_the_value_that_was_put_last(clients: Callable[..., Any], name: str, values: list[str]) -> None:
    ecr = clients(region="eu-south-1")

    for value in values:
        answer = ecr.put_account_setting(name=name, value=value)

        assert (answer["name"], answer["value"]) == (name, value)
        assert setting(ecr, name) == (name, value)


def test_each_region_has_its_own_settings(clients: Callable[..., Any]) -> None:
    clients(region="eu-west-1").put_account_setting(name="BLOB_MOUNTING", value="DISABLED")

    assert setting(clients(region="eu-west-1"), "BLOB_MOUNTING")[1] == "DISABLED"
    assert setting(clients(region="eu-west-2"), "BLOB_MOUNTING")[1] == "ENABLED"


@pytest.mark.parametrize("name", ["blob_mounting", "BLOB_MOUNTS", "'; --"])
def test_an_unknown_setting_is_rejected(ecr: Any, name: str) -> None:
    expected = refused("name", "BASIC_SCAN_TYPE_VERSION, BLOB_MOUNTING, REGISTRY_POLICY_SCOPE")

    assert refusal(ecr.get_account_setting, name=name) == expected
    assert refusal(ecr.put_account_setting, name=name, value="ENABLED") == expected


@pytest.mark.parametrize(
    ("name", "value", "values"),
    [
        ("BLOB_MOUNTING", "enabled", "DISABLED, ENABLED"),
        ("REGISTRY_POLICY_SCOPE", "V3", "V1, V2"),
        ("BASIC_SCAN_TYPE_VERSION", "CLAIR", "AWS_NATIVE"),
    ],
)
def test_an_invalid_value_is_rejected_and_changes_nothing(
    clients: Callable[..., Any], name: str, value: str, values: str
) -> None:
    ecr = clients(region="eu-central-2")

    assert refusal(ecr.put_account_setting, name=name, value=value) == refused("value", values)
    assert setting(ecr, name) == (name, DEFAULTS[name])


def test_a_registry_without_blob_mounting_makes_clients_send_every_blob(
    ecr: Any, http: Docker, new_repository: Callable[[], str]
) -> None:
    """Blobs mounted before stay (user guide, "Blob mounting"). A refused mount starts an upload."""
    source, target, later = (new_repository() for _ in range(3))
    blob = layer()
    http.push_blob(source, blob)

    def mount(into: str) -> int:
        return http.post(f"/v2/{into}/blobs/uploads/?mount={blob.digest}&from={source}").status

    assert mount(target) == 201
    ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    try:
        assert mount(later) == 202
        assert http.head(f"/v2/{target}/blobs/{blob.digest}").status == 200
    finally:
        ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    assert mount(later) == 201
