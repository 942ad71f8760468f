"""Find service and operation, authenticate the caller, decode the request, authorize it, and call the handler.

The order of the steps is AWS's. A request with an unknown target reveals nothing about keys, an unsigned request is
rejected before its body is read, and a caller without permission does not learn what exists.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from moorage.api import other_services, sts
from moorage.api.addresses import addresses_for
from moorage.api.authentication import Authentication
from moorage.api.protocols import PROTOCOLS, QueryProtocol
from moorage.api.service import AwsService
from moorage.aws import sigv4
from moorage.aws.constraints import path_name
from moorage.aws.query import FORM
from moorage.aws.service_model import ECR_API, SECRET_MEMBERS, Operation
from moorage.core.reactions import ApiCalled, react
from moorage.core.services import Services
from moorage.domain.errors import Refusal, Unavailable, UnsupportedOperation
from moorage.domain.identity import actions
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.names import Registry
from moorage.http.application import Endpoint
from moorage.http.messages import CallDetails, Request, Response
from moorage.http.request_context import request_context_of
from moorage.http.shares.body_budget import BodyBudget
from moorage.metadata.database import Transaction
from moorage.telemetry import Log

_BODY_LIMIT: Final = 1 << 20
"""Bytes of a request body, for operations without a limit of their own."""


class ApiEndpoint(Endpoint):
    """The endpoint of AWS clients: `apis` are ECR and the further services; clients call STS first.

    The service that a request is for is named by the prefix of its X-Amz-Target header, or by its signature. A form
    that names none is for STS, and any other request for ECR. IAM's forms may have the header, too, with the
    prefix `iam`, because those of a console session have no signature.
    """

    def __init__(
        self,
        services: Services,
        apis: Iterable[AwsService[Any]],
        log: Log,
        budget: BodyBudget,
        authentication: Authentication,
    ) -> None:
        super().__init__(log)
        self._sts = sts.StsEndpoint(services, budget, authentication)
        served = [_ServedApi(api, services, budget, authentication) for api in apis]
        self._by_name = {each.name: each for each in served}
        self._by_target = {each.target_prefix: each for each in served if each.target_prefix}
        self._by_target |= {each.name: each for each in served if each.reads_forms}
        self._others = other_services.OtherServices(sorted(self._by_name), sorted(self._by_target))

    async def respond(self, request: Request, details: CallDetails) -> Response:
        service = self._others.requested(request)
        if service is not None:
            return self._others.response(service, request)
        if self._is_for_sts(request):
            return await self._sts.respond(request, details)
        return await self._api_of(request).respond(request, details)

    def refused(self, request: Request, refusal: Refusal) -> Response:
        return self._api_of(request).protocol.refused(request, refusal)

    def unavailable(self, request: Request, details: CallDetails, refusal: Unavailable) -> Response:
        if self._is_for_sts(request):
            return self._sts.unavailable(request, details, refusal)
        api = self._api_of(request)
        api.record(request, details, refusal)
        return api.protocol.refused(request, refusal)

    def fault(self, request: Request, details: CallDetails) -> Response:
        if self._is_for_sts(request):
            return self._sts.fault(request, details)
        return self._api_of(request).fault(request, details)

    def _is_for_sts(self, request: Request) -> bool:
        return _is_form(request) and not self._api_of(request).reads_forms

    def _api_of(self, request: Request) -> _ServedApi:
        target = request.header(b"x-amz-target")
        if target is not None:
            return self._by_target.get(target.partition(".")[0]) or self._by_name[ECR_API]
        claimed = self._by_name.get(sigv4.claimed_service(request.header(b"authorization")) or "")
        if claimed is not None and not claimed.target_prefix and (_is_form(request) or not claimed.reads_forms):
            return claimed
        # A request that is signed for the wrong one of the services is refused by the service of its path.
        matching = (api for api in self._by_name.values() if api.protocol.has_route(request))
        others = self._by_name[ECR_API] if claimed is None or not claimed.reads_forms else claimed
        return next(matching, others)


class _ServedApi:
    """One service of AWS at the endpoint."""

    def __init__(
        self, api: AwsService[Any], services: Services, budget: BodyBudget, authentication: Authentication
    ) -> None:
        self.name = api.model.name
        self.target_prefix = api.model.target_prefix
        self.protocol = PROTOCOLS[api.model.protocol](api.model)
        self.reads_forms = isinstance(self.protocol, QueryProtocol)
        self._api = api
        self._services = services
        self._budget = budget
        self._authentication = authentication

    async def respond(self, request: Request, details: CallDetails) -> Response:
        try:
            operation = self.protocol.operation(request)
            if operation is not None:
                details.operation = operation.label
            answer = await self._answer(request, details, operation)
        except Unavailable:
            raise
        except Refusal as refusal:
            details.refused(refusal)
            self.record(request, details, refusal)
            return self.protocol.refused(request, refusal)
        self.record(request, details, None)
        return self.protocol.answer(request, answer)

    def fault(self, request: Request, details: CallDetails) -> Response:
        self.record(request, details, self._api.fault_code)
        return self.protocol.fault(request, self._api.fault_code)

    def record(self, request: Request, details: CallDetails, failure: Refusal | str | None) -> None:
        """Write the call to the audit log, if its operation is known."""
        if not details.operation:
            return
        if self.name != ECR_API:
            details = replace(details, operation=details.operation.partition(":")[2])
        self._services.audit.record_operation(request, details, failure, self.name)

    async def _answer(self, request: Request, details: CallDetails, operation: Operation | None) -> bytes:
        api = self._api
        limit = _BODY_LIMIT if operation is None else api.body_limits.get(operation.name, _BODY_LIMIT)
        proof = await self._authentication.begin(request, self.name)
        async with self._budget.reserve(request, limit):
            body = await proof.body(request, details, limit)
            if operation is None:
                operation = self.protocol.operation_in(body)
                details.operation = operation.label
            handler = api.handlers.get(operation.name)
            if handler is None:
                raise UnsupportedOperation(operation.label, api.advice(operation))
            members = self.protocol.decode(operation, request, body)
            del body
            details.parameters = _recorded(operation, members)
            services = self._services.with_addresses(addresses_for(self._services.addresses, request))
            caller = proof.credentials.caller(proof.region)
            registry = api.registry_of(caller, members)
            request_context = self._request_context(request, members)
            run_reactions = partial(self._react, request=request, details=details, registry=registry)
            call = api.call(services, caller, proof.credentials, registry, request_context, run_reactions, request)
            await api.authorize(call, operation, members)
            if actions.takes_space(operation.name):
                services.limits.require_reserve()
            return self.protocol.encode(operation, request, await handler(call, members))

    def _react(self, tx: Transaction, request: Request, details: CallDetails, registry: Registry) -> None:
        if not self._api.is_published:
            return
        services = self._services
        describe = partial(services.audit.describe, request, details)
        react(tx, services.reactions.api_called, ApiCalled(details.operation, registry, describe, services.now()))

    def _request_context(self, request: Request, members: dict[str, Any]) -> RequestContext:
        """The request context, with the tags that the request sets, and the keys of those that it removes."""
        request_context = request_context_of(request, self._services.now())
        tags = self._api.tags_of(members)
        keys = (*tags, *self._api.tag_keys_of(members))
        return replace(request_context, request_tags=tags, tag_keys=keys) if keys else request_context


def _recorded(operation: Operation, members: dict[str, Any]) -> dict[str, Any]:
    """The members for the audit log, named as CloudTrail names them, without those that are secret."""
    if operation.service == ECR_API:
        return members
    secret = SECRET_MEMBERS.get(operation.input_shape, ())
    return {path_name(name): value for name, value in members.items() if name not in secret}


def _is_form(request: Request) -> bool:
    """Whether the request is one of the query protocol, which STS and IAM use."""
    return request.path == "/" and (request.header(b"content-type") or "").startswith(FORM)
