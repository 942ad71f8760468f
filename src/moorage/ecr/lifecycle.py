"""UpdateImageStorageClass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from moorage.core import images, repositories, storage_classes
from moorage.core.images import ImageId
from moorage.ecr import shapes, views
from moorage.ecr.call import Call, Handler
from moorage.metadata.database import Transaction

_ANSWERS: Final[Mapping[shapes.TargetStorageClass, shapes.ImageStatus]] = {
    "ARCHIVE": "ARCHIVED",
    "STANDARD": "ACTIVATING",
}
"""ECR tells that a restoration has begun; here it has ended by then, as DescribeImages tells."""


async def update_image_storage_class(
    call: Call, request: shapes.UpdateImageStorageClassRequest
) -> shapes.UpdateImageStorageClassResponse:
    target, identifier = request["targetStorageClass"], request["imageId"]
    wanted = ImageId(identifier.get("imageDigest"), identifier.get("imageTag"))
    now = call.services.now()

    def update(tx: Transaction) -> str:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        image = images.get(tx, repository, wanted)
        storage_classes.update(tx, repository, image, target, now)
        return image.digest

    digest = await call.write(update)
    return {
        "registryId": call.registry.account,
        "repositoryName": request["repositoryName"],
        "imageId": views.image_id(digest, wanted.tag),
        "imageStatus": _ANSWERS[target],
    }


OPERATIONS: Final[Mapping[str, Handler]] = {
    "UpdateImageStorageClass": update_image_storage_class,
}
