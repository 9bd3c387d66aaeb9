"""Which inputs are computed together next. Pure: it knows neither devices nor clocks.

    requests ─► pieces, each job's by length ─► who has had least goes first ─► others of about that length ride along

A batch is a rectangle as wide as its longest row, so rows of like length go together: none is wider than its shortest by more
than a quarter. Its area is bounded by tokens, and the bound follows how fast the device turns out to be.

Fairness is by tokens: each job's account grows by what is computed for it, divided by its weight, and the smallest account
goes first, of equals the one with least to do. Whoever comes new begins at what everybody would have had by now in fair
shares, so a big batch neither blocks small requests nor is starved by a stream of them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from paddock.runner.embedding.encoder import Tokens
from paddock.vocabulary import Priority

TOKENS_FIRST: Final = 1024
_TOKENS_MIN: Final = 256
_TOKENS_MAX: Final = 32_768
_SHORT: Final = 16  # rows up to this length go together whatever their lengths
_WEIGHTS: Final = {Priority.HIGH: 8.0, Priority.NORMAL: 1.0, Priority.LOW: 0.125}
_SMOOTHING: Final = 0.3


@dataclass(slots=True, eq=False)
class Job:
    """One request: its rows, and which of them are still to be computed."""

    id: str
    rows: Sequence[Tokens]
    priority: Priority = Priority.NORMAL
    left: int = 0  # rows that are not computed yet
    account: float = 0.0
    waiting: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])  # (length, row), the shortest first

    def __post_init__(self) -> None:
        self.left = len(self.rows)
        self.waiting = sorted((len(row), number) for number, row in enumerate(self.rows))


@dataclass(frozen=True, slots=True)
class Piece:
    job: Job
    row: int

    @property
    def tokens(self) -> Tokens:
        return self.job.rows[self.row]


class Batches:
    """All jobs that are not done."""

    def __init__(self, *, rows_max: int = 1024) -> None:
        self._jobs: dict[str, Job] = {}
        self._rows_max = rows_max
        self._fair = 0.0  # what a job of weight 1 that was always here would have had

    @property
    def is_idle(self) -> bool:
        return not self._jobs

    @property
    def jobs(self) -> int:
        return len(self._jobs)

    @property
    def rows_waiting(self) -> int:
        return sum(len(job.waiting) for job in self._jobs.values())

    def add(self, job: Job) -> None:
        job.account = self._fair
        self._jobs[job.id] = job

    def drop(self, job_id: str) -> Job | None:
        """Forget it, done or not."""
        return self._jobs.pop(job_id, None)

    def next_batch(self, tokens_max: int) -> Sequence[Piece]:
        """At least one row when any waits; then as many as `tokens_max` allows. They are not waiting any more."""
        waiting = [job for job in self._jobs.values() if job.waiting]
        poorest_first = sorted(waiting, key=lambda job: (job.account, len(job.waiting)))
        if not poorest_first:
            return ()
        longest = poorest_first[0].waiting[-1][0]
        rows_max = max(1, min(self._rows_max, tokens_max // max(longest, 1)))
        shortest = 0 if longest <= _SHORT else longest - longest // 4
        weights = sum(_WEIGHTS[job.priority] for job in poorest_first)
        batch: list[Piece] = []
        for job in poorest_first:
            if len(batch) >= rows_max:
                break
            batch += self._take(job, shortest, longest, rows_max - len(batch))
        self._fair += sum(len(piece.tokens) for piece in batch) / weights
        return batch

    def _take(self, job: Job, shortest: int, longest: int, most: int) -> list[Piece]:
        """Rows of `job` between these lengths, the longest first."""
        end = bisect_right(job.waiting, (longest, len(job.rows)))
        begin = max(bisect_left(job.waiting, (shortest, -1)), end - most)
        taken = job.waiting[begin:end]
        del job.waiting[begin:end]
        job.account += sum(length for length, _ in taken) / _WEIGHTS[job.priority]
        return [Piece(job, row) for _, row in reversed(taken)]


class Pace:
    """How many tokens a batch may have so that it takes about `seconds`."""

    def __init__(self, seconds: float, *, tokens_first: int = TOKENS_FIRST) -> None:
        self._seconds = seconds
        self._tokens = float(tokens_first)

    @property
    def tokens_max(self) -> int:
        return int(self._tokens)

    def took(self, tokens: int, seconds: float) -> None:
        """A batch of `tokens`, padding included, took so long."""
        if tokens < self._tokens / 4:
            return  # too small to tell
        wanted = tokens / max(seconds, 1e-6) * self._seconds
        smooth = (1 - _SMOOTHING) * self._tokens + _SMOOTHING * wanted
        self._tokens = min(max(smooth, _TOKENS_MIN), _TOKENS_MAX)
