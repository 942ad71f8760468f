"""Texts of lifecycle policies, rule by rule."""

from __future__ import annotations

import json
from typing import Any

EXPIRE = {"type": "expire"}
ARCHIVE = {"type": "transition", "targetStorageClass": "archive"}


def rule(priority: int, tags: str | list[str], count: int, kind: str = "imageCountMoreThan", **more: Any) -> Any:
    """One rule. `tags` is untagged, any, or patterns; `more` has members of the selection, and the `action`."""
    action = more.pop("action", ARCHIVE if kind == "sinceImagePulled" else EXPIRE)
    selection: dict[str, Any] = {"countType": kind, "countNumber": count}
    if isinstance(tags, str):
        selection["tagStatus"] = tags
    else:
        selection |= {"tagStatus": "tagged", "tagPatternList": tags}
    if kind != "imageCountMoreThan":
        selection["countUnit"] = "days"
    if kind == "sinceImageTransitioned":
        selection["storageClass"] = "archive"
    return {"rulePriority": priority, "selection": selection | more, "action": action}


def policy(*rules: Any) -> str:
    """The text of a policy with these rules."""
    return json.dumps({"rules": list(rules)})
