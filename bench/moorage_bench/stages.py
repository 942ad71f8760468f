"""What a workload is: two functions over a `Stage`, a name, and the unit of its figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from moorage_bench.connections import Outcome
from moorage_bench.content import MIB, Content, Scale
from moorage_bench.targets import Target


@dataclass(frozen=True, slots=True)
class Stage:
    """A target, what to put there, and whether this is the warm-up round, whose figure is thrown away."""

    target: Target
    content: Content
    warm_up: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure in the workload's unit, and what the loop took for it."""

    value: float
    outcome: Outcome


def _nothing(_: Scale) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Workload:
    """A named kind of load. `stored` is how many bytes a round adds to the registry, which never shrinks.

    `once`: no warm-up and one round only, because repeating would tell nothing new.
    """

    name: str
    unit: str
    door: Literal["docker", "ecr"]
    prepare: Callable[[Stage], None]
    measure: Callable[[Stage], Measurement]
    stored: Callable[[Scale], int] = _nothing
    once: bool = False
    needs_processes: bool = False

    def unfit(self, target: Target) -> str:
        """Why the target cannot be measured, or nothing."""
        if self.door == "ecr" and target.key is None:
            return "has no access key"
        if self.needs_processes and not target.processes():
            return "its processes were not found (give --pid or --against-pid)"
        return ""


def bytes_a_second(size: int, outcome: Outcome) -> Measurement:
    """The figure of a workload that moves `size` bytes: MiB a second."""
    return Measurement(size / MIB / outcome.seconds, outcome)


def answers_a_second(outcome: Outcome) -> Measurement:
    """The figure of a workload of many small requests."""
    return Measurement(outcome.responses / outcome.seconds, outcome)


def repository(name: str) -> Callable[[Stage], None]:
    """A `prepare` that needs nothing but a repository of this name."""
    return lambda stage: stage.target.ensure_repository(name)
