"""Measure authorization decisions: 20 identity policies with 10 statements each, parsed beforehand.

python tools/measure_decisions.py

All statements name the requested action, so that none is skipped.
"""

from __future__ import annotations

import json
import time
from statistics import median
from typing import Any

from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.document import PolicyKind, parse_policy
from moorage.domain.identity.policies.evaluation import PolicySet, evaluate
from moorage.domain.identity.policies.request import PolicyRequest, RequestContext

POLICIES, STATEMENTS, ROUNDS, REPEAT = 20, 10, 2_000, 7
ACCOUNT, REGION = "111111111111", "eu-west-1"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository"

CALLER = Caller(ACCOUNT, REGION, "AIDAEXAMPLE", "alice", "AKIAEXAMPLE")
ASKED = (CALLER, "ecr:BatchGetImage", f"{ARN}/team/app", ACCOUNT, REGION)


CASES = ("exact names", "prefixes", "wildcards", "conditions")
MIXED = "mixed"


def statement(number: int, case: str) -> dict[str, Any]:
    """A statement that does not apply. Each case has another reason."""
    if case == MIXED:
        return statement(number, CASES[number % len(CASES)])
    resources: dict[str, Any] = {
        "exact names": f"{ARN}/other-{number}/app",
        "prefixes": f"{ARN}/other-{number}/*",
        "wildcards": f"arn:aws:ecr:*:{ACCOUNT}:repository/*/other-{number}/?pp",
        "conditions": "*",
    }
    members = {"Effect": "Allow" if number % 2 else "Deny", "Action": ["ecr:Batch*"], "Resource": resources[case]}
    if case == "conditions":
        members["Condition"] = {"IpAddress": {"aws:SourceIp": f"192.168.{number % 256}.0/24"}}
    return members


def microseconds(case: str) -> float:
    """The median duration of one decision."""
    texts = [
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [statement(policy * STATEMENTS + number, case) for number in range(STATEMENTS)],
            }
        )
        for policy in range(POLICIES)
    ]
    policies = PolicySet(tuple(parse_policy(text, PolicyKind.IDENTITY) for text in texts))
    found = []
    for _ in range(REPEAT):
        started = time.process_time()
        for _ in range(ROUNDS):
            request = PolicyRequest(*ASKED, RequestContext(1_800_000_000_000_000, "10.1.2.3"))
            evaluate(request, policies)
        found.append((time.process_time() - started) / ROUNDS * 1e6)
    return median(found)


if __name__ == "__main__":
    for name in (*CASES, MIXED):
        print(f"{name:12} {microseconds(name):6.1f} µs")
