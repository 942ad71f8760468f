"""The results of a growth measurement: one figure for each row and size."""

from __future__ import annotations

import msgspec

from moorage_bench.report import aligned


def fine(value: float) -> str:
    """A figure with three digits or more: many times are under a millisecond."""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


class GrowthRow(msgspec.Struct, frozen=True):
    """A row: its figures in the order of the sizes."""

    name: str
    unit: str
    values: list[float]

    @property
    def growth(self) -> float:
        """The figure of the last size divided by that of the first one."""
        return self.values[-1] / self.values[0] if self.values[0] else 0.0


class GrowthReport(msgspec.Struct, frozen=True):
    """The results of a whole run. `sizes` are numbers of images."""

    moorage: str
    date: str
    machine: dict[str, str | int]
    command: str
    sizes: list[int]
    rows: list[GrowthRow]

    @classmethod
    def from_json(cls, data: bytes) -> GrowthReport:
        """The report that `to_json` wrote. Raises msgspec.DecodeError for anything else."""
        return msgspec.json.decode(data, type=cls)

    def to_json(self) -> bytes:
        """The report as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def to_table(self) -> str:
        """The report as aligned text."""
        head = ["row", "unit", *(f"{size:,}" for size in self.sizes), "last ÷ first"]
        lines = [[row.name, row.unit, *map(fine, row.values), f"{row.growth:.2f}"] for row in self.rows]
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        return "\n".join([*aligned([head, *lines]), "", f"moorage {self.moorage}, {self.date}, {machine}"])
