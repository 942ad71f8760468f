"""The lab of a server: what tests can change of it, and its state at the start, to which a reset returns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from moorage.api.authentication import Authentication
from moorage.config.documents import BadDocument
from moorage.core.declared.changes import Conditions
from moorage.core.services import Services
from moorage.core.vault import Vault
from moorage.domain.pull_through.upstreams import AddedUpstreams
from moorage.lab import seeds, states
from moorage.lab.authentication import AnyKeyAuthentication, LabAuthentication
from moorage.lab.clock import LabClock
from moorage.lab.faults import Faults
from moorage.lab.gate import Gate
from moorage.lab.rates import Rates
from moorage.lab.requests import RequestLog
from moorage.lab.responses import Quirks
from moorage.lab.seeds import SeedRules
from moorage.lab.states import Links, State
from moorage.worker import Worker

_START: Final = "start"
"""The folder of links to the blobs of the state at the start. Names of snapshots have no such form."""


_BEFORE_SEED: Final = "before-seed"

_JOB_SECONDS: Final = 0.01
"""How long a job may continue when the registry is about to change as a whole. It starts again afterwards."""


class NoSuchSnapshot(Exception):
    """There is no snapshot with that name."""


class TooManySnapshots(Exception):
    """A lab keeps a bounded number of snapshots."""


@dataclass(frozen=True, slots=True)
class LabOptions:
    """The settings of a lab."""

    start: int | None
    region: str
    root_key: str
    blob_folder: Path
    rates_as_aws: bool
    has_quirks: bool
    takes_any_key: bool
    seed_rules: SeedRules
    added: AddedUpstreams


class Lab:
    """The switches of a lab: the clock, faults, rates, quirks and the request log. `Registry` is what they act on."""

    def __init__(self, options: LabOptions) -> None:
        self._options = options
        self.clock = LabClock(options.start)
        self.faults = Faults()
        self.rates = Rates(as_aws=options.rates_as_aws, region=options.region)
        self.requests = RequestLog()
        self.quirks = Quirks()
        self.has_quirks = options.has_quirks

    def authentication(self, services: Services) -> Authentication:
        """How the callers of the API are found."""
        if self._options.takes_any_key:
            return AnyKeyAuthentication(services, self._options.root_key)
        return LabAuthentication(services)

    def registry(self, services: Services, worker: Worker, vault: Vault) -> LabRegistry:
        """The registry as a whole."""
        return LabRegistry(self, services, worker, vault)

    def reset(self) -> None:
        """As the server began."""
        self.clock.reset()
        self.faults.clear()
        self.rates.reset()
        self.requests.clear()
        self.has_quirks = self._options.has_quirks

    @property
    def options(self) -> LabOptions:
        return self._options


class LabRegistry:
    """The registry of a lab: its rows and blobs as a whole. Changes wait until no request and no job is in progress."""

    def __init__(self, lab: Lab, services: Services, worker: Worker, vault: Vault) -> None:
        self._vault = vault
        self._lab = lab
        self._services = services
        self._worker = worker
        self._links = Links(lab.options.blob_folder)
        self._snapshots: dict[str, State] = {}
        self._start: State | None = None
        self._deletions: set[asyncio.Task[None]] = set()
        self.gate = Gate()

    def begin(self) -> None:
        """Note the state at the start. Raises TooLarge, Unavailable, OSError."""
        self._start = self._services.database.read_blocking(states.read)
        self._links.keep(_START, self._start.keys)

    async def reset(self) -> None:
        """Return to the start, with all switches. Raises RequestsInProgress, Unavailable, OSError."""
        async with self.gate.closed():
            if self._start is not None:
                await self._return_to(self._start, _START, self._lab.reset)

    async def snapshot(self, name: str) -> int:
        """Keep the current state under a name, in place of an earlier one; returns its number of rows.

        Raises TooManySnapshots, TooLarge, RequestsInProgress, Unavailable, OSError.
        """
        if name not in self._snapshots and len(self._snapshots) >= states.MOST_STATES:
            raise TooManySnapshots(f"a lab keeps at most {states.MOST_STATES} snapshots")
        async with self.gate.closed():
            state = await self._services.database.read(states.read)
            await asyncio.to_thread(self._links.keep, f"snapshot-{name}", state.keys)
            self._snapshots[name] = state
        return state.size

    async def restore(self, name: str) -> int:
        """Return to the state with this name; returns its number of rows. The switches stay.

        Raises NoSuchSnapshot, RequestsInProgress, Unavailable, OSError.
        """
        state = self._snapshots.get(name)
        if state is None:
            raise NoSuchSnapshot(f"there is no snapshot {name!r}")
        async with self.gate.closed():
            await self._return_to(state, f"snapshot-{name}", lambda: None)
        return state.size

    async def seed(self, text: bytes, suffix: str) -> int:
        """Add what a seed describes, all or nothing; returns the number of changes and images.

        Paths of layouts are those of the server's machine. Raises BadDocument, RequestsInProgress, Unavailable,
        OSError.
        """
        services, rules = self._services, self._lab.options.seed_rules
        with NamedTemporaryFile(suffix=suffix) as file:
            file.write(text)
            file.flush()
            prepared = await asyncio.to_thread(seeds.read, Path(file.name), rules)
        if prepared.images and rules.is_reachable:
            raise BadDocument("a server that other machines can reach reads no layouts: use --seed")
        conditions = Conditions(services.limits, self._lab.options.added, services.now())
        async with self.gate.closed():
            before = await services.database.read(states.read)
            self._links.keep(_BEFORE_SEED, before.keys)
            try:
                return await seeds.sow(prepared, services, self._vault, conditions)
            except BaseException:
                await self._return_to(before, _BEFORE_SEED, lambda: None)
                raise

    async def change_time(self, change: Callable[[], None]) -> None:
        """Change the clock. Waits for a job that began while the clock was ahead are limited afterwards."""
        await self._worker.stop(_JOB_SECONDS)
        try:
            change()
        finally:
            self._worker.start()

    async def _return_to(self, state: State, name: str, switch: Callable[[], None]) -> None:
        services = self._services
        await self._worker.stop(_JOB_SECONDS)
        try:
            services.pulls.flush()
            if self._deletions:  # They could remove bytes that come back now.
                await asyncio.wait(self._deletions)
            self._links.bring_back(name, state.keys)
            unneeded = await services.database.write(partial(states.restore, state=state))
            switch()
        finally:
            self._worker.start()
        if unneeded:
            deletion = asyncio.create_task(services.blobs.delete(*unneeded))
            self._deletions.add(deletion)
            deletion.add_done_callback(self._deletions.discard)
