"""Workloads: a name, a unit, and two functions of a `Stage`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moorage_bench.connections import Outcome
from moorage_bench.content import MIB, Content, Scale
from moorage_bench.targets import ECR, Target


@dataclass(frozen=True, slots=True)
class Stage:
    """A target and the content for it. The result of a warm-up round is not used."""

    target: Target
    content: Content
    warm_up: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """One result in the workload's unit, and the outcome of the loop."""

    value: float
    outcome: Outcome


def _nothing(_: Scale) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of load. `stored` is the number of bytes that a round adds to the registry, which keeps them.

    `once`: one round without a warm-up, because more rounds would give no new information. `fewer` is whether a smaller
    result is better, and `operations` are those of the ECR API that it needs.
    """

    name: str
    unit: str
    protocols: tuple[str, ...]
    prepare: Callable[[Stage], None]
    measure: Callable[[Stage], Measurement]
    stored: Callable[[Scale], int] = _nothing
    once: bool = False
    needs_processes: bool = False
    fewer: bool = False
    operations: tuple[str, ...] = ()

    def reason_to_skip(self, target: Target) -> str:
        """Why the target cannot be measured; empty if it can."""
        if missing := [each for each in self.protocols if each not in target.abilities.protocols]:
            return f"does not have the protocol {missing[0]}"
        if ECR in self.protocols and target.key is None:
            return "has no access key"
        available = target.abilities.operations
        if missing := [each for each in self.operations if available is not None and each not in available]:
            return f"does not have {missing[0]}"
        if self.needs_processes and not target.processes():
            return "its processes were not found (pass --pid or --against-pid)"
        return ""


def bytes_a_second(size: int, outcome: Outcome) -> Measurement:
    """The result of a workload that moves `size` bytes: MiB per second."""
    return Measurement(size / MIB / outcome.seconds, outcome)


def responses_a_second(outcome: Outcome) -> Measurement:
    """The result of a workload of many small requests."""
    return Measurement(outcome.responses / outcome.seconds, outcome)


def repository(name: str) -> Callable[[Stage], None]:
    """A `prepare` that creates only a repository with this name."""
    return lambda stage: stage.target.ensure_repository(name)
