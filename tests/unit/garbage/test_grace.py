"""Grace periods: their ends, and what can be collected."""

from __future__ import annotations

import pytest

from moorage.core.garbage.grace import collectable_before, grace_end
from moorage.domain.units import DAY, HOUR


def test_a_grace_period_is_an_eighth_longer_than_the_setting() -> None:
    assert grace_end(1_000, DAY) == 1_000 + 27 * HOUR


@pytest.mark.parametrize("grace", [0, 1, HOUR, DAY])
def test_a_layer_can_be_collected_when_its_grace_period_has_ended(grace: int) -> None:
    reported_at = 1_000 * DAY
    end = grace_end(reported_at, grace)

    assert not reported_at < collectable_before(end, grace)
    assert reported_at < collectable_before(end + 1, grace)
