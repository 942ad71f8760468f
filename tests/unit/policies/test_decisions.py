"""The policies that decide a request: explicit denies, both sides of cross-account requests, sessions and root."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.document import PolicyKind
from moorage.domain.identity.policies.evaluation import Reason
from moorage.domain.identity.policies.explaining import explain
from moorage.domain.identity.policies.request import ResourceSet
from tests.unit.policies.requests import (
    ALICE,
    OURS,
    OWNER,
    PULL,
    PUSH,
    REGION,
    REPOSITORY,
    STRANGER,
    THEIRS,
    allow,
    decided,
    deny,
    identity,
    repository,
    request,
    session,
)


def test_only_what_a_policy_allows_is_allowed() -> None:
    decision = decided(request())

    assert decision.reason is Reason.NO_IDENTITY_ALLOW
    assert decision.reason.words(PULL) == "because no identity-based policy allows the ecr:BatchGetImage action"


def test_an_identity_policy_is_enough_in_its_own_account() -> None:
    assert decided(request(), identity=identity(allow(PULL))).allowed
    assert not decided(request(action=PUSH), identity=identity(allow(PULL))).allowed


def test_a_repository_policy_is_enough_for_a_user_of_the_account() -> None:
    named = {"AWS": ALICE.arn}

    assert decided(request(), resource=repository(allow(PULL, Principal=named))).allowed
    assert decided(request(), resource=repository(allow(PULL))).allowed
    assert not decided(
        request(caller=replace(ALICE, user_name="bob")), resource=repository(allow(PULL, Principal=named))
    ).allowed


def test_a_policy_for_the_whole_account_leaves_the_decision_to_identity_policies() -> None:
    """IAM user guide, "AWS account principals"."""
    policies = repository(allow(PULL, Principal={"AWS": OURS}))

    assert not decided(request(), resource=policies).allowed
    assert decided(request(), resource=policies, identity=identity(allow(PULL))).allowed


@pytest.mark.parametrize("principal", [THEIRS, f"arn:aws:iam::{THEIRS}:root", STRANGER.arn, "*"])
def test_across_accounts_both_sides_must_allow(principal: str) -> None:
    access_request = request(caller=STRANGER)
    theirs, ours = identity(allow("ecr:*")), repository(allow(PULL, Principal={"AWS": principal}))

    assert decided(access_request, identity=theirs).reason is Reason.NO_RESOURCE_ALLOW
    assert decided(access_request, resource=ours).reason is Reason.NO_IDENTITY_ALLOW
    both = decided(access_request, identity=theirs, resource=ours)
    assert both.allowed
    assert len(both.deciding) == 2


def test_the_root_user_of_another_account_needs_only_the_resource_s_side() -> None:
    root = replace(STRANGER, user_name="root")

    assert not decided(request(caller=root)).allowed
    assert decided(request(caller=root), resource=repository(allow(PULL, Principal={"AWS": THEIRS}))).allowed


@pytest.mark.parametrize(
    ("where", "reason", "words"),
    [
        ("identity", Reason.IDENTITY_DENY, "with an explicit deny in an identity-based policy"),
        ("resource", Reason.RESOURCE_DENY, "with an explicit deny in a resource-based policy"),
        ("session", Reason.SESSION_DENY, "with an explicit deny in a session policy"),
    ],
)
def test_an_explicit_deny_wins_in_every_policy(where: str, reason: Reason, words: str) -> None:
    policies = {
        "identity": identity(allow("ecr:*")),
        "resource": repository(allow("ecr:*")),
        "session": session(allow("ecr:*")),
    }
    assert decided(request(), **policies).allowed
    making = {"identity": identity, "resource": repository, "session": session}[where]

    decision = decided(request(), **policies | {where: making(allow("ecr:*"), deny(PULL, Sid="No"))})

    assert decision.reason is reason
    assert [each.statement.sid for each in decision.deciding] == ["No"]
    assert reason.words(PULL) == words


def test_session_policies_only_restrict() -> None:
    both = {"identity": identity(allow("ecr:*")), "session": session(allow(PULL))}

    assert decided(request(), **both).allowed
    assert decided(request(action=PUSH), **both).reason is Reason.NO_SESSION_ALLOW
    assert decided(request(), session=session(allow(PULL))).reason is Reason.NO_IDENTITY_ALLOW
    assert decided(request(), identity=both["identity"], session=()).reason is Reason.NO_SESSION_ALLOW


def test_the_root_user_can_do_everything_that_no_resource_policy_denies() -> None:
    everything = repository(deny("ecr:*"))

    assert decided(request(caller=OWNER)).allowed
    assert decided(request(caller=OWNER), resource=repository(allow(PULL, Principal={"AWS": THEIRS}))).allowed
    assert decided(request(caller=OWNER), resource=everything).reason is Reason.RESOURCE_DENY


@pytest.mark.parametrize(
    "action", ["ecr:SetRepositoryPolicy", "ecr:DeleteRepositoryPolicy", "ecr:DeleteRegistryPolicy"]
)
def test_the_root_user_can_always_repair_a_lock_out(action: str) -> None:
    everything = repository(deny("ecr:*"))

    assert decided(request(caller=OWNER, action=action), resource=everything).allowed
    assert not decided(request(action=action), identity=identity(allow("ecr:*")), resource=everything).allowed


def test_not_principal_spares_only_callers_that_it_lists_by_every_name() -> None:
    """IAM user guide, "NotPrincipal with Deny": list the account beside its user."""
    policies = identity(allow("ecr:*"))

    def reason(caller: Caller, *spared: str) -> Reason:
        ours = repository(deny(PULL, NotPrincipal={"AWS": list(spared)}))
        return decided(request(caller=caller), identity=policies, resource=ours).reason

    assert reason(ALICE, ALICE.arn, OURS) is Reason.ALLOWED
    assert reason(ALICE, ALICE.arn) is Reason.RESOURCE_DENY
    assert reason(replace(ALICE, user_name="bob"), ALICE.arn, OURS) is Reason.RESOURCE_DENY


ARNS = f"arn:aws:ecr:*:{OURS}:repository"
TEAM = ResourceSet(f"arn:aws:ecr:{REGION}:{OURS}:repository/team/*")
EVERY = {"Resource": "*"}


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([allow(PUSH, **EVERY)], True),
        ([allow(PUSH, Resource=f"{ARNS}/team/*")], True),
        ([allow(PUSH, Resource=f"{ARNS}/*")], True),
        ([allow(PUSH, Resource=[f"{ARNS}/other/*", f"{ARNS}/t*"])], True),
        ([allow(PUSH, Resource=f"{ARNS}/team/app")], False),
        ([allow(PUSH, Resource=f"{ARNS}/team/a*")], False),
        ([allow(PUSH, Resource=f"{ARNS}/team/*/*")], False),
        ([allow(PUSH, Resource=f"{ARNS}/*/app")], False),
        ([allow(PUSH, Resource=f"{ARNS}/other/*")], False),
        ([allow(PUSH, Resource=f"{ARNS}/${{aws:username}}/*")], False),
        ([allow(PUSH, Resource=f"{ARNS}/${{aws:PrincipalTag/team, 'team'}}/*")], True),
        ([allow(PUSH, NotResource=f"{ARNS}/other/*")], True),
        ([allow(PUSH, NotResource=f"{ARNS}/team/app")], False),
        ([allow(PUSH, NotResource=f"{ARNS}/*")], False),
        ([allow(PUSH, **EVERY), deny(PUSH, Resource=f"{ARNS}/team/app")], False),
        ([allow(PUSH, **EVERY), deny(PUSH, Resource=f"{ARNS}/*secret*")], False),
        ([allow(PUSH, **EVERY), deny(PUSH, Resource=f"{ARNS}/${{aws:PrincipalTag/x}}/*")], False),
        ([allow(PUSH, **EVERY), deny(PUSH, Resource=[f"{ARNS}/other/*", f"{ARNS}/team"])], True),
        ([allow(PUSH, **EVERY), deny(PUSH, NotResource=f"{ARNS}/team/*")], True),
        ([allow(PUSH, **EVERY), deny(PUSH, NotResource=f"{ARNS}/team/app")], False),
    ],
)
def test_a_set_of_resources_needs_an_allow_of_all_and_no_deny_of_any(
    statements: list[dict[str, Any]], allowed: bool
) -> None:
    decision = decided(request(action=PUSH, resource=TEAM), identity=identity(*statements))

    assert decision.allowed is allowed


def test_a_decision_has_a_reason() -> None:
    by = identity(allow(PULL, Sid="Pull"))
    allowed = explain(request(), decided(request(), identity=by))
    missing = explain(request(action=PUSH), decided(request(action=PUSH), identity=by))
    denied = explain(request(), decided(request(), identity=by, resource=repository(allow(PUSH), deny(PULL))))
    root = explain(request(caller=OWNER), decided(request(caller=OWNER)))

    assert allowed == [
        f"allowed: arn:aws:iam::{OURS}:user/alice ecr:BatchGetImage on {REPOSITORY}",
        '  by statement 1 (Sid "Pull", Allow) of the identity-based policy',
    ]
    assert missing[1] == "  because no identity-based policy allows the ecr:PutImage action"
    assert denied[0].startswith("denied: ")
    assert denied[1] == "  by statement 2 (Deny) of the repository policy team/app"
    assert root[1] == "  by being the root user of the account"


def test_a_request_that_a_session_allows_names_the_statements_of_both_policies() -> None:
    decision = decided(request(), identity=identity(allow(PULL)), session=session(allow("ecr:*")))

    assert [statement.policy.kind for statement in decision.deciding] == [PolicyKind.IDENTITY, PolicyKind.SESSION]


@pytest.mark.parametrize(
    ("network", "address", "is_inside"),
    [
        ("0.0.0.0/24", "::1", False),
        ("::/64", "0.0.0.1", False),
        ("::/64", "::1", True),
        ("0.0.0.0/24", "0.0.0.1", True),
    ],
)
def test_addresses_of_the_two_versions_of_ip_are_distinct(network: str, address: str, is_inside: bool) -> None:
    policies = identity(allow(PULL, Condition={"IpAddress": {"aws:SourceIp": network}}))

    assert decided(request(source_ip=address), identity=policies).allowed is is_inside


@pytest.mark.parametrize(("agent", "is_equal"), [("YQ==", True), ("Y!Q==", False), ("", False)])
def test_only_base64_is_compared_as_binary(agent: str, is_equal: bool) -> None:
    policies = identity(allow(PULL, Condition={"BinaryEquals": {"aws:UserAgent": "YQ=="}}))

    assert decided(request(user_agent=agent), identity=policies).allowed is is_equal


def test_a_policy_variable_may_have_an_empty_default() -> None:
    policies = identity(allow(PULL, Resource=f"{REPOSITORY}${{aws:PrincipalTag/team, ''}}"))

    assert decided(request(), identity=policies).allowed
