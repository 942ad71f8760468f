"""The grammar of policies, with each rule broken once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.domain.identity.policies.document import GRAMMARS, PolicyKind, accept_policy, parse_policy
from moorage.domain.identity.policies.elements import BadPolicy
from moorage.domain.identity.policies.statements import Effect
from tests.support.policies import VERSION, policy

STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "ecr:*"}
ELEMENTS: dict[PolicyKind, dict[str, Any]] = {
    PolicyKind.IDENTITY: {"Resource": "*"},
    PolicyKind.SESSION: {"Resource": "*"},
    PolicyKind.REPOSITORY: {"Principal": "*"},
    PolicyKind.REGISTRY: {"Principal": "*", "Resource": "*"},
}


def statement(kind: PolicyKind = PolicyKind.REPOSITORY, **changes: Any) -> dict[str, Any]:
    """A valid statement with changes. None removes an element."""
    members = STATEMENT | ELEMENTS[kind] | changes
    return {name: value for name, value in members.items() if value is not None}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_each_kind_has_its_elements_and_no_others(kind: PolicyKind) -> None:
    assert parse_policy(policy(statement(kind)), kind).kind is kind

    for element in ("Principal", "Resource"):
        other = {element: None if element in ELEMENTS[kind] else "*"}
        with pytest.raises(BadPolicy, match=element):
            accept_policy(policy(statement(kind, **other)), kind)


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"AWS": "111111111111"}},
        {"Principal": {"AWS": ["arn:aws:iam::111111111111:user/team/alice", "arn:aws:iam::111111111111:root", "*"]}},
        {"Principal": {"AWS": "arn:aws:sts::111111111111:assumed-role/builder/session-1"}},
        {"Principal": {"Service": ["lambda.amazonaws.com", "codebuild.amazonaws.com"]}},
        {"Principal": {"AWS": "*", "Service": "lambda.amazonaws.com"}},
        {"Principal": None, "NotPrincipal": {"AWS": "111111111111"}, "Effect": "Deny"},
        {"Action": None, "NotAction": ["ecr:Put*", "ecr:?nitiateLayerUpload"]},
        {"Action": "*"},
        {"Action": ["ECR:batchgetimage"]},
        {"Sid": "a Sid may have spaces"},
        {"Condition": {}},
        {"Condition": {"StringLike": {"aws:PrincipalTag/team": ["a", "b*"]}, "Bool": {"aws:SecureTransport": True}}},
        {"Condition": {"NumericLessThanIfExists": {"aws:EpochTime": 1e9}}},
        {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": "${aws:username, 'nobody'}"}}},
        {"Condition": {"Null": {"aws:TokenIssueTime": "true"}}},
    ],
)
def test_forms_that_iam_accepts_are_accepted(changes: dict[str, Any]) -> None:
    (found,) = parse_policy(policy(statement(**changes)), PolicyKind.REPOSITORY).statements

    assert found.position == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Effect": None}, "Effect"),
        ({"Effect": "allow"}, "Effect"),
        ({"Effect": ["Allow"]}, "Effect"),
        ({"Action": None}, "Action"),
        ({"NotAction": "ecr:*"}, "either Action or NotAction"),
        ({"Action": []}, "Action"),
        ({"Action": [""]}, "Action"),
        ({"Action": [1]}, "Action"),
        ({"Action": "ecr"}, "cannot name the action"),
        ({"Action": "e*:PutImage"}, "cannot name the action"),
        ({"Action": "s3:GetObject"}, "cannot name the action"),
        ({"Action": "ecr:Put Image"}, "cannot name the action"),
        ({"Sid": 1}, "Sid"),
        ({"Principle": "*"}, "unknown element: Principle"),
        ({"Principal": "everybody"}, "Principal"),
        ({"Principal": {}}, "must not be empty"),
        ({"Principal": {"AWS": []}}, "Principal"),
        ({"Principal": {"aws": "111111111111"}}, "unknown principal type"),
        ({"Principal": {"CanonicalUser": "79a59d"}}, "unknown principal type"),
        ({"Principal": {"AWS": "11111111111"}}, "invalid principal"),
        ({"Principal": {"AWS": "arn:aws:iam::111111111111:user/*"}}, "invalid principal"),
        ({"Principal": {"AWS": "arn:aws:iam::111111111111:group/all"}}, "invalid principal"),
        ({"Principal": {"AWS": "arn:aws:s3:::bucket"}}, "invalid principal"),
        ({"Principal": {"Service": "https://lambda"}}, "invalid service"),
        ({"NotPrincipal": "*"}, "either Principal or NotPrincipal"),
        ({"Principal": None, "NotPrincipal": {"AWS": "111111111111"}}, "Deny only"),
        ({"Condition": []}, "Condition"),
        ({"Condition": {"StringEquals": "x"}}, "operator of a Condition"),
        ({"Condition": {"StringEqual": {"aws:username": "x"}}}, "unknown condition operator: StringEqual"),
        ({"Condition": {"stringequals": {"aws:username": "x"}}}, "unknown condition operator"),
        ({"Condition": {"ForSomeValues:StringEquals": {"aws:username": "x"}}}, "unknown condition operator"),
        ({"Condition": {"NullIfExists": {"aws:username": "true"}}}, "unknown condition operator"),
        ({"Condition": {"StringEquals": {"aws:username": []}}}, "no value"),
        ({"Condition": {"StringEquals": {"aws:username": {}}}}, "values"),
        ({"Condition": {"StringEquals": {"aws:username": [None]}}}, "values"),
        ({"Condition": {"StringEquals": {"aws:username": "${aws:username"}}}, "not closed"),
        ({"Condition": {"StringEquals": {"aws:username": "${aws:username, x}"}}}, "invalid policy variable"),
        ({"Condition": {"StringEquals": {"": "x"}}}, "no key"),
    ],
)
def test_a_violation_of_the_grammar_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadPolicy, match=reason):
        accept_policy(policy(statement(**changes)), PolicyKind.REPOSITORY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("[" * 10_000, "not valid JSON"),
        ('{"Statement":[],"Statement":[]}', "'Statement' occurs twice"),
        ('{"Statement":{"Condition":{},"Condition":{}}}', "'Condition' occurs twice"),
        ("{}", "Statement"),
        (json.dumps({"Version": VERSION, "Statement": []}), "Statement"),
        (json.dumps({"Version": VERSION, "Statement": "x"}), "Statement"),
        (json.dumps({"Version": VERSION, "Statement": [1]}), "a statement must be"),
        (json.dumps({"Version": "2020-01-01", "Statement": [statement()]}), "Version"),
        (json.dumps({"Version": [], "Statement": [statement()]}), "Version"),
        (json.dumps({"Id": 1, "Statement": [statement()]}), "Id"),
        (json.dumps({"Statements": [statement()]}), "unknown element: Statements"),
    ],
)
def test_a_text_that_is_not_a_policy_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadPolicy, match=reason):
        accept_policy(text, PolicyKind.REPOSITORY)


def test_a_resource_is_an_arn() -> None:
    with pytest.raises(BadPolicy, match="ARN"):
        accept_policy(policy(statement(PolicyKind.IDENTITY, Resource="team/app")), PolicyKind.IDENTITY)


def test_two_statements_of_an_identity_policy_cannot_have_one_sid() -> None:
    """Statements of ECR's policies can."""

    with pytest.raises(BadPolicy, match="Same"):
        accept_policy(policy(*[statement(PolicyKind.IDENTITY, Sid="Same")] * 2), PolicyKind.IDENTITY)
    assert len(parse_policy(policy(*[statement(Sid="Same")] * 2), PolicyKind.REPOSITORY).statements) == 2


@pytest.mark.parametrize("kind", ELEMENTS)
def test_a_new_policy_has_a_maximum_length(kind: PolicyKind) -> None:
    text = policy(statement(kind))
    longest = text + " " * (GRAMMARS[kind].length - len(text))

    assert accept_policy(longest, kind).statements
    with pytest.raises(BadPolicy, match=str(GRAMMARS[kind].length)):
        accept_policy(longest + " ", kind)


@pytest.mark.parametrize("kind", ELEMENTS)
def test_a_stored_policy_that_cannot_be_read_denies_everything(kind: PolicyKind) -> None:
    """Earlier versions stored policies with a member twice, and dropped the first one, possibly a condition."""
    text = policy(statement(kind)).replace('"Version"', '"Id": "x", "Id": "y", "Version"')

    (denial,) = parse_policy(text, kind).statements

    assert denial.effect is Effect.DENY
    assert denial.actions.matches("ecr:putimage")
    assert not denial.conditions


def test_a_policy_is_parsed_once() -> None:
    text = policy(statement(Action="ecr:PutImage"))

    assert parse_policy(text, PolicyKind.REPOSITORY) is parse_policy(text, PolicyKind.REPOSITORY)


def test_an_old_policy_has_no_variables() -> None:
    """IAM user guide, "Version": in 2008-10-17 a variable is a text like every other."""
    old = statement(Condition={"StringEquals": {"aws:username": "${aws:username"}})

    text = json.dumps({"Version": "2008-10-17", "Statement": old})
    assert parse_policy(text, PolicyKind.REPOSITORY).statements
    assert parse_policy(json.dumps({"Statement": old}), PolicyKind.REPOSITORY).statements
