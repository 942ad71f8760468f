"""The operations on signatures: sign a payload, revoke a signature, and return the revocation status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.core.signing import signatures
from moorage.core.signing.signatures import Requester, RevocationQuery
from moorage.domain.names import Registry
from moorage.domain.units import SECOND
from moorage.signer.profiles import require_platform
from moorage.signer.refusals import translated
from moorage.signer.service import profile_of

if TYPE_CHECKING:
    from moorage.signer import shapes


async def sign_payload(call: ApiCall, request: shapes.SignPayloadRequest) -> shapes.SignPayloadResponse:
    requester = Requester(call.caller.account, call.caller.arn)
    signature = await call.services.signatures.sign_payload(
        profile_of(call, request), request["payload"], request["payloadFormat"], requester
    )
    return {
        "jobId": signature.job.id,
        "jobOwner": signature.job.owner.account,
        "metadata": signature.metadata,
        "signature": signature.envelope,
    }


async def revoke_signature(call: ApiCall, request: shapes.RevokeSignatureRequest) -> Mapping[str, Any]:
    owner = Registry(request.get("jobOwner") or call.registry.account, call.registry.region)
    reason, by, now = request["reason"], call.caller.arn, call.services.now()
    await call.write(lambda tx: signatures.revoke_signature(tx, owner, request["jobId"], reason, by, now))
    return {}


async def get_revocation_status(
    call: ApiCall, request: shapes.GetRevocationStatusRequest
) -> shapes.GetRevocationStatusResponse:
    require_platform(request["platformId"])
    query = RevocationQuery(
        int(request["signatureTimestamp"] * SECOND),
        request["profileVersionArn"],
        request["jobArn"],
        tuple(request["certificateHashes"]),
    )
    return {"revokedEntities": await call.read(lambda tx: signatures.revoked_entities(tx, query))}


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "SignPayload": translated(sign_payload),
    "RevokeSignature": translated(revoke_signature),
    "GetRevocationStatus": translated(get_revocation_status),
}
