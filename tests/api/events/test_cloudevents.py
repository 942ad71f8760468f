"""Events as CloudEvents 1.0, parsed by the SDK of the specification, and the choice of a format for each target."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event

from moorage.core.events import cloudevents
from moorage.core.events.formats import FORMATS
from moorage.metadata.events.deliveries import Delivery
from tests.api.ecr.pushing import push, put
from tests.api.events.conftest import Hook, Webhooks, verify
from tests.support.http_client import Docker
from tests.support.images import OCI_CONFIG, OCI_MANIFEST, artifact, image
from tests.support.receiver import Message, Receiver
from tests.support.waiting import wait_until

DOCUMENT = Path(__file__).parents[3] / "docs" / "events.md"
ARN = "arn:aws:ecr:us-east-1:000000000000:repository/"
REQUIRED = {"specversion", "id", "source", "type"}
MODES = ["cloudevents", "cloudevents-binary"]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def cloud_hook(webhooks: Webhooks, receiver: Receiver, mode: str) -> Iterator[Hook]:
    """A webhook of the shared server that sends all events to `receiver` as CloudEvents."""
    hook = webhooks.add(receiver.url, "--format", mode)
    yield hook
    webhooks("remove", hook.id)


def parse(message: Message) -> BaseCloudEvent:
    """The event as a receiver sees it. The SDK detects the mode, and checks names, types and values."""
    if message.headers["content-type"] == "application/cloudevents+json":
        assert set(json.loads(message.body)) >= REQUIRED  # The SDK would fill some of them in.
    else:
        assert message.headers["content-type"] == "application/json"
        assert set(message.headers) >= {f"ce-{name}" for name in REQUIRED}
        assert "ce-datacontenttype" not in message.headers
    return from_http_event(HTTPMessage(message.headers, message.body))


def mode_of(message: Message) -> str:
    return "cloudevents" if "cloudevents" in message.headers["content-type"] else "cloudevents-binary"


def test_a_push_is_a_signed_cloud_event_with_the_detail_of_eventbridge(
    ecr: Any, repository: str, receiver: Receiver, cloud_hook: Hook, mode: str
) -> None:
    pushed = push(ecr, repository, image(seed=1), "v1")

    (message,) = receiver.wait_for(1)

    event = parse(message)
    verify(message, cloud_hook.secret, event.get_id())
    assert mode_of(message) == mode
    assert event.get_specversion() == "1.0"
    assert event.get_type() == "com.amazonaws.ecr.image.push"
    assert event.get_source() == ARN + repository
    assert event.get_subject() == f"{repository}:v1"
    assert event.get_datacontenttype() == "application/json"
    assert event.get_time() is not None
    assert event.get_data() == {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": pushed.manifest.digest,
        "action-type": "PUSH",
        "image-tag": "v1",
        "manifest-media-type": OCI_MANIFEST,
        "artifact-media-type": OCI_CONFIG,
    }


def test_types_and_subjects_name_the_change_and_the_image(
    ecr: Any, http: Docker, new_repository: Callable[[], str], receiver: Receiver, cloud_hook: Hook
) -> None:
    name = new_repository()
    pushed = push(ecr, name, image(seed=1), "v1")
    note = artifact(b"a note")
    extra = {"subject": pushed.manifest.descriptor, "artifactType": "application/note"}
    referrer = image(note.blobs[1:], extra=extra)
    http.push(name, referrer)
    ecr.update_image_storage_class(repositoryName=name, imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")

    events = [parse(message) for message in receiver.wait_for(7)]

    prefix = "com.amazonaws.ecr"
    assert {(event.get_type(), event.get_source(), event.get_subject()) for event in events} == {
        (f"{prefix}.api.CreateRepository", ARN + name, name),
        (f"{prefix}.image.push", ARN + name, f"{name}:v1"),
        (f"{prefix}.referrer.push", ARN + name, f"{name}@{referrer.manifest.digest}"),
        (f"{prefix}.image.update_storage_class", ARN + name, f"{name}@{pushed.manifest.digest}"),
        (f"{prefix}.referrer.update_storage_class", ARN + name, f"{name}@{referrer.manifest.digest}"),
        (f"{prefix}.image.delete", ARN + name, f"{name}:v1"),
        (f"{prefix}.api.PutAccountSetting", ARN + "*", None),
    }


def test_events_of_a_repository_come_in_order_and_again_until_they_are_accepted(
    ecr: Any, repository: str, receiver: Receiver, cloud_hook: Hook, webhooks: Webhooks
) -> None:
    receiver.answers.extend([503])
    pushed = push(ecr, repository, image(seed=1), "v1")
    wait_until(lambda: receiver.messages)
    for tag in ("v2", "v3"):
        put(ecr, repository, pushed, tag)
    webhooks("retry", cloud_hook.id)

    events = [parse(message) for message in receiver.wait_for(3)]

    assert [event.get_subject() for event in events] == [f"{repository}:{tag}" for tag in ("v1", "v2", "v3")]
    first, again = receiver.messages[:2]
    assert parse(first).get_id() == parse(again).get_id()
    for message in receiver.messages:
        verify(message, cloud_hook.secret, parse(message).get_id())


def test_targets_of_different_formats_get_the_same_event(
    ecr: Any, repository: str, receiver: Receiver, hook: Hook, cloud_hook: Hook
) -> None:
    push(ecr, repository, image(seed=1), "v1")

    messages = receiver.wait_for(2)

    by_shape = {"detail-type" in message.event: message for message in messages}
    original, cloud_event = by_shape[True], parse(by_shape[False])
    assert original.event["id"] == cloud_event.get_id()
    assert original.event["detail"] == cloud_event.get_data()
    verify(original, hook.secret, original.event["id"])


def test_the_test_command_uses_the_format(receiver: Receiver, cloud_hook: Hook, webhooks: Webhooks) -> None:
    assert webhooks("test", cloud_hook.id) == f"{receiver.url} answered 200\n"

    (message,) = receiver.messages
    event = parse(message)
    verify(message, cloud_hook.secret, event.get_id())
    assert (event.get_type(), event.get_data()) == ("moorage.webhook.test", {"result": "SUCCESS"})


def test_a_changed_format_applies_to_events_that_wait_or_failed(
    ecr: Any, repository: str, receiver: Receiver, hook: Hook, webhooks: Webhooks
) -> None:
    receiver.answers.extend([422, *[503] * 1000])
    pushed = push(ecr, repository, image(seed=1), "v1")
    put(ecr, repository, pushed, "v2")
    wait_until(lambda: "1 waiting\t1 failed" in webhooks("list"))
    before = webhooks("list")

    webhooks("change", hook.id, "--format", "cloudevents")
    receiver.answers.clear()
    webhooks("retry", hook.id)

    assert f"{hook.id}\t{receiver.url}\teventbridge\t" in before
    assert f"{hook.id}\t{receiver.url}\tcloudevents\t" in webhooks("list")
    subjects = [parse(message).get_subject() for message in receiver.wait_for(2)]
    assert subjects == [f"{repository}:v1", f"{repository}:v2"]


@pytest.mark.parametrize("command", [["add", "http://example.org/"], ["change", "wh-0"]])
def test_an_unknown_format_is_refused_with_the_list(webhooks: Webhooks, command: list[str]) -> None:
    refused = webhooks.run(*command, "--format", "xml")

    assert refused.exit_code == 2
    assert "'xml' is not one of 'eventbridge', 'cloudevents', 'cloudevents-binary'" in refused.stderr


def test_the_format_of_a_webhook_that_does_not_exist_cannot_change(webhooks: Webhooks) -> None:
    assert "there is no webhook wh-0" in webhooks.run("change", "wh-0", "--format", "cloudevents").stderr


def stored_event(**members: str) -> Delivery:
    body = {"id": "1", "source": "aws.ecr", "time": "2026-11-16T01:54:34Z", "detail-type": "ECR Image Scan"}
    return Delivery(0, "wh-1", ARN + "app", "1", json.dumps({**body, **members, "detail": {}}), 1)


def test_detail_types_without_an_action_have_a_type_of_their_own() -> None:
    """Events of later versions, which this program may have to deliver during a rolling upgrade."""
    body = cloudevents.structured(stored_event()).body

    assert json.loads(body)["type"] == "com.amazonaws.ecr.image_scan"


def test_headers_escape_characters_as_the_http_binding_says() -> None:
    """The HTTP binding's own example, and the two other characters that it names."""
    stored = stored_event(id='Euro \u20ac \U0001f600 "%')

    assert cloudevents.binary(stored).headers["ce-id"] == "Euro%20%E2%82%AC%20%F0%9F%98%80%20%22%25"


def test_every_format_is_documented() -> None:
    section = DOCUMENT.read_text("utf-8").partition("## Formats")[2].partition("\n##")[0]

    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(FORMATS)
