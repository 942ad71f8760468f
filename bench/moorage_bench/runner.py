"""The method: warm up, interleave the targets, repeat, keep every figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from moorage_bench.content import FULL, MIB, Content, Framing, Scale
from moorage_bench.machine import Bystanders, machine
from moorage_bench.memory import warm_memory
from moorage_bench.report import Report, Row, Series, version_and_date
from moorage_bench.stages import Measurement, Stage, Workload
from moorage_bench.targets import Target
from moorage_bench.workloads import WORKLOADS


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure on which targets (the first is the one that ratios are about), how often and how large."""

    targets: Sequence[Target]
    workloads: Sequence[Workload] = WORKLOADS
    repeat: int = 5
    scale: Scale = FULL
    framing: Framing = "chunked"

    def written(self) -> int:
        """Bytes that each target will store, because content must be new in every round."""
        rounds = self.repeat + 1
        return sum(workload.stored(self.scale) * (1 if workload.once else rounds) for workload in self.workloads)


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement, and the cores that programs without a part in it kept busy meanwhile."""

    measurement: Measurement
    others_cores: float


def run(plan: Plan, say: Callable[[str], None]) -> Report:
    """Measure the whole plan; `say` is told of progress line by line. Raises BenchmarkError."""
    content = Content(plan.scale, plan.framing)
    for target in plan.targets:
        target.greet()
    say(f"each target will store about {plan.written() / MIB / 1024:.1f} GiB")
    rows = [_row(workload, plan, content, say) for workload in plan.workloads]
    version, date = version_and_date()
    servers = {target.name: target.server for target in plan.targets}
    return Report(version, date, machine(), servers, plan.repeat, plan.framing, asdict(plan.scale), rows)


def _row(workload: Workload, plan: Plan, content: Content, say: Callable[[str], None]) -> Row:
    skipped = {target.name: why for target in plan.targets if (why := workload.unfit(target))}
    targets = [target for target in plan.targets if target.name not in skipped]
    found: dict[str, list[Round]] = {target.name: [] for target in targets}
    for target in targets:
        workload.prepare(Stage(target, content))
        if not workload.once:
            _measure(workload, Stage(target, content, warm_up=True))
    for number in range(1 if workload.once else plan.repeat):
        # Every other round goes backwards, so that no target always follows the same one.
        for target in targets if number % 2 == 0 else reversed(targets):
            found[target.name].append(_measure(workload, Stage(target, content)))
            measurement = found[target.name][-1].measurement
            say(f"{workload.name} {target.name}: {measurement.value:,.1f} {workload.unit}")
    series = [_series(name, rounds) for name, rounds in found.items()]
    return Row(workload.name, workload.unit, series, skipped)


def _measure(workload: Workload, stage: Stage) -> Round:
    warm_memory(workload.stored(stage.content.scale))
    bystanders = Bystanders(stage.target.processes())
    measurement = workload.measure(stage)
    return Round(measurement, bystanders.cores())


def _series(name: str, rounds: Sequence[Round]) -> Series:
    outcomes = [each.measurement.outcome for each in rounds]
    answers = [outcome.responses for outcome in outcomes]
    processor = sum(outcome.processor_seconds for outcome in outcomes)
    return Series(
        target=name,
        values=[each.measurement.value for each in rounds],
        seconds=[outcome.seconds for outcome in outcomes],
        requests=answers,
        client_microseconds_a_request=processor / sum(answers) * 1e6,
        others_cores=[round(each.others_cores, 2) for each in rounds],
    )
