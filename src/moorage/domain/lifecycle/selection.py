"""The selection of images by the rules of a lifecycle policy, for previews and runs. It changes nothing.

The algorithm is ECR's ("Lifecycle policy evaluation rules" of its user guide). Every rule tests all images of its
storage class, as if no other rule acted. A rule acts on an image only if no rule of higher priority *sees* the image.
A rule sees an image if the image meets its tag requirements, whether it acts on it or not. So at most one rule acts on
an image, and images that higher rules act on still count for the lower ones.

Images are tested one after the other, in any order. Of an image that is selected or may be, a `Choice` is kept: a few
numbers, because there can be a million. For `imageCountMoreThan`, a rule keeps the youngest images and selects each
image that a younger one pushes out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from operator import itemgetter
from typing import Final, NamedTuple

from moorage.domain.lifecycle.policy import Rule
from moorage.domain.lifecycle.requirements import requirement_of
from moorage.domain.units import DAY

"""Times are microseconds since 1970."""


class LifecycleFacts(NamedTuple):
    """What the rules test of an image. Images with a subject are not tested: they follow their subject.

    `is_listed`: an index lists the image. `is_listed_actively`: an index that is not archived lists it.
    """

    id: int
    digest: str
    pushed_at: int
    activated_at: int | None
    pulled_at: int | None
    archived_at: int | None
    is_archived: bool
    is_listed: bool
    is_listed_actively: bool
    tags: tuple[str, ...] = ()

    @property
    def age_from(self) -> int:
        """The time of the push, or of the last restore."""
        return self.activated_at or self.pushed_at

    @property
    def used_at(self) -> int:
        """The time of the last pull; or of the push or restore, if later."""
        return max(self.age_from, self.pulled_at or 0)

    def fingerprint(self, rule: Rule) -> int:
        """A hash of the facts that a rule tests, for this process. The pull time matters only to `sinceImagePulled`."""
        return hash(self if rule.count_type == "sinceImagePulled" else (*self[:_PULLED_AT], *self[_PULLED_AT + 1 :]))


_PULLED_AT: Final = LifecycleFacts._fields.index("pulled_at")


class SelectedImage(NamedTuple):
    """An image and the one rule that acts on it."""

    image: LifecycleFacts
    rule: Rule


class Choice(NamedTuple):
    """The selection of an image: what is left of it until the rule acts."""

    image_id: int
    rule: Rule
    fingerprint: int

    def of(self, current: LifecycleFacts | None) -> SelectedImage | None:
        """The image as it is now; None if it is gone, or if the facts that the rule tests have changed."""
        if current is None or current.fingerprint(self.rule) != self.fingerprint:
            return None
        return SelectedImage(current, self.rule)


class Selection:
    """The images that a policy selects at the time `now`. Add the images one after the other."""

    def __init__(self, rules: Iterable[Rule], now: int) -> None:
        self._counters = [_Counter(rule, now) for rule in sorted(rules, key=lambda rule: rule.priority)]
        self._of_class = {
            is_archived: [counter for counter in self._counters if counter.rule.for_archived == is_archived]
            for is_archived in (False, True)
        }

    def add(self, image: LifecycleFacts) -> None:
        is_unseen = True
        for counter in self._of_class[image.is_archived]:
            if counter.sees(image.tags):
                counter.take(image, is_unseen)
                is_unseen = False

    def selected(self) -> list[Choice]:
        """The selected images with their rules, oldest push first."""
        return sorted((choice for counter in self._counters for choice in counter.selected), key=_IMAGE_ID)


_IMAGE_ID: Final = itemgetter(0)


class _Counter:
    """One rule and the images that it has selected so far."""

    def __init__(self, rule: Rule, now: int) -> None:
        self.rule = rule
        self.sees = requirement_of(rule)
        self.selected: list[Choice] = []
        self._before = now - rule.count_number * DAY
        self._youngest: list[tuple[int, int, int | None]] = []
        """A heap of ages and ids, with the fingerprints of the images that the rule can select."""

    def take(self, image: LifecycleFacts, is_unseen: bool) -> None:
        """Test an image that the rule sees. `is_unseen`: no rule of higher priority sees it."""
        match self.rule.count_type:
            case "imageCountMoreThan":
                self._count(image, is_unseen)
                return
            case "sinceImagePushed":
                is_due = image.age_from < self._before
            case "sinceImagePulled":
                is_due = image.used_at < self._before
            case _:
                is_due = (image.archived_at or image.pushed_at) < self._before
        if is_due and is_unseen and self._can_select(image):
            self.selected.append(Choice(image.id, self.rule, image.fingerprint(self.rule)))

    def _count(self, image: LifecycleFacts, is_unseen: bool) -> None:
        fingerprint = image.fingerprint(self.rule) if is_unseen and self._can_select(image) else None
        entry = (image.age_from, image.id, fingerprint)
        if len(self._youngest) < self.rule.count_number:
            heapq.heappush(self._youngest, entry)
            return
        _, oldest, fingerprint = heapq.heappushpop(self._youngest, entry)
        if fingerprint is not None:
            self.selected.append(Choice(oldest, self.rule, fingerprint))

    def _can_select(self, image: LifecycleFacts) -> bool:
        """Whether no index needs an image: it may be archived with its index, but not expire before it."""
        return not (image.is_listed if self.rule.action == "expire" else image.is_listed_actively)
