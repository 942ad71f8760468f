"""Signing in tests: a registry in a Region that no other test uses, and the verifier of the Notary Project."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.api.ecr.wire import client_of
from tests.support.aws import docker_password
from tests.support.clients import program_environment, refusal, run
from tests.support.go_clients import built_program
from tests.support.server import Server
from tests.support.waiting import wait_until

REGION = "ap-southeast-4"
ACCOUNT = "000000000000"
NOTATION = "application/vnd.cncf.notary.signature"
SERVER_NAME = "registry.test"
"""The server's name for plugins of verifiers."""


def arn_of(name: str, account: str = ACCOUNT, region: str = REGION) -> str:
    """The ARN of a signing profile."""
    return f"arn:aws:signer:{region}:{account}:/signing-profiles/{name}"


class SigningRegistry:
    """A registry whose signing configuration belongs to one test."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ecr = client_of(server, region=REGION)

    def moorage(self, *words: str) -> str:
        return self.server.moorage(*words)

    def profile(self, *options: str) -> str:
        """The name of a new profile."""
        name = f"profile_{next(_numbers)}"
        self.moorage("signing-profile", "create", name, "--region", REGION, *options)
        return name

    def repository(self) -> str:
        """The name of a new repository."""
        name = f"signing/app-{next(_numbers)}"
        self.ecr.create_repository(repositoryName=name)
        return name

    def configure(self, *arns: str, filters: tuple[str, ...] = ()) -> None:
        """A rule for each ARN, each with these filters."""
        chosen = [{"filter": text, "filterType": "WILDCARD_MATCH"} for text in filters]
        rules = [{"signingProfileArn": arn, **({"repositoryFilters": chosen} if chosen else {})} for arn in arns]
        self.ecr.put_signing_configuration(signingConfiguration={"rules": rules})

    def statuses(self, repository: str, digest: str) -> dict[str, dict[str, str]]:
        """The signing statuses of an image when nothing is in progress any more, by the name of the profile."""

        def read() -> list[dict[str, str]]:
            answer = self.ecr.describe_image_signing_status(repositoryName=repository, imageId={"imageDigest": digest})
            found: list[dict[str, str]] = answer["signingStatuses"]
            return found

        wait_until(lambda: all(one["status"] != "IN_PROGRESS" for one in read()))
        return {one["signingProfileArn"].rpartition("/")[2]: one for one in read()}

    def signatures(self, repository: str, digest: str) -> list[str]:
        """The digests of the Notation signatures of an image."""
        answer = self.ecr.list_image_referrers(
            repositoryName=repository, subjectId={"imageDigest": digest}, filter={"artifactTypes": [NOTATION]}
        )
        return [one["digest"] for one in answer["referrers"]]

    def envelope(self, repository: str, signature: str) -> dict[str, Any]:
        """The envelope of a signature."""
        answer = self.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": signature}])
        layer = json.loads(answer["images"][0]["imageManifest"])["layers"][0]["digest"]
        url = self.ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=layer)["downloadUrl"]
        with urlopen(url) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def job_of(self, repository: str, signature: str) -> str:
        """The id of the job that made a signature."""
        protected = self.envelope(repository, signature)["protected"]
        attributes = json.loads(base64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))
        return str(attributes["com.amazonaws.signer.signingJob"].rpartition("/")[2])

    def verified(self, home: Path, repository: str, digest: str) -> str:
        """The output of notation-go for an image that it accepts, with the trust store in `home`."""
        return run(self._verification(repository, digest), self._login(home))

    def rejected(self, home: Path, repository: str, digest: str, key: Mapping[str, str] | None = None) -> str:
        """The reason why notation-go does not accept an image. Plugins use `key`, or that of the root user."""
        return refusal(self._verification(repository, digest), {**self._login(home), **(key or {})})

    def sign_by_notation(self, home: Path, repository: str, digest: str, kind: str) -> None:
        """Sign an image with notation-go, key.pem and chain.pem, into an envelope of this media type."""
        reference = f"{self.server.host}:{self.server.port}/{repository}@{digest}"
        words: list[str | Path] = [
            built_program("notation_sign"),
            reference,
            home / "key.pem",
            home / "chain.pem",
            kind,
        ]
        run(words, self._login(home))

    def trust(self, home: Path, *names: str) -> None:
        """Write the trust store and the trust policy for these profiles."""
        folder = home / "config" / "notation"
        self.moorage("signing-profile", "trust", *names, "--region", REGION, "--write", str(folder))

    def _verification(self, repository: str, digest: str) -> list[str | Path]:
        """The command, whose words at the end are for plugins."""
        reference = f"{self.server.host}:{self.server.port}/{repository}@{digest}"
        endpoint = f"aws-signer-endpoint-url=http://{SERVER_NAME}:{self.server.port}"
        return [built_program("notation_verify"), reference, endpoint, f"aws-region={REGION}"]

    def _login(self, home: Path) -> dict[str, str]:
        login = {"NOTATION_USERNAME": "AWS", "NOTATION_PASSWORD": docker_password(self.ecr)}
        keys = {name: self.server.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        # Instead of DNS: Go's client sends requests for all hosts but loopback addresses to this one.
        return program_environment(home, {**login, **keys, "HTTP_PROXY": self.server.url})


def tampered(envelope: dict[str, Any]) -> bytes:
    """An envelope whose payload names a larger image, under the same signature."""
    text = envelope["payload"]
    payload = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    payload["targetArtifact"]["size"] += 1
    changed = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return json.dumps(envelope | {"payload": changed}).encode()


_numbers = itertools.count(1)
