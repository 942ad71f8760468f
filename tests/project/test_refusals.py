"""Each refusal that the registry endpoint can meet has a row in `OCI_CODES`.

A refusal without a row would be an internal error. `tests/docker/oci/test_refusals.py` meets each row by a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.project.calls import Calls

from moorage.domain import errors
from moorage.domain.errors import Refusal
from moorage.domain.lifecycle.errors import ImageStorageClassUpdateNotSupported
from moorage.domain.pull_through import errors as pull_through_errors
from moorage.domain.pull_through import upstream_errors
from moorage.domain.registry import errors as registry_errors
from moorage.domain.secrets.errors import SecretRefusal
from moorage.oci.errors import OCI_CODES

OUTSIDE: Final = (
    "moorage.api.",
    "moorage.app.",
    "moorage.aws.",
    "moorage.cli.",
    "moorage.console.",
    "moorage.core.console.",
    "moorage.core.declared.",
    "moorage.ecr.",
    "moorage.kms.",
    "moorage.operating.",
    "moorage.secretsmanager.",
    "moorage.signer.",
    "moorage.worker.",
    "moorage_bench.",
)
"""Modules that the endpoint does not use; methods of theirs have the same names as others."""

OTHER_SERVICES: Final = (SecretRefusal,)
"""Base classes of refusals that only other services of AWS return; methods of theirs have common names."""

_OF_RULES: Final = "becomes RemoteDenied in core/pull_through/upstreams.py"

NOT_MET: Final[dict[type[Refusal], str]] = {
    registry_errors.EmptyUpload: "only ECR's API completes uploads strictly",
    registry_errors.LayerPartTooSmall: "only ECR's API completes uploads strictly",
    errors.ExpiredToken: "of a session token; Docker's credentials have none",
    registry_errors.ImageAlreadyExists: "caught in oci/manifests.py: a push can be repeated",
    registry_errors.LayerAlreadyExists: "suppressed in oci/uploads.py: a push can be repeated",
    registry_errors.RepositoryAlreadyExists: "a push creates a repository only if it has none, in one transaction",
    errors.RequestEntityTooLarge: "becomes ManifestTooLarge in oci/manifests.py",
    errors.UnrecognizedClient: "becomes NotAuthenticated in core/identity/authentication.py",
    pull_through_errors.SecretNotFound: _OF_RULES,
    pull_through_errors.UnableToAccessSecret: _OF_RULES,
    pull_through_errors.UnableToDecryptSecretValue: _OF_RULES,
    upstream_errors.UpstreamRefusal: "a base class: the refusals below it are raised",
    ImageStorageClassUpdateNotSupported: "only lifecycle jobs and ECR's API change storage classes",
}
"""Refusals that the calls of the endpoint seem to lead to, and why it never meets them."""


def subclasses(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def reachable() -> set[type[Refusal]]:
    """The refusals that the calls of the registry endpoint lead to. Classes with subclasses are not raised."""
    calls = Calls()
    endpoint = [name for name in calls.nodes if name.startswith("moorage.oci.") and ".errors." not in name]
    reactions = calls.references("moorage.app.reactions_of")
    names = calls.reachable([*endpoint, *reactions], (*OUTSIDE, "moorage.oci.errors."))
    kinds = [kind for kind in subclasses(Refusal) if f"{kind.__module__}.{kind.__name__}" in names]
    bases = (errors.FrontDoorRefusal, errors.ContentRefusal)
    return {kind for kind in kinds if kind not in bases and not issubclass(kind, OTHER_SERVICES)}


def test_each_refusal_that_the_registry_endpoint_can_meet_has_a_row() -> None:
    assert {kind.__name__ for kind in reachable() - OCI_CODES.keys() - NOT_MET.keys()} == set()


def test_the_endpoint_seems_to_meet_each_exception_of_the_rule() -> None:
    assert {kind.__name__ for kind in NOT_MET.keys() - reachable()} == set()
    assert NOT_MET.keys() & OCI_CODES.keys() == set()


def test_each_row_is_reachable() -> None:
    assert {kind.__name__ for kind in OCI_CODES.keys() - reachable()} == set()
