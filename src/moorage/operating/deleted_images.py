"""Deleted images, until the end of their grace period. Who may see and push images of a repository may do it here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.garbage.undelete import NoDeletedImage, Undeleted, Undeletion
from moorage.core.identity.authorization import AccessRequest
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images as rows
from moorage.metadata.garbage.deleted_images import DeletedImage
from moorage.operating.refusals import ResourceNotFound
from moorage.operating.service import repository_named, requested_page, with_token

if TYPE_CHECKING:
    from moorage.operating import shapes


async def list_deleted_images(call: ApiCall, request: shapes.ListDeletedImagesRequest) -> Mapping[str, Any]:
    """Raises ResourceNotFound."""
    name = request["repositoryName"]
    await call.authorize(_access_to(call, "ecr:DescribeImages", name))
    page = requested_page(call, request, f"ListDeletedImages:{name}", (name, ""))

    def read(tx: Transaction) -> list[tuple[DeletedImage, list[str]]]:
        repository_named(tx, call, name)
        found = rows.page(tx, call.registry, name, page.after, page.fetch)
        return [(image, rows.tags_of(tx, image.id)) for image in found]

    on_page, token = page.cut(await call.read(read), lambda entry: (name, entry[0].digest))
    grace = call.services.limits.grace_period
    return with_token({"images": [_view(image, tags, grace) for image, tags in on_page]}, token)


async def undelete_image(call: ApiCall, request: shapes.UndeleteImageRequest) -> Mapping[str, Any]:
    """Raises ResourceNotFound, and the errors of a push."""
    name, services = request["repositoryName"], call.services
    await call.authorize(_access_to(call, "ecr:PutImage", name))
    services.limits.require_reserve()
    undeletion = Undeletion(services.images, services.limits)

    def undelete(tx: Transaction) -> list[Undeleted]:
        return undeletion.undelete(tx, repository_named(tx, call, name), request["imageReference"], services.now())

    try:
        undeleted = await call.write(undelete)
    except NoDeletedImage as error:
        raise ResourceNotFound(reason=str(error)) from None
    return {
        "images": [
            {"imageDigest": each.digest, "imageTags": list(each.tags), "takenTags": list(each.taken)}
            for each in undeleted
        ]
    }


def _access_to(call: ApiCall, action: str, repository: str) -> AccessRequest:
    return AccessRequest(call.caller, action, call.registry, repository, lambda: call.request_context)


def _view(image: DeletedImage, tags: list[str], grace: int) -> shapes.DeletedImage:
    return {
        "imageDigest": image.digest,
        "imageManifestMediaType": image.media_type,
        "imageTags": tags,
        "deletedAt": seconds(image.deleted_at),
        "removedAfter": seconds(image.deleted_at + grace),
    }


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "ListDeletedImages": list_deleted_images,
    "UndeleteImage": undelete_image,
}
