"""What a server does beside answering: goes on with pulls that broke off, loads models that are wanted at once, cleans up."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from paddock.errors import PaddockError
from paddock.library.library import Library
from paddock.library.pulling.jobs import RUNNING, this_process
from paddock.server.models_document import ModelsInMemory
from paddock.server.rooms import ServerRooms
from paddock.telemetry.logs import get_logger

_DAY_S: Final = 86400.0
_USE_S: Final = 10.0  # last uses of keys that a killed server forgets
_BYTES_MAX: Final = 64 * 1024
_decode: Final = msgspec.json.Decoder(list[str]).decode

_log = get_logger("paddock.server")


class Chores:
    """Runs in the background of one server. What fails is logged, and keeps nothing else from being done."""

    def __init__(self, rooms: ServerRooms) -> None:
        self._rooms = rooms
        self._note = rooms.config.paths.state / "pulls-to-resume.json"
        self._tasks: list[asyncio.Task[None]] = []
        self._to_try: asyncio.Queue[str] = asyncio.Queue()

    def begin(self) -> None:
        """Returns at once; a server is ready before its chores are done."""
        chores = (
            self._resume_pulls(),
            self._resume_rotation(),
            self._write_use(),
            self._preload(),
            self._prune(),
            self._prune_audit(),
            self._try(),
        )
        for chore in chores:
            self._tasks.append(asyncio.create_task(_told(chore)))

    async def end(self) -> None:
        """Stop what runs and pause pulls; the next server goes on with them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            await self._rooms.gate.write_use()
        except PaddockError as error:
            _log.warning("keys.use_not_written", code=error.code)
        try:
            _write_note(self._note, await _running_here(self._rooms.library))
        except PaddockError as error:
            _log.warning("pulls.not_noted", code=error.code)
        await self._rooms.library.close()

    async def _preload(self) -> None:
        pinned = [model.name for model in await self._rooms.library.list() if model.pinned]
        await self._rooms.pool.preload(pinned)

    async def _try(self) -> None:
        """What was pulled, one after the other, while the settings say so."""
        self._rooms.library.pulled.append(self._to_try.put_nowait)
        models = ModelsInMemory(self._rooms.pool, self._rooms.library, now=self._rooms.now)
        while True:
            name = await self._to_try.get()
            if not self._rooms.in_force.config.library.trial:
                continue
            try:
                result = await models.trial(name)
            except PaddockError as error:  # no room for it now, or it is gone again
                _log.warning("trial.not_made", name=name, code=error.code)
            else:
                _log.info(
                    "trial.made", name=name, passed=result.passed, can=[each for each, can in result.can.items() if can]
                )

    async def _resume_pulls(self) -> None:
        pulls = self._rooms.library.pulls
        for job in await pulls.resume_interrupted():
            _log.info("pull.resumed", name=job.name)
        for job_id in _take_note(self._note):
            try:
                job = await pulls.resume(job_id)
            except PaddockError as error:  # somebody cancelled it, or went on with it elsewhere
                _log.info("pull.not_resumed", code=error.code)
            else:
                _log.info("pull.resumed", name=job.name)

    async def _resume_rotation(self) -> None:
        done = await self._rooms.vault.resume()
        if done is not None:
            _log.info("vault.rotated", keys=done.keys, entries=done.entries)

    async def _prune_audit(self) -> None:
        while True:
            count = await self._rooms.ledger.prune(self._rooms.in_force.config.audit.days)
            if count:
                _log.info("audit.pruned", rows=count)
            await asyncio.sleep(_DAY_S)

    async def _write_use(self) -> None:
        while True:
            await asyncio.sleep(_USE_S)
            await self._rooms.gate.write_use()

    async def _prune(self) -> None:
        if not self._rooms.config.disk.auto_prune:
            return
        while True:
            pruned = await self._rooms.library.auto_prune()
            if pruned is not None:
                _log.info("prune.done")
            await asyncio.sleep(_DAY_S)


async def _told(chore: Coroutine[Any, Any, None]) -> None:
    try:
        await chore
    except PaddockError as error:
        _log.warning("chore.failed", code=error.code, reason=error.message)
    except Exception as error:  # noqa: BLE001 (the boundary of a task: a chore that breaks is told, and the server goes on)
        _log.error("chore.broke", exc_info=error)


async def _running_here(library: Library) -> Sequence[str]:
    jobs = await library.pulls.list(unfinished=True)
    return [job.id for job in jobs if job.owner == this_process() and job.status in RUNNING]


def _write_note(note: Path, jobs: Sequence[str]) -> None:
    if not jobs:
        return
    with contextlib.suppress(OSError):  # then they stay paused, and `paddock pulls resume` goes on with them
        half = note.with_suffix(".half")
        half.write_bytes(msgspec.json.encode(list(jobs)))
        half.replace(note)


def _take_note(note: Path) -> Sequence[str]:
    try:
        with note.open("rb") as file:
            jobs = _decode(file.read(_BYTES_MAX))
    except (OSError, msgspec.DecodeError):
        return []
    with contextlib.suppress(OSError):
        note.unlink()
    return jobs
