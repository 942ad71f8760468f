"""The types of a declaration: what a file may say about an account and its registries.

Each type is one mapping of the file. `shape` names the constraints of ECR's service model that a value has: the reader
of files checks them, and the JSON schema for editors repeats them, so no constraint is written here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from moorage.core.identity.apply import DesiredState, Document

SHAPE: Final = "x-shape"
"""The key in the JSON schema of a type that names the shape of ECR's service model with its constraints."""


def shape(name: str) -> msgspec.Meta:
    """A value with the constraints of this shape."""
    return msgspec.Meta(extra_json_schema={SHAPE: name})


RepositoryName = Annotated[str, shape("RepositoryName")]
TagFilter = Annotated[str, shape("ImageTagMutabilityExclusionFilterValue")]
Prefix = Annotated[str, shape("PullThroughCacheRuleRepositoryPrefix")]
RoleArn = Annotated[str, shape("CustomRoleArn")]
ResourceTags = dict[Annotated[str, shape("TagKey")], Annotated[str, shape("TagValue")]]
RepositoryPolicy = Annotated[Document, shape("RepositoryPolicyText")]


class _Declared(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A mapping of the file. A key that no field has is an error; an exported file leaves out defaults."""


class Encryption(_Declared, kw_only=True):
    """The encryption of a repository. `kms_key` is an id, an ARN or an alias, as in CreateRepository."""

    type: Annotated[str, shape("EncryptionType")]
    kms_key: Annotated[str, shape("KmsKey")] | None = None


class _RepositorySettings(_Declared, kw_only=True):
    """What repositories and creation templates have in common."""

    tag_mutability: Annotated[str, shape("ImageTagMutability")] = "MUTABLE"
    tag_mutability_exclusions: Annotated[list[TagFilter], shape("ImageTagMutabilityExclusionFilters")] = []
    encryption: Encryption | None = None
    policy: RepositoryPolicy | None = None
    lifecycle_policy: Annotated[Document, shape("LifecyclePolicyText")] | None = None
    tags: Annotated[ResourceTags, shape("TagList")] = {}


class DeclaredRepository(_RepositorySettings, kw_only=True):
    """A repository. Without `encryption`, a new one gets AES256, and an existing one keeps what it has."""

    scan_on_push: bool = False


class DeclaredTemplate(_RepositorySettings, kw_only=True):
    """A repository creation template. Its key is the prefix."""

    applied_for: list[Annotated[str, shape("RCTAppliedFor")]]
    description: Annotated[str, shape("RepositoryTemplateDescription")] | None = None
    role: RoleArn | None = None


class DeclaredRule(_Declared, kw_only=True):
    """A pull-through cache rule. Its key is the prefix; `refresh` is in seconds."""

    upstream: Annotated[str, shape("Url")]
    upstream_registry: Annotated[str, shape("UpstreamRegistry")] | None = None
    upstream_prefix: Prefix | None = None
    credential: Annotated[str, shape("CredentialArn")] | None = None
    role: RoleArn | None = None
    refresh: int | None = None


class Destination(_Declared, kw_only=True):
    """A registry that images are replicated to."""

    region: Annotated[str, shape("Region")]
    account: Annotated[str, shape("RegistryId")]


class DeclaredReplication(_Declared, kw_only=True):
    """A rule of the replication configuration. Without prefixes, it is for all repositories."""

    destinations: Annotated[list[Destination], shape("ReplicationDestinationList")]
    prefixes: Annotated[list[Annotated[str, shape("RepositoryFilterValue")]], shape("RepositoryFilterList")] = []
    deletions: bool = False


class DeclaredScanRule(_Declared, kw_only=True):
    """A rule of the scanning configuration."""

    frequency: Annotated[str, shape("ScanFrequency")]
    filters: Annotated[
        list[Annotated[str, shape("ScanningRepositoryFilterValue")]], shape("ScanningRepositoryFilterList")
    ]


class DeclaredScanning(_Declared, kw_only=True):
    """The scanning configuration of a registry."""

    type: Annotated[str, shape("ScanType")] = "BASIC"
    rules: Annotated[list[DeclaredScanRule], shape("RegistryScanningRuleList")] = []


class DeclaredSigning(_Declared, kw_only=True):
    """A rule of the signing configuration. `profile` is the ARN of a signing profile."""

    profile: Annotated[str, shape("SigningProfileArn")]
    filters: Annotated[
        list[Annotated[str, shape("SigningRepositoryFilterValue")]], shape("SigningRepositoryFilterList")
    ] = []


class DeclaredRegistry(_Declared, kw_only=True):
    """A registry: the settings of an account in one Region, and its repositories.

    A setting that is left out stays as it is; with `prune` it gets ECR's default.
    """

    account_settings: dict[str, str] | None = None
    policy: Annotated[Document, shape("RegistryPolicyText")] | None = None
    scanning: DeclaredScanning | None = None
    signing: Annotated[list[DeclaredSigning], shape("SigningRuleList")] | None = None
    replication: Annotated[list[DeclaredReplication], shape("ReplicationRuleList")] | None = None
    pull_time_exclusions: list[Annotated[str, shape("PrincipalArn")]] | None = None
    pull_through_rules: dict[Prefix, DeclaredRule] = {}
    templates: dict[Annotated[str, shape("Prefix")], DeclaredTemplate] = {}
    repositories: dict[RepositoryName, DeclaredRepository] = {}


class Declaration(DesiredState, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The whole file: the identities of one account, and its registries by Region."""

    registries: dict[Annotated[str, shape("Region")], DeclaredRegistry] = msgspec.field(default_factory=dict)


class DeclarationRefused(Exception):
    """A declaration cannot be applied. `place` has the keys of the value that is wrong, from the outermost."""

    def __init__(self, place: tuple[str | int, ...], reason: object) -> None:
        super().__init__(str(reason))
        self.place = place


def as_document(text: str | None) -> Document | None:
    """A stored JSON text as a value of the file."""
    return None if text is None else msgspec.json.decode(text, type=dict[str, Any])


def as_text(document: Document) -> str:
    """A value of the file as the text that requests of ECR have."""
    return msgspec.json.encode(document).decode()
