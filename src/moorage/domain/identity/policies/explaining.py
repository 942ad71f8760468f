"""Explanation of a decision in plain words."""

from __future__ import annotations

from moorage.domain.identity.policies.evaluation import DecidingStatement, Decision
from moorage.domain.identity.policies.request import PolicyRequest


def explain(request: PolicyRequest, decision: Decision) -> list[str]:
    """The decision on the first line, then the deciding statements or the reason for the denial."""
    verdict = "allowed" if decision.allowed else "denied"
    lines = [f"{verdict}: {request.principal.arn} {request.action} on {request.resource}"]
    lines += [f"  by {_named(deciding)}" for deciding in decision.deciding]
    if decision.allowed and not decision.deciding:
        lines.append("  by being the root user of the account")
    if not decision.allowed and not decision.deciding:
        lines.append(f"  {decision.reason.words(request.action)}")
    return lines


def _named(deciding: DecidingStatement) -> str:
    """`statement 2 (Sid "Pull", Allow) of the repository policy of team/app`; counted from 1."""
    statement, policy = deciding.statement, deciding.policy
    sid = f'Sid "{statement.sid}", ' if statement.sid else ""
    name = f" {policy.name}" if policy.name else ""
    return f"statement {statement.position + 1} ({sid}{statement.effect.value}) of the {policy.kind.value}{name}"
