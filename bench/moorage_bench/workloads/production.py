"""A mix of requests as registries in production receive them.

The study is Anwar et al., "Improving Docker Registry Design based on Production Workload Analysis", FAST 2018
(https://www.usenix.org/conference/fast18/presentation/anwar): 75 days of registries of IBM Cloud. Four of its findings
are modelled: most requests are GETs and many are HEADs; few push; most layers are smaller than 1 MB; and few images
get most of the requests. Three are not: the pauses between requests, the correlation of one client's requests, and
layers of more than 16 MiB, because one of them outweighs thousands of the other requests.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moorage_bench.connections import Conversation, Request, drive, in_turn
from moorage_bench.content import MIB, Content, Image, Scale
from moorage_bench.targets import ACCEPT, Target
from moorage_bench.workloads.layers import has_blob
from moorage_bench.workloads.pushes import READERS, one_by_one, push_layer, put_manifest
from moorage_bench.workloads.stages import Measurement, Stage, responses_a_second

GET, HEAD, PUSH, LIST = 0.60, 0.25, 0.10, 0.05
"""Shares of the requests. A push is several of them; the last share lists tags."""

REQUESTS_A_PUSH = 7
"""POST, PATCH and PUT of a layer and of a config, and PUT of the manifest."""

LAYER_SIZES = (4096, 16 * 1024, 64 * 1024, 256 * 1024, 512 * 1024, 768 * 1024, MIB, 4 * MIB, 10 * MIB, 16 * MIB)
"""The deciles of the sizes of layers (bytes); the last two are cut."""

STRIDE = 7
"""Has no common divisor with the number of sizes, so neighbours in popularity have different ones."""

SEED = 2018
TAG = "latest"


def prepare(stage: Stage) -> None:
    """Push one image to each repository, unless it exists."""
    for rank, image in enumerate(_images(stage.content)):
        name = _name(rank)
        stage.target.ensure_repository(name)
        if not has_blob(stage.target, name, image.blobs[0]):
            drive(stage.target.address, [_push(stage.target, name, image, TAG)])


def measure(stage: Stage) -> Measurement:
    """Send the mix on sixteen connections; each takes the next operation."""
    operations = iter(_operations(stage))
    return responses_a_second(drive(stage.target.address, [one_by_one(operations) for _ in range(READERS)]))


def stored(scale: Scale) -> int:
    """About how many bytes a round adds."""
    return int(scale.requests * PUSH / REQUESTS_A_PUSH) * sum(LAYER_SIZES) // len(LAYER_SIZES)


@dataclass(frozen=True, slots=True)
class Popular:
    """An image that exists, and the name of its repository."""

    name: str
    image: Image


def _operations(stage: Stage) -> list[Conversation]:
    """All operations of a round, made in advance: a push needs the digest of its data."""
    kinds: dict[Callable[[Stage, Popular, random.Random], Conversation], float] = {
        _get: GET,
        _head: HEAD,
        _push_new: PUSH / REQUESTS_A_PUSH,
        _list: LIST,
    }
    chooser = random.Random(SEED)  # noqa: S311 - the same requests in each round and for each target
    count = round(stage.content.scale.requests * sum(kinds.values()))
    popular = [Popular(_name(rank), image) for rank, image in enumerate(_images(stage.content))]
    chosen = chooser.choices(popular, _by_rank(len(popular)), k=count)
    makers = chooser.choices(list(kinds), list(kinds.values()), k=count)
    return [make(stage, each, chooser) for make, each in zip(makers, chosen, strict=True)]


def _by_rank(count: int) -> Sequence[float]:
    """Zipf's law: the image with rank n gets 1/n as many requests as the first one."""
    return [1 / rank for rank in range(1, count + 1)]


def _get(stage: Stage, popular: Popular, chooser: random.Random) -> Conversation:
    """A manifest, or a layer of its image, which clients often have already."""
    if chooser.random() < 2 / 3:
        path, headers = f"manifests/{TAG}", f"Accept: {ACCEPT}\r\n"
    else:
        path, headers = f"blobs/{popular.image.blobs[0].digest}", ""
    head = stage.target.request("GET", f"/v2/{popular.name}/{path}", headers=headers).head
    return in_turn([Request(head, sink=len)])


def _head(stage: Stage, popular: Popular, chooser: random.Random) -> Conversation:
    """A manifest before a pull, or a layer before a push."""
    path = chooser.choice([f"manifests/{TAG}", f"blobs/{popular.image.blobs[0].digest}"])
    headers = f"Accept: {ACCEPT}\r\n"
    return in_turn([stage.target.request("HEAD", f"/v2/{popular.name}/{path}", headers=headers)])


def _push_new(stage: Stage, popular: Popular, chooser: random.Random) -> Conversation:
    image = stage.content.image([stage.content.layer(chooser.choice(LAYER_SIZES))])
    return _push(stage.target, popular.name, image, image.digest[7:19])


def _list(stage: Stage, popular: Popular, _: random.Random) -> Conversation:
    return in_turn([stage.target.request("GET", f"/v2/{popular.name}/tags/list?n=100")])


def _push(target: Target, name: str, image: Image, tag: str) -> Conversation:
    for blob in image.blobs:
        yield from push_layer(target, name, blob)
    yield put_manifest(target, name, image, tag)


def _images(content: Content) -> list[Image]:
    """The images that exist, the most popular first."""
    sizes = [LAYER_SIZES[rank * STRIDE % len(LAYER_SIZES)] for rank in range(content.scale.names)]
    return [content.shared_image(size, rank) for rank, size in enumerate(sizes)]


def _name(rank: int) -> str:
    return f"bench/production-{rank:03}"
