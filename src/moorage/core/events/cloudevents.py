"""Events as CloudEvents 1.0, in the two content modes of its HTTP protocol binding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from moorage.domain.ports import Message
from moorage.metadata.events.deliveries import Delivery

_JSON: Final = "application/json"
_TYPE_PREFIX: Final = "com.amazonaws.ecr"
_HEADER_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""The characters that are not percent-encoded in headers (HTTP binding, 3.1.3.2 "HTTP Header Values")."""


def structured(delivery: Delivery) -> Message:
    """One JSON object with attributes and data (HTTP binding, 3.2 "Structured Content Mode")."""
    event = _decoded(delivery)
    body = {**_attributes(event, delivery.stream), "datacontenttype": _JSON, "data": event["detail"]}
    return Message(msgspec.json.encode(body), {"content-type": "application/cloudevents+json"})


def binary(delivery: Delivery) -> Message:
    """The data as the body, attributes as headers (HTTP binding, 3.1 "Binary Content Mode")."""
    event = _decoded(delivery)
    attributes = _attributes(event, delivery.stream)
    headers = {f"ce-{name}": quote(value, _HEADER_SAFE) for name, value in attributes.items()}
    return Message(msgspec.json.encode(event["detail"]), {"content-type": _JSON, **headers})


def _decoded(delivery: Delivery) -> dict[str, Any]:
    event: dict[str, Any] = msgspec.json.decode(delivery.body)
    return event


def _attributes(event: Mapping[str, Any], stream: str) -> dict[str, str]:
    """The context attributes (CloudEvents 1.0, "Context Attributes"), without `datacontenttype`."""
    subject = _subject(event["detail"], stream)
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": _source(event, stream),
        "type": _type(event),
        **({"subject": subject} if subject else {}),
        "time": event["time"],
    }


def _source(event: Mapping[str, Any], stream: str) -> str:
    """The repository's ARN, so that filters can select a repository; for the registry, the ARN of all repositories."""
    if stream.startswith("arn:"):
        return stream
    return f"arn:aws:ecr:{event['region']}:{event['account']}:repository/*"


def _subject(detail: Mapping[str, Any], stream: str) -> str:
    """The image as clients write it, else the repository; empty for the registry."""
    if "image-digest" not in detail:
        return stream.partition(":repository/")[2]
    repository, tag = detail["repository-name"].rpartition(":repository/")[2], detail.get("image-tag")
    return f"{repository}:{tag}" if tag else f"{repository}@{detail['image-digest']}"


def _type(event: Mapping[str, Any]) -> str:
    """The type, such as `com.amazonaws.ecr.image.push` or `com.amazonaws.ecr.api.CreateRepository`.

    AWS defines what the data means, so the prefix is AWS's: the adapter for S3 of the CloudEvents specification uses
    `com.amazonaws.s3.` and the name of the event, for S3-compatible services, too. The last part is the action, because
    brokers filter by exact types; zot (`zotregistry.image.updated`) and Harbor (`harbor.artifact.pushed`) do the same.
    """
    detail_type: str = event["detail-type"]
    detail: dict[str, Any] = event["detail"]
    if event["source"] == "aws.inspector2":
        return f"com.amazonaws.{detail_type.lower().replace(' ', '.')}"
    if event["source"] != "aws.ecr":
        return detail_type.lower().replace(" ", ".")
    if "eventName" in detail:
        return f"{_TYPE_PREFIX}.api.{detail['eventName']}"
    kind = detail_type.removeprefix("ECR ").removesuffix(" Action").lower().replace(" ", "_")
    action = detail.get("action-type", "").lower()
    return ".".join(part for part in (_TYPE_PREFIX, kind, action) if part)
