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
from moorage.oci.errors import OCI_CODES

OUTSIDE: Final = ("moorage.ecr.", "moorage.aws.", "moorage.cli.", "moorage.app.", "moorage.worker.", "moorage_bench.")
"""Modules that the endpoint does not use; methods of theirs have the same names as others."""

NOT_MET: Final[dict[type[Refusal], str]] = {
    errors.EmptyUpload: "only ECR's API completes uploads strictly",
    errors.LayerPartTooSmall: "only ECR's API completes uploads strictly",
    errors.ExpiredToken: "of a session token; Docker's credentials have none",
    errors.ImageAlreadyExists: "caught in oci/manifests.py: a push can be repeated",
    errors.InvalidTagParameter: "resource tags are checked when a template is created",
    errors.LayerAlreadyExists: "suppressed in oci/uploads.py: a push can be repeated",
    errors.RepositoryAlreadyExists: "a push creates a repository only if it does not exist, in one transaction",
    errors.RequestEntityTooLarge: "becomes ManifestTooLarge in oci/manifests.py",
    errors.TooManyTags: "resource tags are checked when a template is created",
    errors.UnrecognizedClient: "becomes NotAuthenticated in core/identity/authentication.py",
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
    return {kind for kind in kinds if kind not in (errors.FrontDoorRefusal, errors.ContentRefusal)}


def test_each_refusal_that_the_registry_endpoint_can_meet_has_a_row() -> None:
    assert {kind.__name__ for kind in reachable() - OCI_CODES.keys() - NOT_MET.keys()} == set()


def test_the_endpoint_seems_to_meet_each_exception_of_the_rule() -> None:
    assert {kind.__name__ for kind in NOT_MET.keys() - reachable()} == set()
    assert NOT_MET.keys() & OCI_CODES.keys() == set()


def test_each_row_is_reachable() -> None:
    assert {kind.__name__ for kind in OCI_CODES.keys() - reachable()} == set()
