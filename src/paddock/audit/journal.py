"""`Journal`: takes a record of every request at once, and writes rows some at a time in the background.

One writer at a time extends the chain, whichever processes share the database: each batch is one exclusive transaction that
goes on from the last row. A killed server loses what it had not written: at most `EVERY_S` of it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from paddock.audit.prices import Prices
from paddock.audit.record import FIRST, RequestRecord, hash_of, values_of
from paddock.audit.rows import Row, RowWriter
from paddock.db.engine import Database
from paddock.db.tables import AuditStateRow
from paddock.errors import PaddockError
from paddock.telemetry.logs import get_logger

EVERY_S: Final = 0.5
BATCH_MAX: Final = 500
_AGAIN_S: Final = 1.0

_log = get_logger("paddock.audit")


class Sealer(Protocol):
    """Seals texts, as the vault does."""

    async def seal_texts(self, texts: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Each text with what it is about."""
        ...


class Recorder(Protocol):
    """Where the edge hands in what a request came to."""

    def add(self, record: RequestRecord) -> None:
        """Never waits, never raises."""
        ...


class Journal:
    """Implements Recorder. `run` it in a task; `close` writes what is left."""

    def __init__(
        self,
        *,
        database: Database,
        sealer: Sealer,
        prices: Callable[[], Prices],
        queue_max: int,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._prices = prices
        self._queue_max = queue_max
        self._rows = RowWriter(database.engine.dialect)
        self._queue: deque[RequestRecord] = deque()
        self._dropped = 0
        self._writing = asyncio.Lock()
        self.dropped = 0  # of this process, ever

    def add(self, record: RequestRecord) -> None:
        """Keep it for the writer. When that does not keep up, or the disk is full, what is new is dropped and counted."""
        if len(self._queue) < self._queue_max:
            self._queue.append(record)
            return
        self.dropped += 1
        self._dropped += 1

    async def run(self) -> None:
        """Write every so often, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.flush()
            except PaddockError as error:
                _log.warning("audit.not_written", code=error.code, reason=error.message, waiting=len(self._queue))
                await asyncio.sleep(_AGAIN_S)

    async def flush(self) -> None:
        """Write all that is there now. What could not be written stays for the next time."""
        async with self._writing:
            while self._queue or self._dropped:
                batch = [self._queue[number] for number in range(min(len(self._queue), BATCH_MAX))]
                dropped = self._dropped
                await self._write(batch, dropped)
                for _ in batch:
                    self._queue.popleft()
                self._dropped -= dropped
                if dropped:
                    _log.warning("audit.dropped", count=dropped)

    async def close(self) -> None:
        """Write what is left, if that can be."""
        with contextlib.suppress(PaddockError):
            await self.flush()

    async def _write(self, batch: Sequence[RequestRecord], dropped: int) -> None:
        sealed = await self._seal(batch)
        prices = self._prices()
        async with self._database.session(exclusive=True) as session:
            state = await session.get(AuditStateRow, 1)
            if state is None:
                state = AuditStateRow(id=1, anchor_seq=0, anchor_hash=FIRST, head_seq=0, head_hash=FIRST, dropped=0)
                session.add(state)
            chain = await asyncio.to_thread(self._chained, batch, sealed, prices, state.head_seq, state.head_hash)
            if chain.rows:
                await self._rows.write(await session.connection(), chain.rows)
                state.head_seq, state.head_hash = chain.head_seq, chain.head_hash
            state.dropped += dropped

    def _chained(
        self, batch: Sequence[RequestRecord], sealed: Mapping[int, str], prices: Prices, seq: int, before: str
    ) -> "_Chain":
        rows: list[Row] = []
        for number, record in enumerate(batch):
            seq += 1
            cost = prices.cost_nanos(
                record.model,
                prompt=record.prompt_tokens,
                cached=record.cached_tokens,
                completion=record.completion_tokens,
            )
            values = values_of(record, seq=seq, cost_nanos=cost, prompt=sealed.get(number))
            before = hash_of(values, before)
            rows.append(self._rows.bound([*values, before]))
        return _Chain(rows, seq, before)

    async def _seal(self, batch: Sequence[RequestRecord]) -> Mapping[int, str]:
        """The sealed prompts, by their places in the batch. A vault that does not open costs prompts, not rows."""
        wanted = [(number, record) for number, record in enumerate(batch) if record.prompt is not None]
        if not wanted:
            return {}
        try:
            sealed = await self._sealer.seal_texts(
                [(record.prompt or "", about_prompt(record.request_id)) for _, record in wanted]
            )
        except PaddockError as error:
            _log.warning("audit.prompts_not_kept", code=error.code, reason=error.message)
            return {}
        return {number: text for (number, _), text in zip(wanted, sealed, strict=True)}


@dataclass(frozen=True, slots=True)
class _Chain:
    """Rows as the driver takes them, and the last of them."""

    rows: Sequence[Row]
    head_seq: int
    head_hash: str


@dataclass(frozen=True, slots=True)
class Sometimes:
    """Implements Recorder: hands on to another one while `wanted` says so."""

    recorder: Recorder
    wanted: Callable[[], bool]

    def add(self, record: RequestRecord) -> None:
        if self.wanted():
            self.recorder.add(record)


def about_prompt(request_id: str) -> str:
    """What the seal of a prompt says."""
    return f"audit/{request_id}"
