"""Parameters of STS: exactly those of the model, with lists numbered from 1."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from moorage.aws.sts_parameters import PARAMETERS, check_parameters
from moorage.domain.errors import InvalidParameter


def _members(shape: Any) -> tuple[str, ...] | None:
    if shape.type_name != "list":
        return None
    return tuple(shape.member.members) if shape.member.type_name == "structure" else ("",)


@pytest.mark.parametrize("operation", PARAMETERS)
def test_the_parameters_are_those_of_the_model(operation: str) -> None:
    model = botocore.session.get_session().get_service_model("sts").operation_model(operation)
    members = model.input_shape.members if model.input_shape else {}

    assert PARAMETERS[operation] == {name: _members(shape) for name, shape in members.items()}


@pytest.mark.parametrize("operation", PARAMETERS)
@pytest.mark.parametrize(
    "parameter",
    [
        "Unknown",
        "durationseconds",
        "policy",
        "PolicyArns.member.1.Arn",
        "PolicyArns.member.2.arn",
        "PolicyArns.member.0.arn",
        "PolicyArns.member.01.arn",
        "PolicyArns.member.1.arn.x",
        "PolicyArns.member.1",
        "PolicyArns.1.arn",
        "PolicyArns.arn",
        "policyArns.member.1.arn",
        "PolicyArns",
        "Policy.member.1",
        "PolicyArns.member.100.arn",
        "PolicyArns.member.\u0661.arn",
    ],
)
def test_other_names_and_numbers_are_refused(operation: str, parameter: str) -> None:
    with pytest.raises(InvalidParameter):
        check_parameters(operation, {parameter: "arn:aws:iam::aws:policy/ReadOnlyAccess"})


def test_a_gap_in_a_list_is_refused() -> None:
    given = dict.fromkeys(("PolicyArns.member.1.arn", "PolicyArns.member.3.arn"), "x")

    with pytest.raises(InvalidParameter, match="without gaps"):
        check_parameters("AssumeRole", given)


@pytest.mark.parametrize("parameter", ["PolicyArns", "Tags", "TransitiveTagKeys"])
def test_an_empty_list_is_accepted_as_clients_send_it(parameter: str) -> None:
    check_parameters("AssumeRole", {parameter: ""})


@pytest.mark.parametrize("parameter", ["Tags.member.1.Key", "SerialNumber", "ProvidedContexts.member.1.ProviderArn"])
def test_a_parameter_that_is_not_supported_is_refused_by_name(parameter: str) -> None:
    with pytest.raises(InvalidParameter, match="Moorage does not support it"):
        check_parameters("AssumeRole", {parameter: "x"})
