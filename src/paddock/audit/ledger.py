"""`Ledger`: reads the rows, checks their chain, exports and prunes them."""

import csv
import io
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Select, delete, func, select

from paddock.audit.filters import AuditFilter, conditions
from paddock.audit.record import COLUMNS, FIRST, HASHED, AuditRow, hash_of
from paddock.db.engine import Database
from paddock.db.tables import AuditRowRow, AuditStateRow
from paddock.errors import NotFound, UsageError

PAGE_MAX: Final = 1000
_CHUNK: Final = 1000
_PROBLEMS_MAX: Final = 20
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets take what begins with these for a formula
Format = Literal["csv", "jsonl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Rows, the latest first."""

    rows: tuple[AuditRow, ...]
    next: int | None  # where the page after this one begins


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProblem:
    """Something that is not as it was written."""

    seq: int  # where
    what: str  # in words


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheck:
    """What checking every row came to."""

    is_sound: bool
    rows: int
    first_seq: int | None
    head_seq: int
    head_hash: str  # note it elsewhere: it vouches for everything up to here
    pruned: int  # rows before the first, which were let go in time
    dropped: int  # requests that could not be written down
    problems: tuple[AuditProblem, ...]


class Ledger:
    """The rows of all servers that share the database."""

    def __init__(self, *, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def list(self, wanted: AuditFilter, *, limit: int = 50, before: int | None = None) -> AuditPage:
        """A page of rows, the latest first. `before` is the `next` of the page before."""
        if not 1 <= limit <= PAGE_MAX:
            raise UsageError(f"A page of {limit} is none.", hint=f"Ask for 1 to {PAGE_MAX}.", param="limit")
        query = _matching(wanted).order_by(AuditRowRow.seq.desc()).limit(limit + 1)
        if before is not None:
            query = query.where(AuditRowRow.seq < before)
        async with self._database.session() as session:
            rows = [_told(row) for row in await session.scalars(query)]
        return AuditPage(rows=tuple(rows[:limit]), next=rows[limit - 1].seq if len(rows) > limit else None)

    async def get(self, seq: int) -> AuditRow:
        """One row. Raises NotFound for one that never was, or was let go in time."""
        async with self._database.session() as session:
            row = await session.get(AuditRowRow, seq)
        if row is None:
            raise NotFound(
                f"There is no row {seq}.", hint="It may have been let go: `audit.days` says how long rows are kept."
            )
        return _told(row)

    async def head(self) -> int:
        """The number of the last row; 0 before the first."""
        return (await self._state()).head_seq

    async def count(self, wanted: AuditFilter) -> int:
        """How many rows there are."""
        query = _matching(wanted).with_only_columns(func.count())
        async with self._database.session() as session:
            return await session.scalar(query) or 0

    async def pages(self, wanted: AuditFilter, *, skip: int = 0) -> AsyncGenerator[Sequence[AuditRow]]:
        """Rows, the oldest first, some at a time; `skip` are passed over."""
        last = 0
        while True:
            query = _matching(wanted).where(AuditRowRow.seq > last).order_by(AuditRowRow.seq).limit(_CHUNK)
            async with self._database.session() as session:
                rows = [_told(row) for row in await session.scalars(query.offset(skip))]
            if not rows:
                return
            last, skip = rows[-1].seq, 0
            yield rows

    async def export(self, wanted: AuditFilter, format: Format) -> AsyncGenerator[bytes]:  # noqa: A002 (what it is called)
        """Rows, the oldest first, as lines."""
        if format == "csv":
            yield _csv([COLUMNS])
        async for rows in self.pages(wanted):
            if format == "csv":
                yield _csv([[_cell(getattr(row, name)) for name in COLUMNS] for row in rows])
            else:
                yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows)

    async def verify(self, *, expected: tuple[int, str] | None = None) -> AuditCheck:
        """Check every row against the one before it. `expected` is a number and a hash that were noted earlier."""
        state = await self._state()
        check = _Check(state, expected)
        while True:
            # Rows that come while this runs are for the next time.
            query = select(AuditRowRow).where(AuditRowRow.seq > check.seq, AuditRowRow.seq <= state.head_seq)
            async with self._database.session() as session:
                rows = (await session.scalars(query.order_by(AuditRowRow.seq).limit(_CHUNK))).all()
            for row in rows:
                check.row(row)
            if len(rows) < _CHUNK:
                break
        if (await self._state()).anchor_seq != state.anchor_seq:  # rows were let go meanwhile
            return await self.verify(expected=expected)
        check.end(await self._beyond())
        return AuditCheck(
            is_sound=not check.problems,
            rows=check.count,
            first_seq=check.first,
            head_seq=state.head_seq,
            head_hash=state.head_hash,
            pruned=state.anchor_seq,
            dropped=state.dropped,
            problems=tuple(check.problems[:_PROBLEMS_MAX]),
        )

    async def _state(self) -> "_State":
        async with self._database.session() as session:
            row = await session.get(AuditStateRow, 1)
        if row is None:
            return _State()
        return _State(row.anchor_seq, row.anchor_hash, row.head_seq, row.head_hash, row.dropped)

    async def _beyond(self) -> int:
        """How many rows there are after the one that was written last. In one statement: rows may come at any time."""
        head = select(func.coalesce(func.max(AuditStateRow.head_seq), 0)).scalar_subquery()
        async with self._database.session() as session:
            query = select(func.count()).select_from(AuditRowRow).where(AuditRowRow.seq > head)
            return await session.scalar(query) or 0

    async def prune(self, days: int) -> int:
        """Let rows go that are older; how many. The hash of the last of them stays, so that the rest can be checked."""
        limit = self._now() - timedelta(days=days)
        async with self._database.session(exclusive=True) as session:
            state = await session.get(AuditStateRow, 1)
            if state is None:
                return 0
            keep = await session.scalar(select(func.min(AuditRowRow.seq)).where(AuditRowRow.at >= limit))
            last = (keep or state.head_seq + 1) - 1
            if last <= state.anchor_seq:
                return 0
            anchor = await session.scalar(select(AuditRowRow.hash).where(AuditRowRow.seq == last))
            if anchor is None:  # somebody took it away: pruning must not hide that
                return 0
            count = last - state.anchor_seq
            await session.execute(delete(AuditRowRow).where(AuditRowRow.seq <= last))
            state.anchor_seq, state.anchor_hash = last, anchor
        await self._database.forget_deleted()
        return count


@dataclass(frozen=True, slots=True)
class _State:
    """Where the chain begins and ends."""

    anchor_seq: int = 0
    anchor_hash: str = FIRST
    head_seq: int = 0
    head_hash: str = FIRST
    dropped: int = 0


class _Check:
    """Goes over the rows in their order."""

    def __init__(self, state: _State, expected: tuple[int, str] | None) -> None:
        self.seq, self.before = state.anchor_seq, state.anchor_hash
        self.count = 0
        self.first: int | None = None
        self.problems: list[AuditProblem] = []
        self._state = state
        self._expected = expected

    def row(self, row: AuditRowRow) -> None:
        self.count += 1
        self.first = self.first or row.seq
        missing = row.seq - self.seq - 1
        if missing > 0:
            self._say(self.seq + 1, f"{missing} rows are missing before row {row.seq}")
        elif hash_of([getattr(row, name) for name in HASHED], self.before) != row.hash:
            self._say(row.seq, "the row is not as it was written, or not where it was")
        if self._expected is not None and row.seq == self._expected[0] and row.hash != self._expected[1]:
            self._say(row.seq, "its hash is not the one that was noted")
        self.seq, self.before = row.seq, row.hash

    def end(self, beyond: int) -> None:
        """After the last row; `beyond` it there are so many that nobody wrote."""
        head = self._state
        if self.seq < head.head_seq:
            self._say(self.seq + 1, f"the last {head.head_seq - self.seq} rows are missing")
        elif self.before != head.head_hash:
            self._say(self.seq, "the last row is not the one that was written last")
        if beyond:
            self._say(head.head_seq + 1, "there are rows after the one that was written last")
        if self._expected is not None and self._expected[0] > self.seq:
            self._say(self._expected[0], "the row that was noted is missing")

    def _say(self, seq: int, what: str) -> None:
        self.problems.append(AuditProblem(seq=seq, what=what))


def _matching(wanted: AuditFilter) -> Select[AuditRowRow]:
    return select(AuditRowRow).where(*conditions(wanted))


def _told(row: AuditRowRow) -> AuditRow:
    values: Mapping[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    return AuditRow(**values)


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_RISKY):
        return f"'{value}"
    return "" if value is None else value
