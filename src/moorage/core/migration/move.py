"""A registry moves to another database, another store, or both: copied while it serves, sealed, compared, and left.

    source   open ─────────────────────> sealed ───────────────────────────────────────────────────> moved
    target   unfinished                                                                  complete
             blobs, pass after pass      the last blobs, the rows, the comparison

The source is sealed for good before the target is complete, and the target is complete before the source counts as
moved: at no moment do both accept changes, and whatever was acknowledged is in the one that does. A run that was
killed is done again by the same command and goes on where it was; one that fails takes the seal off.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.garbage.sweep import Sweeper
from moorage.core.migration.blobs import PAGE_BLOBS, BlobCopier, Progress, Side
from moorage.core.migration.rows import RowCopier
from moorage.core.pacing import RateLimit
from moorage.domain.errors import Unavailable
from moorage.metadata.database import Transaction, Work
from moorage.metadata.migration import moves
from moorage.metadata.migration.moves import COMPLETE, MOVED, OPEN, SEALED, SOURCE, TARGET, UNFINISHED, Move, MovedBlob

_PASSES: Final = 8
_SHORT_SECONDS: Final = 3.0
"""Blobs that came during a pass are copied by another one before the seal, until a pass is as short as this."""

_Find = Callable[[Transaction, str, int], list[MovedBlob]]


class MoveRefused(Exception):
    """The move cannot begin, or not go on; the text is for the person who asked for it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a move is done. With `shared_store` both sides name the same bucket, and blobs stay as they are."""

    rate: RateLimit
    shared_store: bool
    now: Clock


class Moving:
    """The move from `source` to `target`, which this process alone is at."""

    def __init__(self, source: Side, target: Side, terms: Terms, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._terms = terms
        self._progress = progress
        self.is_sealed = False

    async def run(self, *, blobs_only: bool) -> None:
        """Begin the move, or go on with it. Raises MoveRefused, Unavailable, StoreFull, OSError."""
        source, target = await self._begun()
        self.is_sealed = source.state == SEALED
        if target.state != COMPLETE:
            async with self._seal_off_if_it_fails():
                copier = BlobCopier(self._source, self._target, source.id, self._terms.rate, self._progress)
                await self._copy_blobs(copier)
                if blobs_only:
                    return
                await self._last_step(copier)
            failpoints.hit("T5")
            # Who is not told whether this has happened asks again with the next run: nothing is undone from here on.
            await self._target.database.write(_complete)
            failpoints.hit("T6")
        await self._source.database.write(partial(moves.set_state, role=SOURCE, state=MOVED))

    async def abandon(self) -> None:
        """Let the source accept changes again, and remove what was copied. Raises MoveRefused, Unavailable."""
        source, target = await self._known()
        self._refuse_to_abandon(source, target)
        if source is not None:
            await asyncio.to_thread(self._source.engine.unseal, partial(moves.forget, role=SOURCE))
            self.is_sealed = False
        if target is not None:
            await self._rows().clear()
            await self._remove_blobs(moves.page_of_blobs)
            await self._sweep()
            await self._target.database.write(partial(moves.forget, role=TARGET))

    def _refuse_to_abandon(self, source: Move | None, target: Move | None) -> None:
        """Pass if what there is belongs to one move, which is not over. Raises MoveRefused."""
        if source is None and target is None:
            raise MoveRefused(f"there is no move from {self._source.name} to {self._target.name}")
        if target is not None and target.state == COMPLETE:
            raise MoveRefused(f"{self._target.name} is complete, and may have accepted changes: it is the one now")
        if source is not None and source.state == MOVED:
            raise MoveRefused(f"{self._source.name} has moved to {source.other}")
        # A source that has heard of it already, and knows nothing of the move any more, is told by its name.
        is_theirs = source.id == target.id if source and target else target is None or target.other == self._source.name
        if target is not None and not is_theirs:
            raise MoveRefused(f"{self._target.name} is the target of another move, from {target.other}")

    async def _sweep(self) -> None:
        """Remove what was under way to the target, which no row will ever name."""
        target = self._target
        if not self._terms.shared_store:
            sweeper = Sweeper(target.database, target.blobs, target.listing)
            await sweeper.sweep(lambda _: None, share=1, dry_run=False)

    # --- Beginning ----------------------------------------------------------------------------------------------

    async def _known(self) -> tuple[Move | None, Move | None]:
        return (
            await self._source.database.read(partial(moves.find, role=SOURCE)),
            await self._target.database.read(partial(moves.find, role=TARGET)),
        )

    async def _begun(self) -> tuple[Move, Move]:
        """The move as both sides know it; begun, if neither has another one. Raises MoveRefused."""
        source, target = await self._known()
        if source is not None and target is not None and source.id == target.id and source.state != MOVED:
            return source, target
        await self._refuse_wrong(source, target)
        began = self._terms.now()
        if source is None:
            source = Move(SOURCE, str(uuid.uuid4()), OPEN, self._target.name, began)
            await self._source.database.write(partial(moves.begin, move=source))
        target = Move(TARGET, source.id, UNFINISHED, self._source.name, began)
        await self._target.database.write(partial(moves.begin, move=target))
        return source, target

    async def _refuse_wrong(self, source: Move | None, target: Move | None) -> None:
        """Pass if the target holds nothing and the source is on its way nowhere else."""
        if source is not None and source.state == MOVED:
            raise MoveRefused(f"{self._source.name} has moved to {source.other} already")
        if source is not None and source.other != self._target.name:
            raise MoveRefused(
                f"{self._source.name} is on its way to {source.other}: finish that move, or give it up with --abandon"
            )
        if target is not None and target.state == UNFINISHED:
            raise MoveRefused(f"{self._target.name} is the unfinished target of another move, from {target.other}")
        if target is not None or not await self._target.database.read(moves.has_no_rows):
            raise MoveRefused(f"{self._target.name} is not empty: a registry moves to where none is")
        if await self._source.database.read(moves.has_no_rows):
            raise MoveRefused(f"{self._source.name} is empty: there is nothing to move")
        if not self._terms.shared_store and await self._has_objects():
            raise MoveRefused(
                f"{self._target.name} has layers of a registry whose rows are elsewhere: name an empty folder or prefix"
            )

    async def _has_objects(self) -> bool:
        async for objects in self._target.listing.objects():
            if objects:
                return True
        return False

    # --- Copying ------------------------------------------------------------------------------------------------

    async def _copy_blobs(self, copier: BlobCopier) -> None:
        for _ in range(_PASSES):
            started = time.monotonic()
            await self._copy_once(copier)
            if time.monotonic() - started < _SHORT_SECONDS:
                return

    async def _copy_once(self, copier: BlobCopier) -> None:
        if self._terms.shared_store:
            return
        await copier.copy()
        if self._progress.harmed:
            raise MoveRefused(
                f"{len(self._progress.harmed)} layers of {self._source.name} are missing or damaged: run moorage verify"
                " there, which lets go of them or repairs them, and then this command again"
            )

    async def _last_step(self, copier: BlobCopier) -> None:
        """Everything that must not change meanwhile: the blobs that came last, and the rows."""
        self._progress.step = "last step: changes are refused"
        if not self.is_sealed:
            self.is_sealed = True
            await _to_its_end(self._source.engine.seal, partial(moves.set_state, role=SOURCE, state=SEALED))
        failpoints.hit("T3")
        await self._copy_once(copier)
        await self._bring_rows()

    @asynccontextmanager
    async def _seal_off_if_it_fails(self) -> AsyncIterator[None]:
        """Before the target is complete, a run that ends by itself leaves no seal behind."""
        try:
            yield
        except BaseException:
            if self.is_sealed:
                await _to_its_end(self._source.engine.unseal, partial(moves.set_state, role=SOURCE, state=OPEN))
                self.is_sealed = False
            raise

    async def _bring_rows(self) -> None:
        rows = self._rows()
        await rows.clear()
        expected = await rows.copy()
        await asyncio.to_thread(self._target.engine.advance_sequences)
        self._progress.step = "last step: both sides are compared"
        differing = await rows.differing(expected)
        if differing:
            raise Unavailable(reason=f"the rows of {', '.join(differing)} at {self._target.name} are not those copied")
        await self._remove_blobs(moves.orphaned_blobs)

    def _rows(self) -> RowCopier:
        return RowCopier(self._source, self._target, self._progress, shared_store=self._terms.shared_store)

    async def _remove_blobs(self, find: _Find) -> None:
        """Remove copies, first the bytes and then what is noted of them."""
        after = ""
        while found := await self._target.database.read(_slice(find, after)):
            await self._target.blobs.delete(*(blob.key for blob in found))
            await self._target.database.write(partial(moves.forget_blobs, blobs=found))
            after = found[-1].source_key


async def _to_its_end(change: Callable[[Work[None]], None], work: Work[None]) -> None:
    """Wait for a change of the seal, also when this process is told to end meanwhile: what comes next relies on it."""
    changing = asyncio.ensure_future(asyncio.to_thread(change, work))
    try:
        await asyncio.shield(changing)
    except asyncio.CancelledError:
        await asyncio.wait([changing])
        raise


def _complete(tx: Transaction) -> None:
    moves.forget_all_blobs(tx)
    moves.set_state(tx, TARGET, COMPLETE)


def _slice(find: _Find, after: str) -> Work[list[MovedBlob]]:
    return lambda tx: find(tx, after, PAGE_BLOBS)
