"""ARNs of another partition name nothing of this server, so no parser of ARNs accepts one."""

from __future__ import annotations

import re

import pytest
from tests.project.test_code_shape import ROOT, place

from moorage.domain.errors import InvalidParameter
from moorage.domain.names import parse_repository_arn


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-iso", "AWS", "aws-", ""])
def test_the_arn_of_a_repository_in_another_partition_is_refused(partition: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_repository_arn(f"arn:{partition}:ecr:us-east-1:000000000000:repository/team/app")


def test_each_pattern_of_an_arn_has_the_partition_aws() -> None:
    """Literally: a class of characters or a wildcard after `arn:aws` would accept other partitions."""
    files = sorted((ROOT / "src").rglob("*.py"))

    assert [place(file) for file in files if re.search(r"arn:(?:aws)?[\[(\\.]", file.read_text())] == []
