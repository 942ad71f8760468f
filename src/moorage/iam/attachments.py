"""The operations on the policies of users and roles: attached and inline ones, each of them once for both kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.core.identity import policies
from moorage.iam.entities import KINDS, EntityKind, encoded, listed, short_list
from moorage.iam.policies import policy_of
from moorage.iam.refusals import all_translated
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as rows
from moorage.metadata.identity.policies import IdentityPolicies, PolicyName

Request = Mapping[str, Any]


def _of_attached(kind: EntityKind) -> dict[str, HandlerOf[ApiCall]]:
    async def attach(call: ApiCall, request: Request) -> Mapping[str, Any]:
        def work(tx: Transaction) -> None:
            policies.attach(tx, kind.of(tx, call, request), policy_of(tx, call, request).name)

        await call.write(work)
        return {}

    async def detach(call: ApiCall, request: Request) -> Mapping[str, Any]:
        def work(tx: Transaction) -> None:
            policies.detach(tx, kind.of(tx, call, request), policy_of(tx, call, request).name)

        await call.write(work)
        return {}

    async def list_attached(call: ApiCall, request: Request) -> Mapping[str, Any]:
        attached = (await call.read(lambda tx: _policies_of(tx, call, kind, request))).attached
        names = [name for name, _ in attached if name.path.startswith(request.get("PathPrefix", "/"))]
        page, found = short_list(call, "AttachedPolicies", request, names, lambda name: name.name)
        return listed("AttachedPolicies", page, found, lambda name: (name.name,), _attached_view)

    return {
        f"Attach{kind.word}Policy": attach,
        f"Detach{kind.word}Policy": detach,
        f"ListAttached{kind.word}Policies": list_attached,
    }


def _of_inline(kind: EntityKind) -> dict[str, HandlerOf[ApiCall]]:
    async def put(call: ApiCall, request: Request) -> Mapping[str, Any]:
        name, document = request["PolicyName"], request["PolicyDocument"]
        await call.write(lambda tx: policies.put_inline(tx, kind.of(tx, call, request), name, document))
        return {}

    async def get(call: ApiCall, request: Request) -> Mapping[str, Any]:
        name = request["PolicyName"]
        document = await call.read(lambda tx: policies.inline_document(tx, kind.of(tx, call, request), name))
        return {kind.member: request[kind.member], "PolicyName": name, "PolicyDocument": encoded(document)}

    async def delete(call: ApiCall, request: Request) -> Mapping[str, Any]:
        name = request["PolicyName"]
        await call.write(lambda tx: policies.delete_inline(tx, kind.of(tx, call, request), name))
        return {}

    async def list_inline(call: ApiCall, request: Request) -> Mapping[str, Any]:
        inline = (await call.read(lambda tx: _policies_of(tx, call, kind, request))).inline
        page, found = short_list(call, "PolicyNames", request, [name for name, _ in inline], str)
        return listed("PolicyNames", page, found, lambda name: (name,), str)

    return {
        f"Put{kind.word}Policy": put,
        f"Get{kind.word}Policy": get,
        f"Delete{kind.word}Policy": delete,
        f"List{kind.word}Policies": list_inline,
    }


def _policies_of(tx: Transaction, call: ApiCall, kind: EntityKind, request: Request) -> IdentityPolicies:
    return rows.policies_of(tx, kind.of(tx, call, request).id)


def _attached_view(name: PolicyName) -> dict[str, str]:
    return {"PolicyName": name.name, "PolicyArn": name.arn}


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {name: handler for kind in KINDS for name, handler in {**_of_attached(kind), **_of_inline(kind)}.items()}
)
