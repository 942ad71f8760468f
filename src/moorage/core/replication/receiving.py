"""The receiving side within this server: what the destination's registry policy allows, and its repository."""

from __future__ import annotations

from typing import Final

from moorage.core.identity.authorization import AccessRequest, decide
from moorage.core.limits import Limits
from moorage.core.reactions import Reactions
from moorage.core.registry import templates
from moorage.core.registry.templates import Creation
from moorage.domain.identity.callers import ROOT, Caller
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.metadata.database import Transaction
from moorage.metadata.registry import repositories
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication.entries import Stream

REPLICATE: Final = "ecr:ReplicateImage"
_CREATE: Final = "ecr:CreateRepository"


class Receiver:
    """The destination of a stream, for one transaction.

    The source registry comes as the root user of its account (ECR user guide, "Allow the root user of a source account
    to replicate"): within an account nothing has to be allowed; another account allows it in its registry policy.
    """

    def __init__(self, stream: Stream, limits: Limits, reactions: Reactions, now: int) -> None:
        self.stream = stream
        self.now = now
        self._creation = Creation(limits, reactions, now)
        self._found: Repository | None = None
        self._is_allowed = False

    def existing_repository(self, tx: Transaction) -> Repository | None:
        """The repository with the same name, if there is one. Raises AccessDenied."""
        if not self._is_allowed:
            self._require(tx, REPLICATE)
            self._is_allowed = True
        if self._found is None:
            self._found = repositories.find(tx, self.stream.destination, self.stream.repository)
        return self._found

    def repository(self, tx: Transaction) -> Repository:
        """The repository with the same name, which is created if it does not exist.

        Raises AccessDenied, RepositoryNotFound if another account does not allow that, LimitExceeded, Kms.
        """
        found = self.existing_repository(tx)
        if found is None:
            destination, name = self.stream.destination, self.stream.repository
            if not decide(tx, self._access_request(_CREATE)).allowed:
                raise RepositoryNotFound(repository=name, registry=destination.account)
            found = templates.create_without_push(tx, destination, name, templates.REPLICATION, self._creation)
            self._found = found
        return found

    def _require(self, tx: Transaction, action: str) -> None:
        access_request = self._access_request(action)
        decision = decide(tx, access_request)
        if not decision.allowed:
            raise access_request.refusal(decision)

    def _access_request(self, action: str) -> AccessRequest:
        source = self.stream.source
        caller = Caller(source.account, source.region, source.account, ROOT, "")
        return AccessRequest(caller, action, self.stream.destination, self.stream.repository)
