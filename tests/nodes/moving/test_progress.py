"""The progress that `moorage migrate` reports: the time that is left depends on bytes and on the number of layers."""

from __future__ import annotations

import pytest

from moorage.cli.migrate_registry import progress_line
from moorage.core.migration.blobs import Progress
from moorage.domain.units import MIB


@pytest.mark.parametrize(
    ("blobs", "size", "left"),
    [
        (10, 100 * MIB, ", 90 min left"),  # half of the layers, and a tenth of the bytes
        (1, 500 * MIB, ", 190 min left"),  # a twentieth of the layers, and half of the bytes
        (20, 1000 * MIB, ""),
    ],
)
def test_the_time_left_is_that_of_the_bytes_or_of_the_layers(blobs: int, size: int, left: str) -> None:
    progress = Progress(blobs, size, of_blobs=20, of_bytes=1000 * MIB, copied=size, copied_blobs=blobs)

    line = progress_line(progress, 600)

    assert line.endswith(f"{size / 600 / MIB:.1f} MiB/s{left}")


def test_many_small_layers_take_a_time_although_their_bytes_are_few() -> None:
    progress = Progress(300, 3 * MIB, of_blobs=2000, of_bytes=4 * MIB, copied=3 * MIB, copied_blobs=300)

    assert progress_line(progress, 10).endswith(", 57 s left")


def test_layers_of_an_earlier_run_do_not_count_for_the_speed() -> None:
    progress = Progress(1100, 110 * MIB, of_blobs=1200, of_bytes=120 * MIB, copied=10 * MIB, copied_blobs=100)

    assert progress_line(progress, 60).endswith(", 60 s left")


def test_without_a_copied_layer_no_time_is_known() -> None:
    assert progress_line(Progress(of_blobs=3, of_bytes=9), 5).endswith("0.0 MiB/s")
