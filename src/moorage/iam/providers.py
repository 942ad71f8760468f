"""The operations on OpenID Connect providers. IAM's requests carry no keys: `moorage oidc put` sets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.identity.entities import providers
from moorage.domain.identity.errors import NoSuchEntity
from moorage.iam.entities import tag_list, tags_of
from moorage.iam.refusals import all_translated
from moorage.iam.targets import issuer_in
from moorage.metadata.database import Transaction
from moorage.metadata.identity import providers as rows
from moorage.metadata.identity.providers import IdentityProvider

if TYPE_CHECKING:
    from moorage.iam import shapes


async def create_provider(call: ApiCall, request: shapes.CreateOpenIDConnectProviderRequest) -> Mapping[str, Any]:
    new = IdentityProvider(
        call.registry.account,
        request["Url"],
        tuple(request.get("ClientIDList", ())),
        providers.WITHOUT_KEYS,
        call.services.now(),
        tuple(request.get("ThumbprintList", ())),
        tags_of(request),
    )
    await call.write(lambda tx: providers.create_provider(tx, new))
    return {"OpenIDConnectProviderArn": new.arn, "Tags": tag_list(new.tags) or None}


async def get_provider(call: ApiCall, request: shapes.GetOpenIDConnectProviderRequest) -> Mapping[str, Any]:
    provider = await call.read(lambda tx: provider_of(tx, call, request))
    return {
        "Url": provider.name,
        "ClientIDList": list(provider.audiences),
        "ThumbprintList": list(provider.thumbprints),
        "CreateDate": seconds(provider.created_at),
        "Tags": tag_list(provider.tags) or None,
    }


async def list_providers(call: ApiCall, _request: shapes.ListOpenIDConnectProvidersRequest) -> Mapping[str, Any]:
    found = await call.read(lambda tx: rows.list_providers(tx, call.registry.account))
    return {"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in found]}


async def delete_provider(call: ApiCall, request: shapes.DeleteOpenIDConnectProviderRequest) -> Mapping[str, Any]:
    """Delete a provider. "This operation is idempotent; it does not fail" if the provider was deleted before."""

    def work(tx: Transaction) -> None:
        try:
            found = provider_of(tx, call, request)
        except NoSuchEntity:
            return
        providers.delete_provider(tx, found.account, found.issuer)

    await call.write(work)
    return {}


async def add_client_id(call: ApiCall, request: shapes.AddClientIDToOpenIDConnectProviderRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        provider = provider_of(tx, call, request)
        providers.set_audiences(tx, provider, tuple(dict.fromkeys((*provider.audiences, request["ClientID"]))))

    await call.write(work)
    return {}


async def remove_client_id(
    call: ApiCall, request: shapes.RemoveClientIDFromOpenIDConnectProviderRequest
) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        provider = provider_of(tx, call, request)
        kept = [audience for audience in provider.audiences if audience != request["ClientID"]]
        providers.set_audiences(tx, provider, kept)

    await call.write(work)
    return {}


async def update_thumbprints(
    call: ApiCall, request: shapes.UpdateOpenIDConnectProviderThumbprintRequest
) -> Mapping[str, Any]:
    thumbprints = request["ThumbprintList"]
    await call.write(lambda tx: providers.set_thumbprints(tx, provider_of(tx, call, request), thumbprints))
    return {}


def provider_of(tx: Transaction, call: ApiCall, request: Mapping[str, Any]) -> IdentityProvider:
    """The provider whose ARN a request has. Raises AccountError."""
    return providers.get_provider(tx, call.registry.account, issuer_in(request["OpenIDConnectProviderArn"]))


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {
        "CreateOpenIDConnectProvider": create_provider,
        "GetOpenIDConnectProvider": get_provider,
        "ListOpenIDConnectProviders": list_providers,
        "DeleteOpenIDConnectProvider": delete_provider,
        "AddClientIDToOpenIDConnectProvider": add_client_id,
        "RemoveClientIDFromOpenIDConnectProvider": remove_client_id,
        "UpdateOpenIDConnectProviderThumbprint": update_thumbprints,
    }
)
