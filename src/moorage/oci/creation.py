"""A push to a repository that does not exist makes it, where a template says so (ECR user guide, "Create on push")."""

from __future__ import annotations

from functools import partial
from typing import Final

from moorage.core.reactions import ApiCalled, react
from moorage.core.registry import templates
from moorage.core.services import Services
from moorage.domain.errors import RepositoryNotFound
from moorage.domain.identity.actions import OPERATIONS
from moorage.domain.names import RepositoryName
from moorage.http.messages import CallDetails
from moorage.metadata.database import Transaction, Work
from moorage.metadata.registry.repositories import Repository
from moorage.oci.access import AccessControl, RegistryCall

_OPERATION: Final = "CreateRepository"
"""What the push becomes besides, for permissions, events and the audit log."""


class Creation:
    """Asked when a push has found no repository, so that no other push pays for it."""

    def __init__(self, services: Services, access: AccessControl) -> None:
        self._access_control = access
        self._audit = services.audit
        self._database = services.database
        self._limits = services.limits
        self._reactions = services.reactions
        self._now = services.now

    async def of(self, call: RegistryCall, missing: RepositoryNotFound) -> Work[Repository]:
        """What makes the repository with all that its template gives it, or finds it when another push was faster.

        Raises `missing` where no template is for it, and AccessDenied; the work then LimitExceeded and Kms.
        """
        registry, name = call.registry, RepositoryName.parse(call.repository)

        def has_template(tx: Transaction) -> bool:
            return templates.matching(tx, registry, name, templates.CREATE_ON_PUSH) is not None

        if not await self._database.read(has_template):
            raise missing
        await self._access_control.authorize(call, OPERATIONS[_OPERATION].action)
        now = self._now()

        def make(tx: Transaction) -> Repository:
            repository, is_new = templates.create_on_push(tx, registry, name, self._limits, self._reactions, now)
            if is_new:
                describe = partial(self._audit.describe, call.request, _details(call))
                react(tx, self._reactions.api_called, ApiCalled(_OPERATION, registry, describe, now))
            return repository

        return make

    def note(self, call: RegistryCall) -> None:
        """Record that the repository was created; to be called when it is, and before the push itself is recorded."""
        self._audit.record(call.request, _details(call), None, docker=True)


def _details(call: RegistryCall) -> CallDetails:
    """The call of CreateRepository that the push becomes besides."""
    parameters = {"registryId": call.registry.account, "repositoryName": call.repository}
    return CallDetails(_OPERATION, call.caller, call.caller.arn, parameters)
