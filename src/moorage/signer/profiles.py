"""The operations on signing profiles and their resource tags."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.api.pages import page_of
from moorage.core.signing import profiles
from moorage.core.signing.profiles import NewProfile
from moorage.domain.errors import Validation
from moorage.domain.signing.profiles import ACTIVE, CANCELED, DEFAULT_VALIDITY, PLATFORM, REVOKED, Validity
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction
from moorage.metadata.signing.profiles import ProfileVersion
from moorage.signer.refusals import translated
from moorage.signer.service import profile_of

if TYPE_CHECKING:
    from moorage.signer import shapes

_LARGEST_PAGE: Final = 25
_DISPLAY_NAME: Final = "Notation for Container Registries"
_NO_USE: Final = ("signingMaterial", "overrides", "signingParameters")


async def put_signing_profile(
    call: ApiCall, request: shapes.PutSigningProfileRequest
) -> shapes.PutSigningProfileResponse:
    """Create a profile; of one that exists, the next version."""
    require_platform(request["platformId"])
    for member in _NO_USE:
        if request.get(member):
            raise Validation(reason=f"The platform {PLATFORM} has no use for {member}")
    period = request.get("signatureValidityPeriod", {})
    validity = Validity(period.get("value", DEFAULT_VALIDITY.value), period.get("type", DEFAULT_VALIDITY.type))
    new = NewProfile(profile_of(call, request), validity, request.get("tags", {}))
    keys = call.services.signatures.keys
    version = await call.write(lambda tx: profiles.put(tx, keys, new, call.services.now()))
    return {"arn": version.profile.arn, "profileVersion": version.version, "profileVersionArn": version.arn}


async def get_signing_profile(
    call: ApiCall, request: shapes.GetSigningProfileRequest
) -> shapes.GetSigningProfileResponse:
    def work(tx: Transaction) -> ProfileVersion:
        version = profiles.get(tx, profile_of(call, request))
        profiles.check_shared(version, call.caller.account)
        return version

    version = await call.read(work)
    response: shapes.GetSigningProfileResponse = {
        "profileName": version.profile.name,
        "profileVersion": version.version,
        "profileVersionArn": version.arn,
        "platformId": PLATFORM,
        "platformDisplayName": _DISPLAY_NAME,
        "signatureValidityPeriod": {"value": version.validity.value, "type": version.validity.type},
        "status": _status(version),
        "arn": version.profile.arn,
    }
    if version.tags:
        response["tags"] = dict(version.tags)
    if version.status_reason is not None:
        response["statusReason"] = version.status_reason
    if version.revocation is not None:
        response["revocationRecord"] = {
            "revocationEffectiveFrom": seconds(version.revocation.since),
            "revokedAt": seconds(version.revocation.at),
            "revokedBy": version.revocation.by,
        }
    return response


async def list_signing_profiles(
    call: ApiCall, request: shapes.ListSigningProfilesRequest
) -> shapes.ListSigningProfilesResponse:
    statuses = request.get("statuses") or [ACTIVE, REVOKED, *([CANCELED] if request.get("includeCanceled") else ())]
    scope = f"ListSigningProfiles:{','.join(sorted(statuses))}"
    limit = request.get("maxResults", _LARGEST_PAGE)
    invalid = Validation(reason="The nextToken value is invalid")
    page = page_of(call, scope, request.get("nextToken"), ("",), limit, invalid)
    if request.get("platformId", PLATFORM) != PLATFORM:
        return {"profiles": []}
    versions = await call.read(lambda tx: profiles.page(tx, call.registry, page.after[0], page.fetch, statuses))
    on_page, token = page.cut(versions, lambda version: (version.profile.name,))
    listed = [_view(version) for version in on_page]
    return {"profiles": listed} if token is None else {"profiles": listed, "nextToken": token}


async def cancel_signing_profile(call: ApiCall, request: shapes.CancelSigningProfileRequest) -> Mapping[str, Any]:
    await call.write(lambda tx: profiles.cancel(tx, profile_of(call, request)))
    return {}


async def revoke_signing_profile(call: ApiCall, request: shapes.RevokeSigningProfileRequest) -> Mapping[str, Any]:
    since, by = int(request["effectiveTime"] * SECOND), call.caller.arn

    def work(tx: Transaction) -> None:
        version = profiles.get_version(tx, profile_of(call, request), request["profileVersion"])
        profiles.revoke(tx, version, request["reason"], by, since, call.services.now())

    await call.write(work)
    return {}


async def tag_resource(call: ApiCall, request: shapes.TagResourceRequest) -> Mapping[str, Any]:
    await call.write(lambda tx: profiles.set_tags(tx, profile_of(call, request), request["tags"]))
    return {}


async def untag_resource(call: ApiCall, request: shapes.UntagResourceRequest) -> Mapping[str, Any]:
    await call.write(lambda tx: profiles.remove_tags(tx, profile_of(call, request), request["tagKeys"]))
    return {}


async def list_tags_for_resource(
    call: ApiCall, request: shapes.ListTagsForResourceRequest
) -> shapes.ListTagsForResourceResponse:
    version = await call.read(lambda tx: profiles.get(tx, profile_of(call, request)))
    return {"tags": dict(version.tags)} if version.tags else {}


def require_platform(platform: str) -> None:
    """Raises Validation for a platform that Moorage does not have."""
    if platform != PLATFORM:
        raise Validation(reason=f"Moorage has only the platform {PLATFORM}")


def _view(version: ProfileVersion) -> shapes.SigningProfile:
    """A profile in a list. A profile without tags has no member for them, because a TagMap is never empty."""
    view: shapes.SigningProfile = {
        "profileName": version.profile.name,
        "profileVersion": version.version,
        "profileVersionArn": version.arn,
        "signatureValidityPeriod": {"value": version.validity.value, "type": version.validity.type},
        "platformId": PLATFORM,
        "platformDisplayName": _DISPLAY_NAME,
        "status": _status(version),
        "arn": version.profile.arn,
    }
    if version.tags:
        view["tags"] = dict(version.tags)
    return view


def _status(version: ProfileVersion) -> shapes.SigningProfileStatus:
    return cast("shapes.SigningProfileStatus", version.status)


_of_tags = partial(translated, of_tags=True)

OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "PutSigningProfile": translated(put_signing_profile),
    "GetSigningProfile": translated(get_signing_profile),
    "ListSigningProfiles": translated(list_signing_profiles),
    "CancelSigningProfile": translated(cancel_signing_profile),
    "RevokeSigningProfile": translated(revoke_signing_profile),
    "TagResource": _of_tags(tag_resource),
    "UntagResource": _of_tags(untag_resource),
    "ListTagsForResource": _of_tags(list_tags_for_resource),
}
