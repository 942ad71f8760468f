"""Operations on pull-through cache rules: create, describe, update, delete and validate them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import seconds
from moorage.core.pull_through import rules
from moorage.core.pull_through.rules import RuleChecks
from moorage.domain.pull_through.rules import Rule
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import cut, page_of, refuse_paging_with
from moorage.metadata.pull_through import rules as rows

if TYPE_CHECKING:
    from moorage.ecr import shapes


async def create_pull_through_cache_rule(
    call: Call, request: shapes.CreatePullThroughCacheRuleRequest
) -> shapes.CreatePullThroughCacheRuleResponse:
    now = call.services.now()
    rule = Rule(
        prefix=request["ecrRepositoryPrefix"],
        url=request["upstreamRegistryUrl"],
        kind=request.get("upstreamRegistry"),
        upstream_prefix=request.get("upstreamRepositoryPrefix", ""),
        created_at=now,
        updated_at=now,
        **_credentials(request),
    )
    created = await call.write(lambda tx: rules.create(tx, call.registry, rule, _checks(call, now)))
    return _view(  # type: ignore[return-value]  # members of the response
        call, created, "createdAt", "upstreamRegistryUrl", "upstreamRegistry"
    )


async def describe_pull_through_cache_rules(
    call: Call, request: shapes.DescribePullThroughCacheRulesRequest
) -> shapes.DescribePullThroughCacheRulesResponse:
    members = ("createdAt", "updatedAt", "upstreamRegistryUrl", "upstreamRegistry")
    prefixes = request.get("ecrRepositoryPrefixes")
    if prefixes is not None:
        refuse_paging_with(request, "ecrRepositoryPrefixes")
        found = await call.read(lambda tx: rules.find_all(tx, call.registry, prefixes))
        return _rules_view([_view(call, rule, *members) for rule in found])
    page = page_of(call, request, "DescribePullThroughCacheRules", ("",))
    found = await call.read(lambda tx: rows.page(tx, call.registry, *page.after, page.fetch))
    on_page, next_token = cut(page, found, lambda rule: (rule.key,))
    return {**_rules_view([_view(call, rule, *members) for rule in on_page]), **next_token}


async def update_pull_through_cache_rule(
    call: Call, request: shapes.UpdatePullThroughCacheRuleRequest
) -> shapes.UpdatePullThroughCacheRuleResponse:
    prefix, checks = request["ecrRepositoryPrefix"], _checks(call, call.services.now())
    rule = await call.write(lambda tx: rules.update(tx, call.registry, prefix, _credentials(request), checks))
    return _view(call, rule, "updatedAt")  # type: ignore[return-value]  # members of the response


async def delete_pull_through_cache_rule(
    call: Call, request: shapes.DeletePullThroughCacheRuleRequest
) -> shapes.DeletePullThroughCacheRuleResponse:
    deleted = await call.write(lambda tx: rules.delete(tx, call.registry, request["ecrRepositoryPrefix"]))
    return _view(call, deleted, "createdAt", "upstreamRegistryUrl")  # type: ignore[return-value]  # members


async def validate_pull_through_cache_rule(
    call: Call, request: shapes.ValidatePullThroughCacheRuleRequest
) -> shapes.ValidatePullThroughCacheRuleResponse:
    """Log in to the upstream registry, without pulling anything."""
    upstreams = call.services.upstreams
    rule = await call.read(lambda tx: rules.get(tx, call.registry, request["ecrRepositoryPrefix"]))
    address = await call.read(lambda tx: rules.address(tx, call.registry, rule, upstreams))
    failure = await rules.failure_of(call.services.remotes, address)
    result: dict[str, Any] = {"isValid": True} if failure is None else {"isValid": False, "failure": failure}
    return _view(call, rule, "upstreamRegistryUrl") | result  # type: ignore[return-value]  # members


def _checks(call: Call, now: int) -> RuleChecks:
    return RuleChecks(call.services.limits, call.services.upstreams.added, now)


def _credentials(request: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a rule that can be changed, as far as a request sets them."""
    fields = {"credentialArn": "credential_arn", "customRoleArn": "role"}
    return {field: request[member] for member, field in fields.items() if request.get(member)}


def _rules_view(views: list[dict[str, Any]]) -> shapes.DescribePullThroughCacheRulesResponse:
    return {"pullThroughCacheRules": views}  # type: ignore[typeddict-item]  # members of PullThroughCacheRule


def _view(call: Call, rule: Rule, *further: str) -> dict[str, Any]:
    """A rule with the members that all responses have, and further ones, without those that have no value.

    An upstream prefix that the client left out stays out: Terraform would otherwise replace the rule in each plan.
    """
    members: dict[str, Any] = {
        "ecrRepositoryPrefix": rule.prefix,
        "registryId": call.registry.account,
        "credentialArn": rule.credential_arn,
        "customRoleArn": rule.role,
        "upstreamRepositoryPrefix": rule.upstream_prefix or None,
    }
    others = {
        "createdAt": seconds(rule.created_at),
        "updatedAt": seconds(rule.updated_at),
        "upstreamRegistryUrl": rule.url,
        "upstreamRegistry": rule.kind,
    }
    members |= {member: others[member] for member in further}
    return {member: value for member, value in members.items() if value is not None}


OPERATIONS: Final[Mapping[str, Handler]] = {
    "CreatePullThroughCacheRule": create_pull_through_cache_rule,
    "DescribePullThroughCacheRules": describe_pull_through_cache_rules,
    "UpdatePullThroughCacheRule": update_pull_through_cache_rule,
    "DeletePullThroughCacheRule": delete_pull_through_cache_rule,
    "ValidatePullThroughCacheRule": validate_pull_through_cache_rule,
}
