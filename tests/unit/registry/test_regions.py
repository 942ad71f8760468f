"""Names of Regions: those of AWS's form, and those that the operator adds."""

from __future__ import annotations

import botocore.session
import pytest

from moorage.app import limits_of
from moorage.config.sources import load
from moorage.config.table import InvalidSetting
from moorage.domain.regions import Regions


def test_every_region_that_botocore_knows_has_the_form() -> None:
    session = botocore.session.Session()
    names = [
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("ecr", partition, allow_non_regional=False)
    ]

    assert len(names) > 30
    assert [name for name in names if not Regions([]).include(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        *("", "-", "--", "a", "1", "local", "us-east", "us-east-", "us--1", "-us-east-1", "us-east-1-", "us-east-1\n"),
        *("US-EAST-1", "us_east_1", "us-east-100", "abcde-east-1", "us-east-\u0661", "us-" + "a" * 22 + "-1"),
    ],
)
def test_other_names_are_no_regions(name: str) -> None:
    assert not Regions([]).include(name)


def test_the_operator_adds_names() -> None:
    limits = limits_of(load({"region": "home"}, {"MOORAGE_EXTRA_REGION": "lab-2, x1"}))

    assert all(limits.regions.include(name) for name in ("home", "lab-2", "x1", "eu-west-1"))
    assert not limits.regions.include("lab")


@pytest.mark.parametrize("name", ["-", "a", "Home", "a_b", "a.b", "-a", "a" * 26])
@pytest.mark.parametrize("setting", ["region", "extra_region"])
def test_a_name_that_host_names_and_arns_cannot_have_is_refused(setting: str, name: str) -> None:
    with pytest.raises(InvalidSetting, match="Region"):
        load({}, {f"MOORAGE_{setting.upper()}": name})
