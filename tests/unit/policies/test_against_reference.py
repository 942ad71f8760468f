"""Decisions on thousands of random policies, compared with an evaluator that only shares the manual with ours."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.document import Policy, PolicyKind, parse_policy
from moorage.domain.identity.policies.evaluation import PolicySet, Reason, evaluate
from moorage.domain.identity.policies.request import PolicyRequest, RequestContext
from tests.support.policies import VERSION
from tests.unit.policies import reference
from tests.unit.policies.requests import ALICE, OURS, REGION, STRANGER, THEIRS

ARN = f"arn:aws:ecr:{REGION}:{OURS}:repository"
TIME = 1_800_000_000
TAGS: list[dict[str, str]] = [{}, {"team": "red"}, {"team": "r*", "stage": "test"}, {"Team": "?"}]

ACTION_TEXTS = ["ecr:*", "*", "ecr:BatchGetImage", "ECR:putimage", "ecr:?utImage", "ecr:*Image*", "ecr:List*s"]
VARIABLES = [
    "${aws:username}",
    "${aws:PrincipalTag/team}",
    "${aws:PrincipalTag/team, 'red'}",
    "${aws:SourceVpce}",
    "${aws:TagKeys}",
    "${moorage:unknown}",
    "r${*}",
    "${?}",
]
RESOURCE_TEXTS = ["*", f"{ARN}/*", f"{ARN}/red/app", f"{ARN}/?*/app", "arn:*:ecr:*:*:repository/*e*", f"{ARN}/team"]
RESOURCE_TEXTS += [f"{ARN}/{variable}/app" for variable in VARIABLES]
PRINCIPAL_TEXTS = [OURS, THEIRS, f"arn:aws:iam::{OURS}:root", ALICE.arn, STRANGER.arn, f"arn:aws:iam::{OURS}:user/bob"]

TEXTS = ["red", "r*", "R?D", "test", "alice", "docker/*", "*", "", "Team", "team", *VARIABLES]
CONDITIONS = {
    "StringEquals": TEXTS,
    "StringNotEquals": TEXTS,
    "StringEqualsIgnoreCase": TEXTS,
    "StringNotEqualsIgnoreCase": TEXTS,
    "StringLike": TEXTS,
    "StringNotLike": TEXTS,
    "ArnEquals": [
        ALICE.arn,
        "arn:aws:*",
        f"arn:aws:iam::{OURS}:user/*",
        "arn:aws:iam::*",
        "arn:*:iam::*:*/${aws:username}",
    ],
    "ArnNotLike": [STRANGER.arn, "arn:aws:*", "arn:aws:?am::*:user/b*", "arn"],
    "NumericEquals": [str(TIME), "1800000000.0", "red"],
    "NumericNotEquals": [str(TIME), "7"],
    "NumericLessThan": [str(TIME), str(TIME + 1)],
    "NumericGreaterThanEquals": [str(TIME), "-1"],
    "DateEquals": [str(TIME), "2027-01-15T08:00:00Z"],
    "DateLessThanEquals": ["2027-01-15T08:00:00Z", "2027-01-15T07:59:00+00:00", "yesterday"],
    "DateGreaterThan": ["2026-01-01T00:00:00Z", str(TIME)],
    "Bool": ["true", "False", "red"],
    "IpAddress": ["10.0.0.0/8", "192.168.0.1", "2001:db8::/32", "10.0.0.0/99"],
    "NotIpAddress": ["10.0.0.0/8", "0.0.0.0/0"],
    "Null": ["true", "false"],
}
KEYS = [
    "aws:username",
    "aws:PrincipalArn",
    "aws:SourceIp",
    "aws:UserAgent",
    "aws:SecureTransport",
    "AWS:currenttime",
    "aws:EpochTime",
    "aws:TokenIssueTime",
    "aws:PrincipalTag/team",
    "ecr:ResourceTag/team",
    "aws:RequestTag/stage",
    "aws:TagKeys",
    "aws:SourceVpce",
    "moorage:unknown",
]


class Draw(random.Random):
    """Makes random requests and policies, the same for the same seed."""

    def request(self) -> PolicyRequest:
        caller = self.choice([ALICE, replace(ALICE, user_name="bob", user_id="AIDABOB"), STRANGER])
        name = self.choice(["red/app", "alice/app", "r*/app", "team", ""])
        tags = self.choice(TAGS)
        request_context = RequestContext(
            TIME * 1_000_000,
            self.choice(["10.1.2.3", "192.168.0.1", "2001:db8::1", ""]),
            self.choice([True, False]),
            self.choice([None, "docker/27.0", "aws-cli/2 (x*)"]),
            request_tags=tags,
            tag_keys=tuple(tags),
        )
        return PolicyRequest(
            replace(caller, tags=self.choice(TAGS), issued_at=self.choice([None, (TIME - 60) * 1_000_000])),
            self.choice(["ecr:BatchGetImage", "ecr:PutImage", "ecr:ListImages"]),
            f"{ARN}/{name}" if name else "*",
            OURS,
            REGION,
            request_context,
            self.choice(TAGS),
        )

    def policies(self, most: int, *, principal: bool, resource: bool) -> list[dict[str, Any]]:
        return [
            {
                "Version": VERSION,
                "Statement": [self._statement(principal, resource) for _ in range(self.randint(1, 3))],
            }
            for _ in range(self.randint(0, most))
        ]

    def _statement(self, principal: bool, resource: bool) -> dict[str, Any]:
        found = {"Effect": self.choice(["Allow", "Allow", "Deny"])} | self._element("Action", ACTION_TEXTS)
        if resource:
            found |= self._element("Resource", RESOURCE_TEXTS)
        if principal and self.random() < 0.2:
            found |= {"NotPrincipal": {"AWS": self._some(PRINCIPAL_TEXTS)}, "Effect": "Deny"}
        elif principal:
            found["Principal"] = self.choice(["*", {"AWS": self._some([*PRINCIPAL_TEXTS, "*"])}])
        conditions = {self._operator(): self.sample(KEYS, self.randint(1, 2)) for _ in range(self.choice([0, 0, 1, 2]))}
        if conditions:
            found["Condition"] = {
                operator: {key: self._some(CONDITIONS[base(operator)]) for key in keys}
                for operator, keys in conditions.items()
            }
        return found

    def _element(self, name: str, texts: list[str]) -> dict[str, Any]:
        return {self.choice([name, name, name, f"Not{name}"]): self._some(texts)}

    def _operator(self) -> str:
        name = self.choice(sorted(CONDITIONS))
        suffix = "" if name == "Null" else self.choice(["", "", "IfExists"])
        return self.choice(["", "", "", "ForAnyValue:", "ForAllValues:"]) + name + suffix

    def _some(self, texts: list[str]) -> Any:
        found = self.sample(texts, self.randint(1, min(3, len(texts))))
        return found[0] if len(found) == 1 and self.random() < 0.5 else found


def base(operator: str) -> str:
    return operator.rpartition(":")[2].removesuffix("IfExists")


def facts_of(request: PolicyRequest) -> reference.Facts:
    """The request in the terms of the other evaluator."""
    caller, came = request.principal, request.request_context
    assert isinstance(caller, Caller)
    context = {
        "aws:username": [caller.user_name],
        "aws:principalarn": [caller.arn],
        "aws:sourceip": [came.source_ip] if came.source_ip else [],
        "aws:useragent": [came.user_agent] if came.user_agent else [],
        "aws:securetransport": ["true" if came.secure else "false"],
        "aws:currenttime": ["2027-01-15T08:00:00Z"],
        "aws:epochtime": [str(TIME)],
        "aws:tokenissuetime": [] if caller.issued_at is None else ["2027-01-15T07:59:00Z"],
        "aws:tagkeys": list(came.request_tags),
        "aws:sourcevpce": [],
        "aws:principaltag/team": tagged(caller.tags, "team"),
        "ecr:resourcetag/team": tagged(request.resource_tags, "team"),
        "aws:requesttag/stage": tagged(came.request_tags, "stage"),
    }
    return {
        "principal": caller.arn,
        "account": caller.account,
        "owner": request.account,
        "action": request.action,
        "resource": request.resource,
        "context": context,
    }


def tagged(tags: Any, key: str) -> list[str]:
    return [value for name, value in tags.items() if name.lower() == key]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**64))
def test_two_evaluators_agree(seed: int) -> None:
    draw = Draw(seed)
    for _ in range(50):
        request = draw.request()
        identity = draw.policies(2, principal=False, resource=True)
        repository = draw.policies(1, principal=True, resource=False)
        registry = draw.policies(1, principal=True, resource=True)
        session = draw.choice([None, None, draw.policies(2, principal=False, resource=True)])

        ours = evaluate(request, policies_of(identity, repository, registry, session))
        theirs = reference.decision(facts_of(request), identity, repository + registry, session)

        assert ours.allowed == theirs, (request, identity, repository, registry, session)


def policies_of(
    identity: list[Any], repository: list[Any], registry: list[Any], session: list[Any] | None
) -> PolicySet:
    """The same documents, parsed by the code under test."""

    def read(kind: PolicyKind, documents: list[Any]) -> tuple[Policy, ...]:
        return tuple(parse_policy(json.dumps(document), kind) for document in documents)

    resource = read(PolicyKind.REPOSITORY, repository) + read(PolicyKind.REGISTRY, registry)
    return PolicySet(
        read(PolicyKind.IDENTITY, identity), resource, None if session is None else read(PolicyKind.SESSION, session)
    )


def test_the_random_policies_both_allow_and_deny() -> None:
    """Otherwise the comparison would show nothing."""
    draw = Draw(1)
    found = []
    for _ in range(500):
        identity = draw.policies(2, principal=False, resource=True)
        repository = draw.policies(1, principal=True, resource=False)
        found.append(evaluate(draw.request(), policies_of(identity, repository, [], None)).reason)

    assert found.count(Reason.ALLOWED) > 50
    assert len(set(found)) == 5
