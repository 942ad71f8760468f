"""Create on push: a push creates a missing repository if a template allows it (ECR user guide, "Create on push")."""

from __future__ import annotations

from functools import partial
from typing import Final

from moorage.core.reactions import ApiCalled, react
from moorage.core.registry import templates
from moorage.core.services import Services
from moorage.domain.names import RepositoryName
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.http.messages import CallDetails
from moorage.metadata.database import Transaction, Work
from moorage.metadata.registry.repositories import Repository
from moorage.oci.access import RegistryCall

_OPERATION: Final = "CreateRepository"
"""The operation that such a push also counts as, for permissions, events and the audit log."""


class Creation:
    """Creates repositories on push. It is used only after a push found no repository, so other pushes do not pay."""

    def __init__(self, services: Services) -> None:
        self._authorizer = services.authorizer
        self._audit = services.audit
        self._database = services.database
        self._limits = services.limits
        self._reactions = services.reactions
        self._now = services.now

    async def authorize(self, call: RegistryCall, missing: RepositoryNotFound) -> Work[Repository]:
        """Authorize the creation; returns the work that creates the repository from its template.

        If another push was faster, the work finds its repository. Raises `missing` if no template matches, and
        AccessDenied. The work raises LimitExceeded and Kms.
        """
        registry, name = call.registry, RepositoryName.parse(call.repository)

        template = await self._database.read(
            lambda tx: templates.matching(tx, registry, name, templates.CREATE_ON_PUSH)
        )
        if template is None:
            raise missing
        await self._authorizer.check_creation(call.access_request, template.resource_tags)
        now = self._now()

        def create(tx: Transaction) -> Repository:
            repository, is_new = templates.create_on_push(tx, registry, name, self._limits, self._reactions, now)
            if is_new:
                describe = partial(self._audit.describe, call.request, _details(call))
                react(tx, self._reactions.api_called, ApiCalled(_OPERATION, registry, describe, now))
            return repository

        return create

    def record(self, call: RegistryCall) -> None:
        """Record the creation in the audit log. Call it after the commit, before the push itself is recorded."""
        self._audit.record(call.request, _details(call), None, docker=True)


def _details(call: RegistryCall) -> CallDetails:
    """The call of CreateRepository that the push also counts as."""
    parameters = {"registryId": call.registry.account, "repositoryName": call.repository}
    return CallDetails(_OPERATION, call.caller, call.caller.arn, parameters)
