"""A registry with several clients, and the model beside it: what the rules of a random sequence share."""

from __future__ import annotations

from pathlib import Path

from hypothesis.stateful import MultipleResults, RuleBasedStateMachine, multiple

from tests.docker.model.contents import BLOBS, SUBJECTS, referrers_tag
from tests.docker.model.registry import DENIED, UNKNOWN_REPOSITORY, Model, Outcome, Place, Repository, Upload
from tests.docker.oci.client import ACCOUNT, Answer, World
from tests.support.images import digest

Headers = dict[str, str]

OTHER_ACCOUNT = "222222222222"
NAMES = ["team/one", "team/two"]


class Endpoint(RuleBasedStateMachine):
    """Sends requests and compares the responses with the model."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir()
        self.world = world = World(folder)
        self.clients = {
            "root": world.root(),
            "other": world.root(OTHER_ACCOUNT),
            "reader": world.user("AmazonEC2ContainerRegistryReadOnly"),
        }
        places = [Place(account, name) for account in (ACCOUNT, OTHER_ACCOUNT) for name in NAMES]
        for place in places:
            world.new_repository(*place)
        self.model = Model(places)

    def teardown(self) -> None:
        self.world.close()

    def _send(
        self, who: str, method: str, path: str, outcome: Outcome, body: bytes = b"", headers: Headers | None = None
    ) -> Answer:
        """Send a request and compare the response. A rejected request must change nothing."""
        before = self.world.trace() if outcome.code and not outcome.changes else None
        answer = self.clients[who].send(method, path, body, headers)
        code = answer.code if answer.status >= 400 and method != "HEAD" else outcome.code
        assert (answer.status, code) == outcome[:2]
        assert before is None or before == self.world.trace()
        return answer

    def _check(self, place: Place) -> None:
        """Check that the repository shows what the model has."""
        repository = self.model.repositories[place]
        client = self.clients["root" if place.account == ACCOUNT else "other"]
        for reference in {*repository.tags, *repository.manifests, referrers_tag(SUBJECTS[0])}:
            content = repository.get(reference)
            answer = client.get(self._path(place.name, f"manifests/{reference}"))
            assert answer.status == (404 if content is None else 200)
            if content is not None:
                assert content == (answer.body if isinstance(content, bytes) else answer.json())
        for content in BLOBS:
            status = client.head(self._path(place.name, f"blobs/{digest(content)}")).status
            assert status == (200 if digest(content) in repository.blobs else 404)

    def _begun(self, who: str, name: str, path: str) -> MultipleResults[str]:
        outcome = self._refused(who, name, write=True) or Outcome(202)
        answer = self._send(who, "POST", path, outcome)
        if outcome.status != 202:
            return multiple()
        upload = answer.headers["location"].rpartition("/")[2]
        self.model.uploads[upload] = self._new_upload(who, name)
        return multiple(upload)

    def _path(self, name: str, rest: str) -> str:
        return f"/v2/{name}/{rest}"

    def _place(self, who: str, name: str) -> Place:
        return Place(OTHER_ACCOUNT if who == "other" else ACCOUNT, name)

    def _exists(self, who: str, name: str) -> bool:
        return self._place(who, name) in self.model.repositories

    def _repository(self, who: str, name: str) -> Repository:
        """The repository that the client means, or an empty one if it does not exist."""
        return self.model.repositories.get(self._place(who, name), Repository())

    def _refused(self, who: str, name: str, *, write: bool = False) -> Outcome | None:
        """A caller who can only read does not learn what exists. A caller who can write does."""
        if write and who == "reader":
            return DENIED
        return None if self._exists(who, name) else UNKNOWN_REPOSITORY

    def _new_upload(self, who: str, name: str) -> Upload:
        return Upload(who, self._place(who, name))

    def _content(self, upload: str) -> bytes:
        found = self.model.uploads.get(upload)
        return found.content if found else b""

    def _range(self, upload: str, chunk: bytes, offset: int | str | None) -> tuple[int | None, Headers]:
        """The first byte that a chunk claims to have, and the header with its range."""
        if offset is None:
            return None, {}
        first = len(self._content(upload)) if isinstance(offset, str) else offset
        return first, {"content-range": f"{first}-{first + len(chunk) - 1}"}
