"""Any scanner with Harbor's scanner-adapter API 1.2: adapters for Trivy, Clair and others are separate programs.

The adapter pulls the image itself, with a login for 15 minutes that can read one repository:

    GET  /api/v1/metadata               the scanner, what it makes, and the age of its database
    POST /api/v1/scan                   202 with the id of a scan
    GET  /api/v1/scan/ID/report         302 while it runs, with the seconds to wait in Refresh-After; then the report

github.com/goharbor/pluggable-scanner-spec, api/spec/scanner-adapter-openapi-v1.2.yaml.
"""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import msgspec

from moorage.adapters.scanners.harbor_report import (
    ACCEPTED_TYPES,
    Accepted,
    Metadata,
    Problem,
    Report,
)
from moorage.adapters.scanners.reports import REASON_LIMIT, REPORT_LIMIT, ReportInvalid, read_report
from moorage.bounds import shortened
from moorage.domain.scanning.findings import Finding
from moorage.domain.scanning.ports import (
    ImageSource,
    ImageTooLarge,
    SbomUnusable,
    ScanFailed,
    Scanned,
    ScannerStatus,
    ScannerUnavailable,
)

_API: Final = "api/v1"
_REQUEST_TYPE: Final = "application/vnd.scanner.adapter.scan.request+json; version=1.1"
_TIMES: Final = aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=60)
_ANSWER_LIMIT: Final = 1 << 20
_WAIT_SECONDS: Final = 5.0
_SHORTEST_WAIT, _LONGEST_WAIT = 0.2, 30.0
_ID: Final = re.compile(r"[\w.~-]{1,256}", re.ASCII)


@dataclass(frozen=True, slots=True)
class HarborRules:
    """Where the adapter is, the value of the header `Authorization` for it (empty: none), and the time for a scan."""

    url: str
    authorization: str
    seconds: float

    def __repr__(self) -> str:
        return f"HarborRules(url={self.url!r}, authorization=***)"


class _Answered(Exception):
    """The adapter answered with another status than it should; with its own reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"The scanner adapter answered {status}{reason and ': '}{reason}")
        self.status = status


class HarborScanner:
    """The port `Scanner`, with an adapter. Connections last for one scan, so that nothing has to be closed."""

    def __init__(self, rules: HarborRules) -> None:
        self._rules = rules

    async def scan(self, image: ImageSource) -> Scanned:
        """See `Scanner.scan`."""
        async with self._session() as session:
            try:
                metadata = await self._metadata(session)
                mime = metadata.best_type()
                if mime is None:
                    raise ScannerUnavailable(f"The scanner adapter makes none of these: {', '.join(ACCEPTED_TYPES)}")
                scan = await self._start(session, image, mime)
                content = await self._report(session, scan, mime)
                findings = await asyncio.to_thread(_findings, content)
            except ReportInvalid as error:
                raise ScanFailed(f"The scanner's result is invalid: {error}") from None
            except _Answered as error:
                if error.status in {400, 422}:
                    raise ScanFailed(str(error)) from None
                raise ScannerUnavailable(str(error)) from None
        return Scanned(findings, metadata.name, metadata.database, metadata.database_time)

    async def match(self, sbom: bytes) -> Scanned:  # noqa: ARG002 - the API takes images only
        """See `Scanner.match`."""
        raise SbomUnusable("Scanner adapters of Harbor do not take bills of materials")

    async def status(self) -> ScannerStatus:
        """See `Scanner.status`."""
        async with self._session() as session:
            try:
                metadata = await self._metadata(session)
            except (ReportInvalid, _Answered) as error:
                raise ScannerUnavailable(f"The scanner adapter does not work: {error}") from None
        return ScannerStatus(metadata.name, metadata.database, metadata.database_time)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        headers = {"authorization": self._rules.authorization} if self._rules.authorization else {}
        async with aiohttp.ClientSession(timeout=_TIMES, headers=headers) as session:
            try:
                yield session
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = shortened(str(error) or type(error).__name__, REASON_LIMIT)
                raise ScannerUnavailable(f"The scanner adapter does not answer: {reason}") from None

    async def _metadata(self, session: aiohttp.ClientSession) -> Metadata:
        async with session.get(self._url("metadata"), allow_redirects=False) as answer:
            return read_report(Metadata, await _body(answer, 200, _ANSWER_LIMIT))

    async def _start(self, session: aiohttp.ClientSession, image: ImageSource, mime: str) -> str:
        """Request a scan, and return its id."""
        access = image.registry_access()
        login = base64.b64encode(f"{access.username}:{access.password}".encode()).decode()
        body = {
            "registry": {"url": access.url, "authorization": f"Basic {login}"},
            "artifact": {
                "repository": str(access.repository),
                "digest": str(image.digest),
                "mime_type": image.media_type,
                "size": len(image.manifest),
            },
            "enabled_capabilities": [{"type": "vulnerability", "produces_mime_types": [mime]}],
        }
        request = session.post(
            self._url("scan"),
            data=msgspec.json.encode(body),
            headers={"content-type": _REQUEST_TYPE},
            allow_redirects=False,
        )
        async with request as answer:
            accepted = read_report(Accepted, await _body(answer, 202, _ANSWER_LIMIT))
        if _ID.fullmatch(accepted.id) is None:
            raise ReportInvalid("the id of the scan is not one")
        return accepted.id

    async def _report(self, session: aiohttp.ClientSession, scan: str, mime: str) -> bytes:
        """The report of a scan, when it is there."""
        end = time.monotonic() + self._rules.seconds
        while True:
            url = self._url(f"scan/{scan}/report")
            async with session.get(url, headers={"accept": mime}, allow_redirects=False) as answer:
                if answer.status != 302:
                    return await _body(answer, 200, REPORT_LIMIT)
                wait = _seconds(answer.headers.get("refresh-after"))
            if time.monotonic() + wait > end:
                raise ImageTooLarge(f"The scanner did not end within {self._rules.seconds:.0f} seconds")
            await asyncio.sleep(wait)

    def _url(self, path: str) -> str:
        return f"{self._rules.url.rstrip('/')}/{_API}/{path}"


def _findings(content: bytes) -> list[Finding]:
    return read_report(Report, content).findings()


async def _body(answer: aiohttp.ClientResponse, status: int, limit: int) -> bytes:
    """The body of an answer with that status. Raises _Answered for any other one, ReportInvalid above the limit."""
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > limit:
            raise ReportInvalid(f"it has more than {limit >> 20} MiB")
    if answer.status != status:
        raise _Answered(answer.status, _reason(bytes(content)))
    return bytes(content)


def _reason(content: bytes) -> str:
    """What the adapter says about a failure; empty if it says nothing that is understood."""
    try:
        return shortened(" ".join(read_report(Problem, content).error.message.split()), REASON_LIMIT)
    except ReportInvalid:
        return ""


def _seconds(text: str | None) -> float:
    """The seconds of a header `Refresh-After`, within limits."""
    try:
        wanted = float(text or _WAIT_SECONDS)
    except ValueError:
        wanted = _WAIT_SECONDS
    return min(max(wanted, _SHORTEST_WAIT), _LONGEST_WAIT) if wanted == wanted else _WAIT_SECONDS  # noqa: PLR0124 - NaN
