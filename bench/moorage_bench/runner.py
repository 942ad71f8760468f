"""Run the workloads: warm up, alternate the targets, repeat, keep every result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from moorage_bench.content import FULL, MIB, Content, Framing, Scale
from moorage_bench.machine import UnrelatedWork, machine
from moorage_bench.memory import warm_memory
from moorage_bench.peers.servers import Fleet
from moorage_bench.progress import Progress
from moorage_bench.report import Report, Row, Series, version_and_date
from moorage_bench.targets import Target
from moorage_bench.workloads.stages import Measurement, Stage, Workload
from moorage_bench.workloads.table import WORKLOADS


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, on which targets, how often and at which scale. Ratios refer to the first target.

    The servers of a `fleet` start again with empty folders before they would store more than `space` bytes together.
    """

    targets: Sequence[Target]
    workloads: Sequence[Workload] = WORKLOADS
    repeat: int = 5
    scale: Scale = FULL
    framing: Framing = "chunked"
    fleet: Fleet | None = None
    space: int = 0
    command: str = ""

    def stored(self) -> int:
        """The bytes that each target will store: every round pushes new data."""
        rounds = self.repeat + 1
        return sum(workload.stored(self.scale) * (1 if workload.once else rounds) for workload in self.workloads)

    def targets_of(self, workload: Workload) -> list[Target]:
        """The targets on which a workload runs."""
        return [target for target in self.targets if not workload.reason_to_skip(target)]

    def measurements(self) -> dict[str, int]:
        """The number of measurements and warm-ups of each workload."""
        rounds = self.repeat + 1
        return {
            workload.name: (1 if workload.once else rounds) * len(self.targets_of(workload))
            for workload in self.workloads
        }


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement, and the cores that unrelated programs used meanwhile."""

    measurement: Measurement
    others_cores: float


@dataclass(slots=True)
class Session:
    """A run of a plan, which logs each measurement with the time that is left."""

    plan: Plan
    content: Content
    progress: Progress
    log: Callable[[str], None]
    stored: int = 0

    def warm_up(self, workload: Workload, targets: Sequence[Target]) -> None:
        """Prepare the workload on each target, and measure it once without a result."""
        for target in targets:
            workload.prepare(Stage(target, self.content))
            if not workload.once:
                self.measure(workload, Stage(target, self.content, warm_up=True))

    def make_room(self, workload: Workload, targets: Sequence[Target]) -> bool:
        """Count what a round will store. Returns whether the servers had to start again to have space for it."""
        plan = self.plan
        more = workload.stored(plan.scale) * len(targets)
        self.stored += more
        if plan.fleet is None or self.stored <= plan.space or self.stored == more:
            return False
        self.log("the servers start again with empty folders")
        plan.fleet.renew()
        self.stored = more
        return True

    def measure(self, workload: Workload, stage: Stage) -> Round:
        """Measure a workload once, and log the result."""
        started = time.monotonic()
        result = _measure(workload, stage)
        self.progress.measured(workload.name, time.monotonic() - started)
        value = "warm-up" if stage.warm_up else f"{result.measurement.value:,.1f} {workload.unit}"
        self.log(f"{workload.name} {stage.target.name}: {value} ({self.progress})")
        return result


def run(plan: Plan, log: Callable[[str], None]) -> Report:
    """Measure the whole plan. `log` receives the progress, line by line. Raises BenchmarkError."""
    for target in plan.targets:
        target.log_in()
    log(f"each target will store about {plan.stored() / MIB / 1024:.1f} GiB")
    session = Session(plan, Content(plan.scale, plan.framing), Progress(plan.measurements()), log)
    rows = [_row(workload, session) for workload in plan.workloads]
    version, date = version_and_date()
    servers = {target.name: target.server for target in plan.targets}
    return Report(version, date, machine(), servers, plan.command, plan.repeat, plan.framing, asdict(plan.scale), rows)


def _row(workload: Workload, session: Session) -> Row:
    plan = session.plan
    skipped = {target.name: reason for target in plan.targets if (reason := workload.reason_to_skip(target))}
    targets = plan.targets_of(workload)
    rounds: dict[str, list[Round]] = {target.name: [] for target in targets}
    session.make_room(workload, targets)
    session.warm_up(workload, targets)
    for number in range(1 if workload.once else plan.repeat):
        if session.make_room(workload, targets):
            session.make_room(workload, targets)  # The warm-up stores, too.
            session.warm_up(workload, targets)
        # Every other round runs backwards, so that no target always follows the same one.
        for target in targets if number % 2 == 0 else reversed(targets):
            rounds[target.name].append(session.measure(workload, Stage(target, session.content)))
    series = [_series(name, its_rounds) for name, its_rounds in rounds.items()]
    return Row(workload.name, workload.unit, series, skipped, workload.fewer)


def _measure(workload: Workload, stage: Stage) -> Round:
    warm_memory(workload.stored(stage.content.scale))
    unrelated = UnrelatedWork(stage.target.processes())
    measurement = workload.measure(stage)
    return Round(measurement, unrelated.cores())


def _series(name: str, rounds: Sequence[Round]) -> Series:
    outcomes = [each.measurement.outcome for each in rounds]
    responses = [outcome.responses for outcome in outcomes]
    processor = sum(outcome.processor_seconds for outcome in outcomes)
    return Series(
        target=name,
        values=[each.measurement.value for each in rounds],
        seconds=[outcome.seconds for outcome in outcomes],
        requests=responses,
        client_microseconds_a_request=processor / sum(responses) * 1e6,
        others_cores=[round(each.others_cores, 2) for each in rounds],
    )
