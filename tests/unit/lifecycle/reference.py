"""The images that a lifecycle policy selects, computed slowly, in the steps of ECR's user guide."""

from __future__ import annotations

import re
from collections.abc import Sequence

from moorage.domain.lifecycle.policy import Rule
from moorage.domain.lifecycle.selection import LifecycleFacts
from moorage.domain.units import DAY


def expected(rules: Sequence[Rule], images: Sequence[LifecycleFacts], now: int) -> dict[int, int]:
    """The priority of the rule that acts on an image, by the image's id."""
    seen = {rule.priority: [image for image in images if sees(rule, image)] for rule in rules}
    marked = {rule.priority: [image.id for image in beyond(rule, seen[rule.priority], now)] for rule in rules}
    chosen: dict[int, int] = {}
    for rule in sorted(rules, key=lambda rule: rule.priority):
        seen_before = {image.id for higher, found in seen.items() if higher < rule.priority for image in found}
        for image in images:
            if image.id in marked[rule.priority] and image.id not in seen_before and not is_kept(rule, image):
                assert image.id not in chosen
                chosen[image.id] = rule.priority
    return chosen


def sees(rule: Rule, image: LifecycleFacts) -> bool:
    if rule.for_archived != image.is_archived:
        return False
    if rule.tag_status == "tagged":
        patterns = [re.escape(prefix) + ".*" for prefix in rule.prefixes]
        patterns += [".*".join(map(re.escape, pattern.split("*"))) for pattern in rule.patterns]
        return all(any(re.fullmatch(pattern, tag) for tag in image.tags) for pattern in patterns)
    return rule.tag_status == "any" or image.tags == ()


def beyond(rule: Rule, seen: Sequence[LifecycleFacts], now: int) -> Sequence[LifecycleFacts]:
    """The images that a rule sees and that are too many or too old for it."""
    if rule.count_type == "imageCountMoreThan":
        youngest_first = sorted(seen, key=lambda image: (age_from(image), image.id), reverse=True)
        return youngest_first[rule.count_number :]
    return [image for image in seen if now - since(rule, image) > rule.count_number * DAY]


def since(rule: Rule, image: LifecycleFacts) -> int:
    if rule.count_type == "sinceImagePushed":
        return age_from(image)
    if rule.count_type == "sinceImageTransitioned":
        assert image.archived_at is not None
        return image.archived_at
    if image.pulled_at is None or (image.activated_at is not None and image.pulled_at < image.activated_at):
        return age_from(image)
    return image.pulled_at


def age_from(image: LifecycleFacts) -> int:
    return image.pushed_at if image.activated_at is None else image.activated_at


def is_kept(rule: Rule, image: LifecycleFacts) -> bool:
    """Whether a kept index lists the image."""
    return image.is_listed_actively or (image.is_listed and rule.action == "expire")
