"""Arguments for the functions of `metadata`: by the name and the type of a parameter, or for one function alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from moorage.domain.names import Registry, RepositoryName
from moorage.domain.pull_through.rules import Rule
from moorage.domain.replication.destinations import Selection
from moorage.domain.scanning.configuration import ScanningConfiguration
from moorage.domain.scanning.ports import ScannerStatus
from moorage.domain.scanning.statuses import Outcome
from moorage.domain.signing.profiles import ProfileName, Validity
from moorage.metadata.database import LARGEST_INTEGER
from moorage.metadata.events.deliveries import Delivery
from moorage.metadata.events.targets import EventTarget
from moorage.metadata.garbage.unreferenced import PendingRemoval
from moorage.metadata.identity.accounts import KeySummary, User
from moorage.metadata.identity.console_sessions import ConsoleSession
from moorage.metadata.identity.policies import ManagedPolicy, PolicyFilter, PolicyName
from moorage.metadata.identity.policy_versions import PolicyVersion
from moorage.metadata.identity.providers import IdentityProvider
from moorage.metadata.identity.roles import Role
from moorage.metadata.jobs import Job
from moorage.metadata.lifecycle.previews import PreviewResult
from moorage.metadata.pull_through.cached import CachedManifest, CachedTag
from moorage.metadata.pull_through.fetching import Fetching
from moorage.metadata.registry.images import Image, ImageFilter
from moorage.metadata.registry.pulls import ReferrerFilter
from moorage.metadata.registry.repositories import RepositorySettings
from moorage.metadata.registry.templates import Template
from moorage.metadata.registry.uploads import Upload
from moorage.metadata.replication.backfills import Backfill
from moorage.metadata.replication.destinations import Destination
from moorage.metadata.replication.entries import Chosen, Entry, Failure, Stream
from moorage.metadata.scanning.scans import ScanRecord
from moorage.metadata.secrets import Secret, Version
from moorage.metadata.signing.configurations import Requirement
from moorage.metadata.signing.profiles import ProfileVersion, Revocation, Root
from moorage.metadata.signing.signatures import SigningJob, SigningStatus
from tests.support.filled import Filled
from tests.support.filled_beside import HERE, PROFILE, THERE, account, digest_of

Argument = Callable[[Filled], Any]
Case = Mapping[str, Argument]

_USER: Final = User(f"AIDA{7:017}", HERE.account, "user-7", 1)
_ROLE: Final = Role(f"AROA{7:017}", HERE.account, "role-7", "/", "{}", 3600, 1)
_CONSOLE_SESSION: Final = ConsoleSession("new", HERE.account, "arn-7", "ASIA", b"token", "", "", 1, 1, is_link=False)
_PROFILE: Final = ProfileName(HERE, f"profile-{7:07}")
_SECRET: Final = Secret("secret-7", HERE, f"name-{7:07}", "abcdef", "", None, {}, None, 1, 1)
_VERSION: Final = ProfileVersion(
    _PROFILE, "v", True, "Active", None, "root-1", b"c", "hash-7", b"key", Validity(), {}, (), 7, 7
)
_NEW_VERSION: Final = ProfileVersion(
    _PROFILE, "new", False, "Active", None, "root-1", b"c", "hash-new", b"key", Validity(), {}, (), 7, 7
)
_FETCHING: Final = Fetching("item-7", "lease-7", 7)
_JOB: Final = Job("scan", f"key-{7:07}", {}, 1, "lease")


_TYPE: Final = "application/vnd.oci.image.config.v1+json"
_STATUSES: Final = ("ACTIVE", "ARCHIVED", "ANY")
_OF_KEY: Final[Case] = {"key": lambda _: f"AKIA{7:016}"}
_OF_LARGE: Final[Case] = {"name": lambda all_: all_.large.name}
_OF_LAYER: Final[Case] = {"digest": lambda all_: all_.layers(7)[0]}
_OF_LAYERS: Final[Case] = {"digests": lambda all_: all_.layers(7)}


def _youngest_blob(filled: Filled) -> int:
    """A layer of a small repository, which the large one does not have."""
    return filled.images * 2 + 41


def _upload(filled: Filled, name: str = "upload-7") -> Upload:
    return Upload(name, filled.large.id, f"AIDA{7:017}", 1, 1, 1, False, 7)


def _new_upload(filled: Filled) -> Upload:
    return _upload(filled, "upload-new")


def _new_image(filled: Filled) -> Image:
    return Image(0, filled.large.id, "sha256:new", "type", None, None, 1, 1, 1)


def _stream(filled: Filled) -> Stream:
    return Stream(HERE, RepositoryName(filled.large.name), THERE)


BY_PARAMETER: Final[dict[str, Argument]] = {
    # --- Names and keys
    "repository_id: int": lambda all_: all_.large.id,
    "repository: int": lambda all_: all_.large.id,
    "repository: str": lambda all_: all_.large.name,
    "repository: Repository": lambda all_: all_.large,
    "registry: Registry": lambda _: HERE,
    "source: Registry": lambda _: HERE,
    "destination: Registry": lambda _: THERE,
    "account: str": lambda _: HERE.account,
    "region: str": lambda _: HERE.region,
    "image_id: int": lambda all_: all_.image_id(7),
    "parent_id: int": lambda all_: all_.image_id(9),
    "image_ids: Iterable[int]": lambda all_: [all_.image_id(number) for number in range(20)],
    "ids: list[int]": lambda _: [*range(1, 21)],
    "image_ids: Sequence[int]": lambda all_: [all_.image_id(number) for number in range(20)],
    "children: Iterable[int]": lambda all_: [all_.image_id(3), all_.image_id(4)],
    "pulled: Mapping[int, int]": lambda all_: {all_.image_id(7): 10**12},
    "digest: str": lambda all_: all_.digest(7),
    "reference: str": lambda all_: all_.digest(7),
    "subject: str": lambda all_: all_.digest(7),
    "digests: Iterable[str]": lambda all_: [all_.digest(number) for number in range(20)],
    "digests: Sequence[str]": lambda all_: [all_.digest(number) for number in range(20)],
    "tag: str": lambda all_: all_.tag(7),
    "blob_id: int": lambda _: 7,
    "upload: str": lambda _: "upload-7",
    "owner: str": lambda _: f"AIDA{7:017}",
    "principal: str": lambda _: f"AIDA{7:017}",
    "removed_id: int": lambda _: 7,
    "target_id: str": lambda _: "target-1",
    "stream: str": lambda _: "stream-7",
    "kind: str": lambda _: "scan",
    "kinds: Iterable[str]": lambda _: ["scan"],
    "keys: Iterable[str]": lambda _: [f"key-{7:07}"],
    "item: str": lambda _: "item-7",
    "prefix: str": lambda _: "team",
    "user: str": lambda _: _USER.id,
    "identity: str": lambda _: _USER.id,
    "session_id: str": lambda _: f"session-{7:07}",
    "session: ConsoleSession": lambda _: _CONSOLE_SESSION,
    "issuer: str": lambda _: "https://issuer",
    "backfill_id: str": lambda _: "backfill-7",
    "job_id: str": lambda _: "job-7",
    "arn: str": lambda _: f"{PROFILE}-{7:07}/v",
    "certificate_hash: str": lambda _: "hash-7",
    "requirement_id: str": lambda _: "requirement-7",
    "key: str": lambda _: f"key-{7:07}",
    "role: str": lambda _: _ROLE.id,
    "name: str": lambda _: "name",
    "name: RepositoryName": lambda _: RepositoryName("new/app"),
    "holder: str": lambda _: "holder",
    # --- Values that a function stores or compares with
    "expiring: int": lambda _: 1,
    "expires_at: int": lambda _: 1,
    "kept: int": lambda _: 3,
    "until: int": lambda _: 1,
    "client: str": lambda _: "192.0.2.7",
    "user_agent: str": lambda _: "browser",
    "archiving: int": lambda _: 1,
    "status: Status": lambda _: "STOPPING",
    "status: str": lambda _: "Canceled",
    "problem: str": lambda _: "problem",
    "now: int": lambda _: 7,
    "oldest: int": lambda _: 1,
    "lease_end: int": lambda _: 10,
    "due_at: int": lambda _: 7,
    "again_at: int": lambda _: 7,
    "unless_since: int": lambda _: 7,
    "text: str": lambda _: "{}",
    "document: str": lambda _: "{}",
    "value: str": lambda _: "value",
    "error: str": lambda _: "error",
    "error: str | None": lambda _: None,
    "reason: str": lambda _: "reason",
    "reason: str | None": lambda _: None,
    "by: str": lambda _: "arn",
    "location: str": lambda _: "https://example.org",
    "payload: Mapping[str, Any]": lambda _: {},
    "body: bytes": lambda _: b"{}",
    "annotations: str": lambda _: '{"a": "b"}',
    "sealed_secret: bytes": lambda _: b"secret",
    "active: bool": lambda _: False,
    "mutability: str": lambda _: "IMMUTABLE",
    "filters: tuple[str, ...]": lambda _: (),
    "scan_on_push: bool": lambda _: True,
    "size: int": lambda _: 1,
    "than: int": lambda _: 0,
    "number: int": lambda _: 100,
    "generation: int": lambda _: 1,
    "tags: Mapping[str, str]": lambda _: {},
    "tags: Sequence[str]": lambda _: ["new"],
    "accounts: Sequence[str]": lambda _: [],
    "ids: Sequence[str]": lambda _: ["upload-7"],
    "stages: tuple[str, ...]": lambda _: (),
    "action: Action": lambda _: "COPY",
    # --- Pages
    "after: int": lambda _: 0,
    "after: str": lambda _: "",
    "after: tuple[int, str]": lambda _: (0, ""),
    "after: tuple[str, str]": lambda _: ("", ""),
    "after: tuple[int, int]": lambda _: (0, 0),
    "after: tuple[str, int]": lambda _: ("", 0),
    "names: tuple[str, str]": lambda _: ("", "~"),
    "descending: bool": lambda _: False,
    "before: tuple[int, str]": lambda _: (10**12, ""),
    "before: int": lambda _: 1,
    "limit: int": lambda _: 20,
    "statuses: Sequence[str]": lambda _: ["Active"],
    "positions: Sequence[int]": lambda _: [6, 8],
    "statuses: Iterable[ResultStatus]": lambda _: ["FAILED"],
    "results: Sequence[PreviewResult]": lambda all_: [
        PreviewResult(all_.images + 1, "sha256:new", (), 1, False, "expire", 1)
    ],
    # --- Records
    "image: Image": _new_image,
    "settings: RepositorySettings": lambda _: RepositorySettings(),
    "new: Upload": _new_upload,
    "before: Upload": _upload,
    "after: Upload": _upload,
    "layers: Iterable[tuple[int, str]]": lambda all_: [(7, "type")],
    "layers: Iterable[tuple[str, str]]": lambda all_: [("sha256:awaited", "type")],
    "blobs: Iterable[tuple[str, int]]": lambda _: [("sha256:blob", 1)],
    "selected: ReferrerFilter": lambda _: ReferrerFilter(),
    "upload: Upload": _new_upload,
    "new: Backfill": lambda _: Backfill("backfill-new", HERE, THERE, "PREPARING", 1),
    "destination: Destination": lambda _: Destination(
        Registry(account(7), HERE.region), "https://example.org", b"secret", Selection()
    ),
    "removal: PendingRemoval": lambda _: PendingRemoval("key-new", "blob", None, 1),
    "delivery: Delivery": lambda _: Delivery(7, "target-1", "stream-7", "event-7", "{}", 7),
    "accepted: Iterable[Delivery]": lambda _: [Delivery(7, "target-1", "stream-7", "event-7", "{}", 7)],
    "target: EventTarget": lambda _: EventTarget("target-new", "http://example.org", "eventbridge", (), b"s", 1),
    "user: User": lambda _: _USER,
    "role: Role": lambda _: _ROLE,
    "key: KeySummary": lambda _: KeySummary("AKIANEW", True, 1),
    "policy: ManagedPolicy": lambda _: ManagedPolicy(
        name=PolicyName(HERE.account, "policy-7"), document="{}", created_at=1, updated_at=1
    ),
    "selected: PolicyFilter": lambda _: PolicyFilter(),
    "version: PolicyVersion": lambda _: PolicyVersion(2, "{}", 1),
    "path_prefix: str": lambda _: "/",
    "policy: PolicyName": lambda _: PolicyName(HERE.account, "policy-7"),
    "provider: IdentityProvider": lambda _: IdentityProvider(HERE.account, "https://new", (), "{}", 1),
    "job: Job": lambda _: _JOB,
    "new: CachedManifest": lambda all_: CachedManifest(all_.large.id, "sha256:new", "type", b"{}"),
    "tag: CachedTag": lambda _: CachedTag("c7", 7),
    "new: Fetching": lambda _: Fetching("item-new", "lease", 7),
    "held: Fetching": lambda _: _FETCHING,
    "rule: Rule": lambda _: Rule("new", "registry.example"),
    "template: Template": lambda _: Template("new", ()),
    "stream: Stream": _stream,
    "streams: Iterable[Stream]": lambda all_: [_stream(all_)],
    "chosen: Chosen": lambda _: Chosen(),
    "done: Iterable[Entry]": lambda _: [Entry(7, "COPY", "sha256:1")],
    "failed: Iterable[Entry]": lambda _: [Entry(7, "COPY", "sha256:1")],
    "failure: Failure": lambda _: Failure("code", "reason"),
    "configuration: ScanningConfiguration": lambda _: ScanningConfiguration(),
    "status: ScannerStatus": lambda _: ScannerStatus("grype", None, None),
    "record: ScanRecord": lambda all_: ScanRecord(
        image_id=all_.image_id(7), scan_type="BASIC", outcome=Outcome.DONE, requested_at=1, generation=1
    ),
    "secret: Secret": lambda _: _SECRET,
    "version: Version": lambda _: Version("version-7", "token", b"secret", False, (), 1),
    "requirement: Requirement": lambda _: Requirement("requirement-new", HERE, "*", "notation-profile", "arn", 1),
    "root: Root": lambda _: Root("root-new", HERE.account, b"certificate", b"key", False, 1),
    "version: ProfileVersion": lambda _: _VERSION,
    "name: ProfileName": lambda _: _PROFILE,
    "revocation: Revocation": lambda _: Revocation(1, 1, "arn"),
    "job: SigningJob": lambda _: SigningJob("job-new", HERE, "arn", "arn", 1, 1),
    "statuses: Sequence[SigningStatus]": lambda _: [SigningStatus(PROFILE, "COMPLETE")],
    "rules: Sequence[SigningRule]": lambda _: [],
    "rules: Sequence[Mapping[str, Any]]": lambda _: [],
}
"""The argument for a parameter with that name and type."""


def _filters(after: Callable[[int], Any]) -> Iterator[Case]:
    """Calls with each filter, at the beginning and behind the first quarter of the images."""
    for tagged in (None, True, False):
        for status in _STATUSES:
            selected = partial(_constant, ImageFilter(tagged, status))
            yield {"selected": selected, "after": lambda _: after(0)}
            yield {"selected": selected, "after": lambda all_: after(all_.quarter(1))}


def _preview_filters() -> Iterator[Case]:
    for tagged in (None, True, False):
        yield {"tagged": partial(_constant, tagged)}
        yield {"tagged": partial(_constant, tagged), "after": lambda all_: all_.quarter(1)}


def _referrer_filters() -> Iterator[Case]:
    """Calls for a subject with many referrers; few of them are active, and none has the second type."""
    for status in _STATUSES:
        for types in ((), (_TYPE,), ("application/vnd.example", _TYPE)):
            selected = partial(_constant, ReferrerFilter(types, status))
            yield {"selected": selected, "subject": lambda all_: all_.digest(1)}
            yield {
                "selected": selected,
                "subject": lambda all_: all_.digest(1),
                "after": lambda all_: all_.image_id(-20),
            }


def _constant(value: object, _: Filled) -> object:
    return value


BY_FUNCTION: Final[dict[str, list[Case]]] = {
    "events.targets.set_format": [{"name": lambda _: "eventbridge"}],
    "identity.accounts.find_user": [{"name": lambda _: _USER.name}],
    "identity.accounts.find_key": [_OF_KEY],
    "identity.accounts.record_key_use": [_OF_KEY],
    "identity.accounts.set_key_active": [_OF_KEY],
    "identity.accounts.delete_key": [_OF_KEY],
    "identity.roles.find_role": [{"name": lambda _: _ROLE.name}],
    "identity.policies.find_policy": [{"name": lambda _: "policy-7"}],
    "jobs.waiting_payloads": [{"beginning": lambda _: f"key-{7:07}"}],
    "pull_through.cached.find": [
        {"reference": lambda _: digest_of("cached", 7)},
        {"reference": lambda _: "c7"},
    ],
    "pull_through.cached.delete": [{"digest": lambda _: digest_of("cached", 7)}],
    "pull_through.cached.size_of_blob": [{"digest": lambda _: digest_of("cached blob", 7)}],
    "lifecycle.previews.page_of_results": [*_preview_filters()],
    "registry.images.page": [*_filters(lambda number: number)],
    "registry.images.page_of_ids": [*_filters(lambda number: (number, ""))],
    "registry.images.page_of_tags": [{}, {"after": lambda all_: all_.tag(all_.quarter(1))}],
    "registry.images.is_subject": [{}, {"digest": lambda all_: all_.digest(1)}],
    "registry.layers.find_blob": [_OF_LAYER],
    "registry.layers.lock_blob": [_OF_LAYER],
    "registry.layers.find_layer": [_OF_LAYER],
    "registry.layers.find_layer_by_name": [{**_OF_LAYER, **_OF_LARGE}],
    "registry.layers.find_layers": [_OF_LAYERS],
    "registry.layers.lock_layers": [_OF_LAYERS],
    "registry.layers.link_blob": [{}, {"blob_id": _youngest_blob}],
    "registry.layers.store_blob": [{"key": lambda _: "blobs/new"}, {**_OF_LAYER, "key": lambda _: "blobs/new"}],
    "registry.layers.restart_grace_period": [_OF_LAYER],
    "registry.layers.repositories_with": [
        _OF_LAYER,
        {"digest": lambda all_: all_.layers(7)[-1]},
        # A layer that only repositories of another registry hold.
        {"digest": lambda all_: all_.layers(0)[-1], "registry": lambda _: Registry(account(7), HERE.region)},
    ],
    "registry.pulls.referrers": [*_referrer_filters()],
    "registry.pulls.find_manifest": [_OF_LARGE, {**_OF_LARGE, "reference": lambda all_: all_.tag(7)}],
    "registry.repositories.by_creation": [
        {},
        {"descending": lambda _: True, "after": lambda _: (LARGEST_INTEGER, LARGEST_INTEGER)},
    ],
    "registry.repositories.find": [_OF_LARGE],
    "registry.repositories.named_between": [{}, {"descending": lambda _: True}],
    "registry.settings.account_setting": [{"name": lambda _: "BLOB_MOUNTING"}],
    "identity.roles.insert_role": [
        {"role": lambda _: Role("AROANEW", HERE.account, "role-new", "/", "{}", 3600, 1)},
    ],
    "secrets.insert_version": [{"version": lambda _: Version("version-new", "new", b"secret", False, (), 1)}],
    "signing.profiles.insert_version": [{"version": lambda _: _NEW_VERSION}],
    "replication.backfills.find": [{}, {"backfill_id": lambda _: "backfill-8"}],
    "secrets.find": [{"name": lambda _: _SECRET.name}],
}
"""For some functions: several calls, each with the arguments that differ from `BY_PARAMETER`."""


def calls_of(name: str, function: Callable[..., Any]) -> list[Case]:
    """The calls that a growth test makes of a function: the arguments of each, by parameter."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return [_call(name, parameters, case) for case in BY_FUNCTION.get(name, [{}])]


def _call(name: str, parameters: list[inspect.Parameter], case: Case) -> Case:
    call: dict[str, Argument] = dict(case)
    for parameter in parameters:
        if parameter.name not in call and parameter.default is parameter.empty:
            key = f"{parameter.name}: {parameter.annotation}"
            assert key in BY_PARAMETER, f"{name}: add an argument for {key!r} to BY_PARAMETER or BY_FUNCTION"
            call[parameter.name] = BY_PARAMETER[key]
    return call
