"""Random sequences of requests to the registry endpoint, compared with a model of the specification."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    multiple,
    rule,
    run_state_machine_as_test,
)

from moorage.core.registry import repositories
from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite import connections as sqlite
from moorage.oci import listings as lists
from tests.docker.model.contents import (
    BILL,
    BLOBS,
    BY_DIGEST,
    CHUNKS,
    HALF,
    MANIFESTS,
    SIGNATURE,
    SUBJECTS,
    TAGS,
    Manifest,
)
from tests.docker.model.machine import NAMES, OTHER_ACCOUNT, Endpoint
from tests.docker.model.registry import (
    DENIED,
    UNKNOWN_BLOB,
    UNKNOWN_MANIFEST,
    UNKNOWN_UPLOAD,
    WRONG_DIGEST,
    Outcome,
    Place,
    children_first,
    listing,
)
from tests.docker.oci.client import ACCOUNT, REGION, Answer
from tests.support.images import digest

T = TypeVar("T")
Headers = dict[str, str]

PAGE = 2
"""The entries of a page in these tests, so that a few entries make several pages."""

REFERENCES = [*TAGS, "absent", *BY_DIGEST, digest(b"absent")]

CLIENTS = st.sampled_from(["root"] * 5 + ["other"] * 2 + ["reader"])
REPOSITORIES = st.sampled_from(["team/one"] * 5 + ["team/two"] * 2 + ["team/none"])
CONTENTS = st.sampled_from(BLOBS)
OFFSETS = st.sampled_from([None, "right", "right", "right", 0, HALF, HALF + 1])


class RegistryEndpoint(Endpoint):
    """Each rule is a request. The model predicts the response and what exists afterwards."""

    uploads: Bundle[str] = Bundle("uploads")

    # --- Uploads ------------------------------------------------------------------------------------------------

    @rule(target=uploads, who=CLIENTS, name=REPOSITORIES)
    def begin(self, who: str, name: str) -> MultipleResults[str]:
        return self._begun(who, name, self._path(name, "blobs/uploads/"))

    @rule(
        target=uploads, who=CLIENTS, name=REPOSITORIES, content=CONTENTS, source=st.sampled_from([None, *NAMES, "no"])
    )
    def mount(self, who: str, name: str, content: bytes, source: str | None) -> MultipleResults[str]:
        """A blob that cannot be mounted becomes an upload."""
        mounted, place = digest(content), self._place(who, name)
        path = self._path(name, f"blobs/uploads/?mount={mounted}" + (f"&from={source}" if source else ""))
        visible = self._exists(who, name) and self.model.mountable(place.account, mounted, source)
        if who == "reader" or not visible:
            return self._begun(who, name, path)
        assert self._send(who, "POST", path, Outcome(201)).headers["docker-content-digest"] == mounted
        self.model.repositories[place].blobs.add(mounted)
        self._check(place)
        return multiple()

    @rule(who=CLIENTS, name=REPOSITORIES, content=CONTENTS, named=CONTENTS)
    def upload_at_once(self, who: str, name: str, content: bytes, named: bytes) -> None:
        repository = self._repository(who, name)
        outcome = self._refused(who, name, write=True) or (WRONG_DIGEST if content != named else Outcome(201))
        self._send(who, "POST", self._path(name, f"blobs/uploads/?digest={digest(named)}"), outcome, content)
        if outcome.status == 201:
            repository.blobs.add(digest(named))
            self._check(self._place(who, name))

    @rule(upload=uploads, who=CLIENTS, name=REPOSITORIES, chunk=st.sampled_from(CHUNKS), offset=OFFSETS)
    def append(self, upload: str, who: str, name: str, chunk: bytes, offset: Any) -> None:
        found = self.model.upload(upload, who, self._place(who, name))
        first, headers = self._range(upload, chunk, offset)
        outcome = self._refused(who, name, write=True) or self.model.append(found, chunk, first)
        answer = self._send(who, "PATCH", self._path(name, f"blobs/uploads/{upload}"), outcome, chunk, headers)
        if found is not None and outcome.status in {202, 416}:
            assert answer.headers["range"] == f"0-{max(len(found.content) - 1, 0)}"

    @rule(
        upload=uploads,
        who=CLIENTS,
        name=REPOSITORIES,
        chunk=st.sampled_from([b"", b"", *CHUNKS]),
        offset=OFFSETS,
        named=st.one_of(st.none(), st.none(), CONTENTS, st.just("sha256:short")),
    )
    def complete(self, upload: str, who: str, name: str, chunk: bytes, offset: Any, named: Any) -> None:
        """`named` is the content whose digest is sent. None sends the digest of what the upload then has."""
        place = self._place(who, name)
        first, headers = self._range(upload, chunk, offset) if chunk else (None, {})
        sent_digest = (
            named if isinstance(named, str) else digest(self._content(upload) + chunk if named is None else named)
        )
        outcome = self._completed(upload, who, place, sent_digest, (chunk, first))
        path = self._path(name, f"blobs/uploads/{upload}?digest={sent_digest}")
        self._send(who, "PUT", path, outcome, chunk, headers)
        if outcome.status == 201:
            self._check(place)

    def _completed(
        self, upload: str, who: str, place: Place, sent_digest: str, sent: tuple[bytes, int | None]
    ) -> Outcome:
        if who == "reader":
            return DENIED
        if sent_digest == "sha256:short":
            return WRONG_DIGEST
        if refused := self._refused(who, place.name, write=True):
            return refused
        if self.model.is_finished(upload, who, place, sent_digest):
            return Outcome(201)
        found = self.model.upload(upload, who, place)
        appended = self.model.append(found, *sent)
        return self.model.complete(upload, found, place, sent_digest) if appended.status == 202 else appended

    @rule(upload=uploads, who=CLIENTS, name=REPOSITORIES)
    def ask_for_status(self, upload: str, who: str, name: str) -> None:
        found = self.model.upload(upload, who, self._place(who, name))
        outcome = self._refused(who, name, write=True) or (Outcome(204) if found else UNKNOWN_UPLOAD)
        answer = self._send(who, "GET", self._path(name, f"blobs/uploads/{upload}"), outcome)
        if found is not None and outcome.status == 204:
            assert answer.headers["range"] == f"0-{max(len(found.content) - 1, 0)}"

    @rule(upload=uploads, who=CLIENTS, name=REPOSITORIES)
    def cancel(self, upload: str, who: str, name: str) -> None:
        found = self.model.upload(upload, who, self._place(who, name))
        outcome = self._refused(who, name, write=True) or (Outcome(204) if found else UNKNOWN_UPLOAD)
        self._send(who, "DELETE", self._path(name, f"blobs/uploads/{upload}"), outcome)
        if outcome.status == 204:
            del self.model.uploads[upload]

    # --- Blobs --------------------------------------------------------------------------------------------------

    @rule(who=CLIENTS, name=REPOSITORIES, content=CONTENTS, method=st.sampled_from(["GET", "HEAD"]))
    def read_blob(self, who: str, name: str, content: bytes, method: str) -> None:
        repository, blob = self._repository(who, name), digest(content)
        outcome = self._refused(who, name) or (Outcome(200) if blob in repository.blobs else UNKNOWN_BLOB)
        answer = self._send(who, method, self._path(name, f"blobs/{blob}"), outcome)
        if outcome.status == 200:
            assert answer.headers["content-length"] == str(len(content))
            assert answer.body == (content if method == "GET" else b"")

    @rule(who=CLIENTS, name=REPOSITORIES, content=CONTENTS)
    def delete_blob(self, who: str, name: str, content: bytes) -> None:
        repository, blob = self._repository(who, name), digest(content)
        outcome = self._refused(who, name, write=True) or repository.delete_blob(blob)
        self._send(who, "DELETE", self._path(name, f"blobs/{blob}"), outcome)

    # --- Manifests ----------------------------------------------------------------------------------------------

    @rule(who=CLIENTS, name=REPOSITORIES, manifest=st.sampled_from(MANIFESTS), tag=st.sampled_from([None, *TAGS]))
    def push_image(self, who: str, name: str, manifest: Manifest, tag: str | None) -> None:
        """Push a manifest after everything that it needs, as a client does."""
        if self._refused(who, name, write=True):
            return
        for each in children_first(manifest):
            for content in BLOBS:
                if digest(content) in each.blobs:
                    self.upload_at_once(who, name, content, content)
            self.put_manifest(who, name, each, tag if each is manifest else None)

    @rule(who=CLIENTS, name=REPOSITORIES, manifest=st.sampled_from(MANIFESTS), tag=st.sampled_from([None, *TAGS]))
    def put_manifest(self, who: str, name: str, manifest: Manifest, tag: str | None) -> None:
        outcome = self._put(who, name, manifest, [tag] if tag else [])
        self._put_by(who, name, manifest, tag or manifest.digest, outcome)

    @rule(
        who=CLIENTS,
        name=REPOSITORIES,
        manifest=st.sampled_from(MANIFESTS),
        tags=st.lists(st.sampled_from(TAGS), min_size=1, max_size=3, unique=True),
    )
    def put_manifest_under_tags(self, who: str, name: str, manifest: Manifest, tags: list[str]) -> None:
        outcome = self._put(who, name, manifest, tags)
        query = "&".join(f"tag={tag}" for tag in tags)
        answer = self._put_by(who, name, manifest, f"{manifest.digest}?{query}", outcome)
        if outcome.status == 201:
            assert answer.headers["oci-tag"] == ", ".join(tags)

    @rule(who=CLIENTS, name=REPOSITORIES, manifest=st.sampled_from(MANIFESTS))
    def put_manifest_under_another_digest(self, who: str, name: str, manifest: Manifest) -> None:
        outcome = self._refused(who, name, write=True) or WRONG_DIGEST
        self._put_by(who, name, manifest, digest(b"another"), outcome)

    def _put(self, who: str, name: str, manifest: Manifest, tags: list[str]) -> Outcome:
        return self._refused(who, name, write=True) or self._repository(who, name).put(manifest, tags)

    def _put_by(self, who: str, name: str, manifest: Manifest, reference: str, outcome: Outcome) -> Answer:
        path = self._path(name, f"manifests/{reference}")
        headers = {"content-type": manifest.blob.media_type}
        answer = self._send(who, "PUT", path, outcome, manifest.blob.content, headers)
        if outcome.status == 201:
            assert answer.headers["docker-content-digest"] == manifest.digest
            assert answer.headers.get("oci-subject") == manifest.subject
            self._check(self._place(who, name))
        return answer

    @rule(
        who=CLIENTS,
        name=REPOSITORIES,
        reference=st.sampled_from(REFERENCES),
        method=st.sampled_from(["GET", "HEAD"]),
    )
    def read_manifest(self, who: str, name: str, reference: str, method: str) -> None:
        repository = self._repository(who, name)
        content = repository.get(reference)
        outcome = self._refused(who, name) or (UNKNOWN_MANIFEST if content is None else Outcome(200))
        answer = self._send(who, method, self._path(name, f"manifests/{reference}"), outcome)
        if method == "GET" and content is not None:
            assert answer.headers["docker-content-digest"] == digest(answer.body)
            assert content == (answer.body if isinstance(content, bytes) else answer.json())

    @rule(who=CLIENTS, name=REPOSITORIES, reference=st.sampled_from(REFERENCES))
    def delete_manifest(self, who: str, name: str, reference: str) -> None:
        repository = self._repository(who, name)
        outcome = self._refused(who, name, write=True) or repository.delete(reference)
        self._send(who, "DELETE", self._path(name, f"manifests/{reference}"), outcome)
        if outcome.status == 202:
            self._check(self._place(who, name))

    @rule(
        place=st.sampled_from([Place(ACCOUNT, "team/one"), Place(OTHER_ACCOUNT, "team/one")]),
        mutability=st.sampled_from(["MUTABLE", "MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION"]),
    )
    def set_mutability(self, place: Place, mutability: str) -> None:
        filters = self.model.set_mutability(place, mutability)
        registry = self.clients["root" if place.account == ACCOUNT else "other"].caller.registry
        assert registry.region == REGION

        def write(tx: Transaction) -> None:
            repositories.set_tag_mutability(tx, repositories.get(tx, registry, place.name), mutability, filters)

        self.world.run(self.world.database.write(write))

    # --- Lists --------------------------------------------------------------------------------------------------

    @rule(
        who=CLIENTS,
        name=REPOSITORIES,
        size=st.sampled_from([None, 0, 1, 2, 1000]),
        last=st.sampled_from([None, "", "V", "v1", "v1-a", "v1.", "zzz", "\0", "é", "sha256-"]),
    )
    def list_tags(self, who: str, name: str, size: int | None, last: str | None) -> None:
        repository = self._repository(who, name)
        query = [f"n={size}"] * (size is not None) + [f"last={quote(last or '')}"] * (last is not None)
        pages = self._pages(who, name, "tags/list?" + "&".join(query))
        expected = sorted(tag for tag in repository.tags if tag > (last or ""))
        limit = PAGE if size is None else min(size, PAGE)
        assert [page.get("tags") for page in pages] == (_cut(expected, limit) if self._exists(who, name) else [None])

    @rule(
        who=CLIENTS,
        name=REPOSITORIES,
        subject=st.sampled_from(SUBJECTS),
        kind=st.sampled_from([None, None, SIGNATURE, BILL, "text/plain"]),
    )
    def list_referrers(self, who: str, name: str, subject: str, kind: str | None) -> None:
        repository = self._repository(who, name)
        query = f"?artifactType={quote(kind, safe='')}" if kind else ""
        pages = self._pages(who, name, f"referrers/{subject}{query}")
        found = [each for each in repository.referrers(subject) if kind in (None, each.kind)]
        if self._exists(who, name):
            assert pages == [listing(page) for page in _cut(found, PAGE)]

    @rule(who=CLIENTS)
    def list_repositories(self, who: str) -> None:
        assert self._send(who, "GET", "/v2/_catalog", Outcome(200)).json() == {"repositories": NAMES}

    def _pages(self, who: str, name: str, path: str) -> list[Any]:
        """All pages, each from the link of the previous one."""
        outcome = self._refused(who, name) or Outcome(200)
        target, pages = self._path(name, path), []
        while target:
            answer = self._send(who, "GET", target, outcome)
            pages.append(answer.json())
            link = answer.headers.get("link", "")
            target = link.partition(">; ")[0].removeprefix("<")
            assert not link or link.endswith('>; rel="next"')
            assert ("oci-filters-applied" in answer.headers) == ("artifactType" in path and outcome.status == 200)
        return pages


def _cut(entries: list[T], size: int) -> list[list[T]]:
    """Pages of so many entries. One empty page if there are no entries or the size is 0."""
    return [entries[first : first + size] for first in range(0, len(entries), size)] or [[]] if size else [[]]


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pages, and no syncs: no test here cuts the power, and a hundred registries are created."""
    monkeypatch.setattr(lists, "PAGE_LIMIT", PAGE)
    monkeypatch.setattr(sqlite, "_PRAGMAS", sqlite._PRAGMAS.replace("synchronous = FULL", "synchronous = OFF"))
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


def check(folder: Path, examples: int, steps: int) -> None:
    numbers = itertools.count()

    class InNewFolder(RegistryEndpoint):
        def __init__(self) -> None:
            super().__init__(folder / str(next(numbers)))

    run_state_machine_as_test(
        InNewFolder,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)  # A run that ends at the time limit could not reduce a failing example.
def test_the_registry_endpoint_follows_the_specification(tmp_path: Path) -> None:
    check(tmp_path, examples=50, steps=40)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_registry_endpoint_follows_the_specification_for_a_long_time(tmp_path: Path) -> None:
    check(tmp_path, examples=3000, steps=80)
