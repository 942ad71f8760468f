"""The operations that simulate requests: what `moorage explain` answers, for many actions and resources at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.core.identity.entities import simulation
from moorage.core.identity.entities.simulation import Question
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.errors import AccountError
from moorage.domain.identity.policies.document import Policy, PolicyKind
from moorage.domain.identity.policies.evaluation import EXPLICIT_DENIES, DecidingStatement, Decision
from moorage.domain.identity.policies.positions import statement_places
from moorage.domain.identity.policies.request import RequestContext
from moorage.iam.entities import page_for, refuse
from moorage.iam.refusals import all_translated
from moorage.metadata.database import Transaction

if TYPE_CHECKING:
    from moorage.iam import shapes

_UNSUPPORTED: Final = (
    "OrderedOrganizationPolicyInputList",
    "PermissionsBoundaryPolicyInputList",
    "PolicyExclusionList",
    "ResourceHandlingOption",
    "ResourceOwner",
    "ResourcePolicy",
)
_EVERYTHING: Final = "*"


async def simulate_principal_policy(call: ApiCall, request: shapes.SimulatePrincipalPolicyRequest) -> Mapping[str, Any]:
    source = request["PolicySourceArn"]
    if request.get("CallerArn", source) != source:
        raise AccountError("Moorage does not support a CallerArn other than PolicySourceArn")

    def caller(tx: Transaction) -> Caller:
        found = simulation.principal(tx, call.registry.account, source, call.registry.region)
        return simulation.with_policies(found, request.get("PolicyInputList", ()))

    return await _simulated(call, request, caller)


async def simulate_custom_policy(call: ApiCall, request: shapes.SimulateCustomPolicyRequest) -> Mapping[str, Any]:
    def caller(tx: Transaction) -> Caller:
        named = request.get("CallerArn")
        account, region = call.registry.account, call.registry.region
        found = simulation.principal(tx, account, named, region) if named else simulation.nobody(account, region)
        return simulation.with_policies(found, request["PolicyInputList"], instead=True)

    return await _simulated(call, request, caller)


async def _simulated(
    call: ApiCall, request: Mapping[str, Any], caller_in: Callable[[Transaction], Caller]
) -> Mapping[str, Any]:
    refuse(request, *_UNSUPPORTED)
    resources = request.get("ResourceArns") or [_EVERYTHING]
    questions = [Question(action, resource) for action in request["ActionNames"] for resource in resources]
    if len(questions) > simulation.LIMIT:
        raise AccountError(f"a simulation has at most {simulation.LIMIT} pairs of an action and a resource")
    entries = request.get("ContextEntries", ())
    values = {each["ContextKeyName"]: tuple(each.get("ContextKeyValues", ())) for each in entries}
    context = simulation.circumstances(values, call.services.now())
    page = page_for(call, "EvaluationResults", request, ("0",))
    numbered = list(enumerate(questions, start=1))[int(page.after[0]) :][: page.fetch]
    on_page, marker = page.cut(numbered, lambda each: (str(each[0]),))

    def work(tx: Transaction) -> list[dict[str, Any]]:
        caller = caller_in(tx)
        kinds = simulation.kinds_of_policies(tx, caller)
        return [_evaluated(tx, caller, question, context, kinds) for _, question in on_page]

    return {"EvaluationResults": await call.read(work), "IsTruncated": marker is not None, "Marker": marker}


def _evaluated(
    tx: Transaction, caller: Caller, question: Question, context: RequestContext, kinds: Mapping[str, str]
) -> dict[str, Any]:
    decision = simulation.decision(tx, caller, question, context)
    return {
        "EvalActionName": question.action,
        "EvalResourceName": question.resource,
        "EvalDecision": _words(decision),
        "MatchedStatements": [_statement(each, kinds) for each in decision.deciding],
        "MissingContextValues": [],
    }


def _words(decision: Decision) -> str:
    if decision.allowed:
        return "allowed"
    return "explicitDeny" if decision.reason in EXPLICIT_DENIES else "implicitDeny"


def _statement(deciding: DecidingStatement, kinds: Mapping[str, str]) -> dict[str, Any]:
    """A statement that decided, and where it is in the text of its policy."""
    policy = deciding.policy
    start, end = statement_places(policy.text, deciding.statement.position)
    return {
        "SourcePolicyId": policy.name,
        "SourcePolicyType": _kind(policy, kinds),
        "StartPosition": {"Line": start.line, "Column": start.column},
        "EndPosition": {"Line": end.line, "Column": end.column},
    }


def _kind(policy: Policy, kinds: Mapping[str, str]) -> str:
    """What a policy is in IAM's words. `none`: the request had it."""
    return kinds.get(policy.name, "none") if policy.kind is PolicyKind.IDENTITY else "resource"


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {
        "SimulatePrincipalPolicy": simulate_principal_policy,
        "SimulateCustomPolicy": simulate_custom_policy,
    }
)
