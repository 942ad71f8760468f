"""Artifacts with one layer, which the server itself reads: a vulnerability database, for example."""

from __future__ import annotations

from moorage.domain.names import Registry
from moorage.domain.registry.manifests import parse_manifest
from moorage.metadata.database import Transaction
from moorage.metadata.registry import layers, pulls
from moorage.metadata.registry.images import StoredManifest
from moorage.metadata.registry.layers import Blob


class NoArtifact(Exception):
    """The artifact does not exist. The text says what is missing."""


def single_layer(tx: Transaction, registry: Registry, repository: str, reference: str) -> Blob:
    """The one layer of the image with this tag or digest, as `oras push` makes it. Raises NoArtifact."""
    name = f"{repository}{'@' if ':' in reference else ':'}{reference}"
    stored = pulls.find_manifest(tx, registry.account, registry.region, repository, reference)
    if stored is None:
        raise NoArtifact(f"There is no image {name} in the registry {registry.account} in {registry.region}")
    digest = only_layer(stored, name)
    found = layers.find_layer_by_name(tx, registry.account, registry.region, repository, digest)
    if found is None:
        raise NoArtifact(f"The layer {digest} of {name} is missing")
    return found


def only_layer(stored: StoredManifest, name: str) -> str:
    """The digest of the one layer of a manifest; messages call it `name`. Raises NoArtifact."""
    manifest = parse_manifest(stored.body, stored.media_type)
    if manifest.number_of_layers != 1:
        raise NoArtifact(f"{name} has {manifest.number_of_layers} layers instead of one")
    return manifest.layers[-1].digest
