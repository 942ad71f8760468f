"""Which images the rules of a lifecycle policy choose: what a preview shows and a run does. Nothing here acts.

The order of ECR ("Lifecycle policy evaluation rules" of its user guide): every rule looks at all images of its storage
class, as if no other rule did anything; a rule may act on an image only if no rule of higher priority *sees* it, that
is, if the image does not meet the tag requirements of any of them, whether they act or not. So an image is acted on by
one rule at most, and images that higher rules act on still count for the lower ones.

Images are taken one after the other, in any order, and each is forgotten unless it is chosen or may be: of
`imageCountMoreThan` a rule remembers the youngest, and whichever is pushed out of them by a younger one is too much.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final, NamedTuple

from moorage.domain.lifecycle.policy import Rule
from moorage.domain.lifecycle.requirements import requirement_of

DAY: Final = 24 * 3600 * 1_000_000
"""Times are microseconds since 1970."""


class Facts(NamedTuple):
    """What the rules look at of an image. What refers to another image is none of theirs: it follows its subject.

    `is_listed` says whether some index lists it, `is_listed_actively` whether one that is not archived does.
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
        """When it was pushed, or last restored."""
        return self.activated_at or self.pushed_at

    @property
    def used_at(self) -> int:
        """When it was pulled last; or pushed or restored, if that was later."""
        return max(self.age_from, self.pulled_at or 0)


class Choice(NamedTuple):
    """An image, and the one rule that acts on it."""

    image: Facts
    rule: Rule

    def still_holds(self, current: Facts) -> bool:
        """Whether nothing that the rule looks at has happened to the image since; a pull matters to one kind only."""
        if self.rule.count_type == "sinceImagePulled":
            return current == self.image
        return current._replace(pulled_at=self.image.pulled_at) == self.image


class Selection:
    """The choice that a policy makes at the time `now`, among images that are added one after the other."""

    def __init__(self, rules: Iterable[Rule], now: int) -> None:
        self._counters = [_Counter(rule, now) for rule in sorted(rules, key=lambda rule: rule.priority)]
        self._of_class = {
            is_archived: [counter for counter in self._counters if counter.rule.of_archived == is_archived]
            for is_archived in (False, True)
        }

    def add(self, image: Facts) -> None:
        is_unseen = True
        for counter in self._of_class[image.is_archived]:
            if counter.sees(image.tags):
                counter.take(image, is_unseen)
                is_unseen = False

    def choices(self) -> list[Choice]:
        """What was chosen, oldest first."""
        chosen = [Choice(image, counter.rule) for counter in self._counters for image in counter.chosen]
        return sorted(chosen, key=lambda choice: (choice.image.age_from, choice.image.id))


def select(rules: Iterable[Rule], images: Iterable[Facts], now: int) -> list[Choice]:
    """For each image at most one rule that acts on it, oldest image first."""
    selection = Selection(rules, now)
    for image in images:
        selection.add(image)
    return selection.choices()


class _Counter:
    """One rule, and the images that it acts on so far."""

    def __init__(self, rule: Rule, now: int) -> None:
        self.rule = rule
        self.sees = requirement_of(rule)
        self.chosen: list[Facts] = []
        self._before = now - rule.count_number * DAY
        self._youngest: list[tuple[int, int, bool, Facts]] = []

    def take(self, image: Facts, is_unseen: bool) -> None:
        """Look at an image that the rule sees; `is_unseen` says that no rule of higher priority does."""
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
        if is_due and is_unseen:
            self._choose(image)

    def _count(self, image: Facts, is_unseen: bool) -> None:
        entry = (image.age_from, image.id, is_unseen, image)
        if len(self._youngest) < self.rule.count_number:
            heapq.heappush(self._youngest, entry)
            return
        _, _, was_unseen, oldest = heapq.heappushpop(self._youngest, entry)
        if was_unseen:
            self._choose(oldest)

    def _choose(self, image: Facts) -> None:
        """An index must find its images: those of an archived one may be archived, but never expire before it."""
        is_needed = image.is_listed if self.rule.action == "expire" else image.is_listed_actively
        if not is_needed:
            self.chosen.append(image)
