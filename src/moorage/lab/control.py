"""The paths of a lab.

POST /_moorage/reset, /moto-api/reset     return to the state at the start
POST /_moorage/snapshot, /restore         keep a state, and return to it: {"name": …}
POST /_moorage/seed                       add what a seed describes (`seeds.py`), in JSON, or in YAML with its type
GET, PUT, DELETE /_moorage/time           {"time": …}, {"advance": "24h"}, {"stopped": true}
GET, POST, DELETE /_moorage/faults        rules (`faults.py`)
GET, PUT /_moorage/settings               {"rates": "aws", "ecrQuirks": true}
GET, DELETE /_moorage/requests            the last requests
GET /_moorage/health, /_localstack/health
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from moorage import __version__
from moorage.config.documents import BadDocument
from moorage.config.kinds import seconds_of
from moorage.config.lab import moment_of
from moorage.domain import strict_json
from moorage.domain.errors import BodyTimeout, MalformedBody, RequestEntityTooLarge, Unavailable
from moorage.domain.strict_json import BadJson
from moorage.domain.units import SECOND, iso_time
from moorage.http.messages import Request, Response
from moorage.lab.authentication import is_from_browser
from moorage.lab.clock import ImpossibleTime
from moorage.lab.faults import BadRule, Rule
from moorage.lab.gate import RequestsInProgress
from moorage.lab.lab import Lab, LabRegistry, NoSuchSnapshot, TooManySnapshots
from moorage.lab.requests import MOST_REQUESTS
from moorage.lab.states import TooLarge

PREFIXES: Final = (b"/_moorage/", b"/moto-api/", b"/_localstack/")
_BODY_LIMIT: Final = 4 << 20
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_FILTERS: Final = frozenset({"operation", "method", "path", "status", "caller", "region"})

_STATUSES: Final[Mapping[type[Exception], int]] = {
    BadJson: 400,
    BadRule: 400,
    BadDocument: 400,
    ImpossibleTime: 400,
    ValueError: 400,
    MalformedBody: 400,
    NoSuchSnapshot: 404,
    BodyTimeout: 408,
    RequestsInProgress: 409,
    TooManySnapshots: 409,
    TooLarge: 409,
    RequestEntityTooLarge: 413,
    Unavailable: 503,
    OSError: 503,
}
"""The statuses of refusals. Of several that fit, the first one counts."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The body of a request. A member that it does not have is an error."""


class _Name(_Strict):
    name: str = "default"


class _Time(_Strict):
    time: str | None = None
    advance: str | None = None
    stopped: bool = False


class _Settings(_Strict):
    rates: str | None = None
    ecr_quirks: bool | None = None


Answer = Callable[[Request], Awaitable[Any]]


class Control:
    """Answers the requests that control a lab."""

    def __init__(self, lab: Lab, registry: LabRegistry) -> None:
        self._lab = lab
        self._registry = registry
        self._answers: Mapping[tuple[str, str], Answer] = {
            ("POST", "/_moorage/reset"): self._reset,
            ("POST", "/moto-api/reset"): self._reset,
            ("POST", "/_moorage/snapshot"): self._snapshot,
            ("POST", "/_moorage/restore"): self._restore,
            ("POST", "/_moorage/seed"): self._seed,
            ("GET", "/_moorage/time"): self._time,
            ("PUT", "/_moorage/time"): self._set_time,
            ("DELETE", "/_moorage/time"): self._reset_time,
            ("GET", "/_moorage/faults"): self._faults,
            ("POST", "/_moorage/faults"): self._add_fault,
            ("DELETE", "/_moorage/faults"): self._clear_faults,
            ("GET", "/_moorage/settings"): self._settings,
            ("PUT", "/_moorage/settings"): self._change_settings,
            ("GET", "/_moorage/requests"): self._requests,
            ("DELETE", "/_moorage/requests"): self._clear_requests,
            ("GET", "/_moorage/health"): self._health,
            ("GET", "/_localstack/health"): self._health,
        }

    async def respond(self, request: Request) -> Response:
        """Raises ClientGone."""
        if is_from_browser(request.header_lines):
            return _json(403, {"message": "web pages may not control a lab"})
        answer = self._answers.get((request.method, request.path))
        if answer is None:
            is_known = any(path == request.path for _, path in self._answers)
            return _json(405 if is_known else 404, {"message": "a lab has no such path or method"})
        try:
            return _json(200, await answer(request))
        except tuple(_STATUSES) as error:
            status = next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
            return _json(status, {"message": str(error)})

    # --- The registry -----------------------------------------------------------------------------------------------

    async def _reset(self, _request: Request) -> Any:
        await self._registry.reset()
        return {"status": "ok"}  # as moto's

    async def _snapshot(self, request: Request) -> Any:
        name = await self._name(request)
        return {"name": name, "rows": await self._registry.snapshot(name)}

    async def _restore(self, request: Request) -> Any:
        name = await self._name(request)
        return {"name": name, "rows": await self._registry.restore(name)}

    async def _seed(self, request: Request) -> Any:
        text = await request.body.whole(_BODY_LIMIT)
        suffix = ".yaml" if "/yaml" in (request.header(b"content-type") or "") else ".json"
        return {"changes": await self._registry.seed(text, suffix)}

    async def _name(self, request: Request) -> str:
        name: str = (await _body(request, _Name)).name
        if not _NAME.fullmatch(name):
            raise BadRule("a name has 1 to 100 letters, digits, dots, dashes or underscores")
        return name

    # --- The clock --------------------------------------------------------------------------------------------------

    async def _time(self, _request: Request) -> Any:
        clock = self._lab.clock
        return {"time": iso_time(clock()), "stopped": clock.is_stopped}

    async def _set_time(self, request: Request) -> Any:
        wanted = await _body(request, _Time)
        if wanted.time is not None and wanted.advance is not None:
            raise BadRule("give a time or how far to advance it, not both")
        clock = self._lab.clock
        time = clock() if wanted.time is None else moment_of(wanted.time)
        if wanted.advance is not None:
            time += int(seconds_of(wanted.advance) * SECOND)
        await self._registry.change_time(lambda: clock.set(time, stopped=wanted.stopped))
        return await self._time(request)

    async def _reset_time(self, request: Request) -> Any:
        await self._registry.change_time(self._lab.clock.reset)
        return await self._time(request)

    # --- Faults and settings ----------------------------------------------------------------------------------------

    async def _faults(self, _request: Request) -> Any:
        return {"faults": [msgspec.to_builtins(rule) for rule in self._lab.faults.rules]}

    async def _add_fault(self, request: Request) -> Any:
        self._lab.faults.add(await _body(request, Rule))
        return await self._faults(request)

    async def _clear_faults(self, request: Request) -> Any:
        self._lab.faults.clear()
        return await self._faults(request)

    async def _settings(self, _request: Request) -> Any:
        return {"rates": "aws" if self._lab.rates.as_aws else "", "ecrQuirks": self._lab.has_quirks}

    async def _change_settings(self, request: Request) -> Any:
        wanted = await _body(request, _Settings)
        if wanted.rates not in (None, "", "aws"):
            raise BadRule("rates must be aws or empty")
        if wanted.rates is not None:
            self._lab.rates.limit(as_aws=wanted.rates == "aws")
        if wanted.ecr_quirks is not None:
            self._lab.has_quirks = wanted.ecr_quirks
        return await self._settings(request)

    # --- The request log --------------------------------------------------------------------------------------------

    async def _requests(self, request: Request) -> Any:
        parameters = request.parameters()
        after, limit = int(parameters.pop("after", 0)), int(parameters.pop("limit", MOST_REQUESTS))
        unknown = parameters.keys() - _FILTERS
        if unknown:
            raise BadRule(f"requests cannot be filtered by {', '.join(sorted(unknown))[:100]}")
        found = list(self._lab.requests.found(parameters.items(), after))
        return {"requests": found[-limit:] if limit > 0 else []}

    async def _clear_requests(self, _request: Request) -> Any:
        self._lab.requests.clear()
        return {}

    async def _health(self, _request: Request) -> Any:
        """The form of LocalStack's."""
        services = dict.fromkeys(("ecr", "iam", "secretsmanager", "signer", "sts"), "running")
        return {"services": services, "edition": "moorage", "version": __version__}


async def _body(request: Request, kind: type[Any]) -> Any:
    """The body of a request; all members may be left out, and so may the body. Raises BadJson, ClientGone."""
    text = await request.body.whole(_BODY_LIMIT)
    return strict_json.read_as(kind, text or b"{}")


def _json(status: int, value: Any) -> Response:
    body = msgspec.json.encode(value) + b"\n"
    return Response(status, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))], body)
