"""A request for each row of `OCI_CODES`. `tests/project/test_refusals.py` finds missing rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NoReturn

import pytest

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.adapters.remote_registry.registries import DistributionRegistry
from moorage.core.identity.authentication import DOCKER_TOKEN_LIFE
from moorage.core.registry import layers, templates
from moorage.core.registry.layers import Layers
from moorage.core.signing import guard
from moorage.core.signing.guard import NewRequirement
from moorage.domain import errors
from moorage.domain.errors import Refusal
from moorage.domain.names import Registry
from moorage.domain.ports import StoreFull
from moorage.domain.pull_through import upstream_errors
from moorage.domain.pull_through.rules import Rule
from moorage.domain.registry import errors as registry_errors
from moorage.domain.registry.manifests import MANIFEST_LIMIT
from moorage.domain.registry.quotas import Quotas
from moorage.domain.remote_registries import (
    RemoteDenied,
    RemoteFailure,
    RemoteInvalid,
    RemoteThrottled,
    RemoteUnavailable,
)
from moorage.domain.signing import errors as signing_errors
from moorage.http.bodies import RequestBody
from moorage.http.messages import CallDetails, Request, RequestHead, Response
from moorage.metadata.pull_through import rules as rule_rows
from moorage.metadata.registry import templates as template_rows
from moorage.metadata.registry.repositories import RepositorySettings
from moorage.metadata.registry.templates import Template
from moorage.oci import routes
from moorage.oci.errors import OCI_CODES, error_response
from tests.docker.oci.client import (
    ACCOUNT,
    MALFORMED,
    REGION,
    Answer,
    Client,
    ScriptedBody,
    World,
    piece,
    registry_endpoint,
)
from tests.docker.oci.test_uploads import CONTENT, begin, chunk
from tests.support.images import OCI_MANIFEST, digest, image, index
from tests.support.limits import IDS, LIMITS

ABSENT = digest(b"absent")
HERE = Registry(ACCOUNT, REGION)


@dataclass(frozen=True)
class Scene:
    """A registry, its root user, an empty repository, and `monkeypatch`."""

    world: World
    root: Client
    repository: str
    patch: pytest.MonkeyPatch

    def get(self, path: str) -> Answer:
        return self.root.get(f"/v2/{self.repository}/{path}")

    def push_manifest(self, content: bytes, reference: str = "v1") -> Answer:
        media_type = image().manifest.media_type
        path = f"/v2/{self.repository}/manifests/{reference}"
        return self.root.send("PUT", path, content, {"content-type": media_type})

    def upload(self, target: str, content: bytes = CONTENT) -> Answer:
        return self.root.send("PUT", f"{begin(self.root, self.repository)}?digest={target}", content)

    def pull_through(self, failure: RemoteFailure) -> Answer:
        """A pull through the cache of an upstream registry that fails so."""

        async def manifest(*_: object) -> NoReturn:
            raise failure

        self.patch.setattr(DistributionRegistry, "manifest", manifest)
        rule = Rule("cached", "registry.k8s.io")
        self.world.run(self.world.database.write(lambda tx: rule_rows.insert(tx, HERE, rule)))
        return self.root.get(f"/v2/cached/{type(failure).__name__.lower()}/manifests/v1")

    def add_template(self, prefix: str, kms_key: str | None = None) -> None:
        kind = "KMS" if kms_key else "AES256"
        template = Template(prefix, (templates.CREATE_ON_PUSH,), encryption_type=kind, kms_key=kms_key)
        self.world.run(self.world.database.write(lambda tx: template_rows.insert(tx, HERE, template)))


Meet = Callable[[Scene], Answer]
"""Sends a request, after other requests that it needs, and returns the response."""

REQUESTS: Final[dict[type[Refusal], Meet]] = {}
"""A request for each refusal."""


def meets(refusal: type[Refusal]) -> Callable[[Meet], Meet]:
    def note(meet: Meet) -> Meet:
        REQUESTS[refusal] = meet
        return meet

    return note


@meets(errors.InvalidParameter)
def _(scene: Scene) -> Answer:
    return scene.get("tags/list?n=many")


@meets(errors.ManifestInvalid)
def _(scene: Scene) -> Answer:
    return scene.push_manifest(b"{}")


@meets(errors.PreconditionFailed)
def _(scene: Scene) -> Answer:
    path = f"/v2/{scene.repository}/manifests/v1"
    return scene.root.send("PUT", path, image().manifest.content, {"content-type": OCI_MANIFEST, "if-match": "*"})


@meets(errors.NotAuthenticated)
def _(scene: Scene) -> Answer:
    return scene.root.get("/v2/", {"authorization": None})


@meets(errors.AuthorizationTokenExpired)
def _(scene: Scene) -> Answer:
    scene.world.offset = DOCKER_TOKEN_LIFE
    return scene.root.get("/v2/")


@meets(errors.AccessDenied)
def _(scene: Scene) -> Answer:
    return scene.world.user().get(f"/v2/{scene.repository}/tags/list")


@meets(registry_errors.RepositoryNotFound)
def _(scene: Scene) -> Answer:
    return scene.root.get("/v2/nowhere/tags/list")


@meets(errors.RepositoryNameInvalid)
def _(scene: Scene) -> Answer:
    return scene.root.get("/v2/NOT_A_NAME/tags/list")


@meets(errors.LimitExceeded)
def _(scene: Scene) -> Answer:
    limits = replace(LIMITS, quotas=Quotas(repositories=0))
    scene.patch.setattr(
        scene.world,
        "endpoint",
        registry_endpoint(replace(scene.world.services, limits=limits)),
    )
    scene.add_template("beyond-the-quota")
    return scene.root.send("POST", "/v2/beyond-the-quota/app/blobs/uploads/")


@meets(registry_errors.UploadsExceeded)
def _(scene: Scene) -> Answer:
    services = scene.world.services
    limits = replace(LIMITS, quotas=Quotas(open_uploads=0))
    changed = replace(services, layers=Layers(services.database, services.blobs, IDS, services.now, limits))
    scene.patch.setattr(scene.world, "endpoint", registry_endpoint(changed))
    return scene.root.send("POST", f"/v2/{scene.repository}/blobs/uploads/")


@meets(registry_errors.Kms)
def _(scene: Scene) -> Answer:
    """The template is older than the settings, in which its key was removed."""
    scene.add_template("key-is-gone", kms_key="alias/gone")
    return scene.root.send("POST", "/v2/key-is-gone/app/blobs/uploads/")


@meets(registry_errors.UploadNotFound)
def _(scene: Scene) -> Answer:
    return scene.get("blobs/uploads/00000000-0000-4000-8000-000000000000")


@meets(registry_errors.InvalidLayerPart)
def _(scene: Scene) -> Answer:
    return chunk(scene.root, begin(scene.root, scene.repository), 7, b"out of order")


@meets(errors.RangeNotSatisfiable)
def _(scene: Scene) -> Answer:
    return scene.root.send("PATCH", begin(scene.root, scene.repository), b"x", {"content-range": "from here on"})


@meets(errors.LayerTooLarge)
def _(scene: Scene) -> Answer:
    scene.patch.setattr(layers, "LAYER_LIMIT", len(CONTENT) - 1)
    return scene.upload(digest(CONTENT))


@meets(registry_errors.InvalidLayer)
def _(scene: Scene) -> Answer:
    return scene.upload(ABSENT)


@meets(errors.DigestInvalid)
def _(scene: Scene) -> Answer:
    return scene.get("blobs/sha256:short")


@meets(errors.BlobNotFound)
def _(scene: Scene) -> Answer:
    return scene.get(f"blobs/{ABSENT}")


@meets(errors.LayerInUse)
def _(scene: Scene) -> Answer:
    pushed = image()
    scene.root.push(scene.repository, pushed)
    return scene.root.send("DELETE", f"/v2/{scene.repository}/blobs/{pushed.blobs[0].digest}")


@meets(registry_errors.LayersNotFound)
def _(scene: Scene) -> Answer:
    return scene.push_manifest(image().manifest.content)


@meets(registry_errors.ReferencedImagesNotFound)
def _(scene: Scene) -> Answer:
    return scene.root.push_manifest(scene.repository, index([image()]).manifest, "v1")


@meets(errors.ManifestNotFound)
def _(scene: Scene) -> Answer:
    return scene.get("manifests/absent")


@meets(errors.ManifestTooLarge)
def _(scene: Scene) -> Answer:
    return scene.push_manifest(b" " * (MANIFEST_LIMIT + 1))


@meets(registry_errors.ImageDigestDoesNotMatch)
def _(scene: Scene) -> Answer:
    return scene.root.push(scene.repository, image(), ABSENT)


@meets(registry_errors.ImageTagAlreadyExists)
def _(scene: Scene) -> Answer:
    name = scene.world.new_repository(settings=RepositorySettings(tag_mutability="IMMUTABLE"))
    scene.root.push(name, image(seed=1), "v1")
    return scene.root.push(name, image(seed=2), "v1")


@meets(errors.TagInvalid)
def _(scene: Scene) -> Answer:
    return scene.push_manifest(image().manifest.content, "-not-a-tag")


@meets(registry_errors.ImageReferencedByIndex)
def _(scene: Scene) -> Answer:
    pushed = image()
    scene.root.push(scene.repository, pushed)
    scene.root.push(scene.repository, index([pushed]))
    return scene.root.send("DELETE", f"/v2/{scene.repository}/manifests/{pushed.manifest.digest}")


@meets(errors.Unsupported)
def _(scene: Scene) -> Answer:
    return scene.root.send("POST", f"/v2/{scene.repository}/tags/list")


@meets(errors.BodyTimeout)
def _(scene: Scene) -> Answer:
    return scene.root.send("PATCH", begin(scene.root, scene.repository), [piece(b"x")], stall=True)


@meets(errors.MalformedBody)
def _(scene: Scene) -> Answer:
    return scene.root.send("PATCH", begin(scene.root, scene.repository), [piece(b"x"), MALFORMED])


@meets(errors.Throttling)
def _(scene: Scene) -> Answer:
    head = RequestHead("GET", b"/v2/", [(b"host", b"localhost")])
    request = Request(head, RequestBody(ScriptedBody([]), 0), "request-1")
    response = scene.world.endpoint.refused(request, errors.Throttling(detail=""))
    return Answer(response.status, {}, response.body, by_server=False, details=CallDetails())


@meets(errors.BodyLengthDiffers)
def _(scene: Scene) -> Answer:
    return scene.root.send("PATCH", begin(scene.root, scene.repository), b"xyz", {"content-range": "0-1"})


@meets(signing_errors.ImageNotSigned)
def _(scene: Scene) -> Answer:
    scene.root.push(scene.repository, image(seed=7), "v1")
    profile = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/web"
    new = NewRequirement(scene.repository, guard.NOTATION_PROFILE, profile)
    scene.world.run(scene.world.database.write(lambda tx: guard.require(tx, HERE, new, 1)))
    return scene.get("manifests/v1")


@meets(errors.Unavailable)
def _(scene: Scene) -> Answer:
    async def full(*_: object) -> bool:
        raise StoreFull("no space left on device")

    scene.patch.setattr(FileBlobStore, "store_small", full)
    return scene.upload(digest(CONTENT))


@meets(upstream_errors.UpstreamAccessDenied)
def _(scene: Scene) -> Answer:
    return scene.pull_through(RemoteDenied("no"))


@meets(upstream_errors.UpstreamTooManyRequests)
def _(scene: Scene) -> Answer:
    return scene.pull_through(RemoteThrottled("later", 7.0))


@meets(upstream_errors.UpstreamUnavailable)
def _(scene: Scene) -> Answer:
    return scene.pull_through(RemoteUnavailable("down"))


@meets(upstream_errors.UpstreamInvalid)
def _(scene: Scene) -> Answer:
    return scene.pull_through(RemoteInvalid("HTML"))


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[type[Refusal]]:
    """The refusals that the endpoint returned."""
    seen: list[type[Refusal]] = []

    def recorded(refusal: Refusal) -> Response:
        seen.append(type(refusal))
        return error_response(refusal)

    monkeypatch.setattr(routes, "error_response", recorded)
    return seen


@pytest.fixture
def scene(world: World, root: Client, repository: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    yield Scene(world, root, repository, monkeypatch)
    for prefix in ("beyond-the-quota", "key-is-gone"):
        world.run(world.database.write(lambda tx: template_rows.delete(tx, HERE, prefix)))  # noqa: B023 - run at once


@pytest.mark.parametrize("refusal", OCI_CODES, ids=lambda refusal: refusal.__name__)
def test_each_row_has_a_request(scene: Scene, met: list[type[Refusal]], refusal: type[Refusal]) -> None:
    answer = REQUESTS[refusal](scene)

    assert met[-1] is refusal
    status, code = OCI_CODES[refusal]
    assert answer.status == status
    if status != 401:  # A challenge has no error document.
        assert answer.code == code
