"""An executor without a device: a cache whose every slot says which history it was computed from.

A wrong block table, a write to a shared block, a copy left out, a reuse of stale content: each makes a slot disagree with the
history that its reader believes in, and `step` raises AssertionError at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from paddock.engine.blocks import BlockPool
from paddock.engine.limits import Limits
from paddock.engine.sequence import new_sequence
from paddock.engine.step import Row, RowResult, StepPlan, StepResult
from paddock.vocabulary import FinishReason, Priority, Sampling

VOCABULARY = 32
END = 0


def history(owner: str, tokens: Sequence[int]) -> list[int]:
    """What the slot of each position must hold: a digest of the owner (tenant, namespace) and of all tokens up to there."""
    digests: list[int] = []
    running = blake2b(owner.encode(), digest_size=8)
    for token in tokens:
        running.update(bytes([token]))
        digests.append(int.from_bytes(running.digest(), "little"))
    return digests


def next_token(slot: int, tokens: Sequence[int], seed: int) -> int:
    """A model and a sampler in one: a function of the history, the seed and the position.

    Even seeds repeat themselves soon, so that guesses come true; odd ones depend on everything that went before.
    """
    if seed % 2 == 0:
        return 1 + (tokens[-1] * 5 + seed + len(tokens) // 7) % (VOCABULARY - 1)
    mixed = blake2b(f"{slot}/{seed}/{len(tokens)}".encode(), digest_size=4).digest()
    return int.from_bytes(mixed, "little") % VOCABULARY


def reference(
    owner: str, prompt: Sequence[int], sampling: Sampling, context_window: int
) -> tuple[list[int], FinishReason]:
    """What the request must give, made one token after the other by itself."""
    tokens = list(prompt)
    assert sampling.seed is not None
    ends = set(sampling.stop_token_ids) | (set() if sampling.ignore_end else {END})
    while True:
        tokens.append(next_token(history(owner, tokens)[-1], tokens, sampling.seed))
        output = tokens[len(prompt) :]
        if output[-1] in ends:
            return output, FinishReason.STOP
        if len(output) == sampling.max_tokens or len(tokens) >= context_window:
            return output, FinishReason.LENGTH


@dataclass
class _Known:
    owner: str
    tokens: list[int]
    seed: int
    slots: dict[int, int] = field(default_factory=dict)  # in the solo lane: its own cache, by position


class SimulatedExecutor:
    """Checks every plan, then does what it says."""

    def __init__(self, pool: BlockPool | None, requests: dict[str, tuple[str, Sampling]]) -> None:
        """`requests`: owner and sampling of each sequence, filled by the test as it submits."""
        self._pool = pool
        self._requests = requests
        self._tokens_so_far: dict[str, list[int]] = {}
        self._known: dict[str, _Known] = {}
        self._slots: dict[tuple[int, int], int] = {}
        self.fed = 0  # tokens, guesses included
        self.elapsed_s = 0.01
        self.poisoned: set[str] = set()

    @property
    def running(self) -> set[str]:
        return set(self._known)

    def submit(self, sequence_id: str, prompt: Sequence[int]) -> None:
        self._tokens_so_far[sequence_id] = list(prompt)

    def end(self, sequence_id: str) -> None:
        self._known.pop(sequence_id, None)

    def prepare(self, plan: StepPlan) -> None:
        """What the loop does before a step."""
        for sequence_id in plan.ends:
            self.end(sequence_id)
        for sequence_id in plan.begins:
            assert sequence_id not in self._known, f"{sequence_id} begins twice"
            owner, sampling = self._requests[sequence_id]
            assert sampling.seed is not None
            self._known[sequence_id] = _Known(owner, list(self._tokens_so_far[sequence_id]), sampling.seed)

    def step(self, plan: StepPlan) -> StepResult:
        self.prepare(plan)
        assert plan.rows, "a step does something"
        assert len({row.sequence_id for row in plan.rows}) == len(plan.rows), "one row a sequence"
        for source, target in plan.copies:
            self._copy(source, target)
        for row in plan.rows:
            self._check_reads(row)
        written: set[tuple[int, int]] = set()
        for row in plan.rows:
            written |= self._write(row, written)
        self.fed += plan.token_count
        results = tuple(self._sample(row) for row in plan.rows if row.samples)
        return StepResult(number=plan.number, rows=results, elapsed_s=self.elapsed_s)

    def _copy(self, source: int, target: int) -> None:
        assert self._pool
        assert self._pool.is_writable(target), f"block {target} is copied to while others read it"
        for slot in range(self._pool.block_tokens):
            if (source, slot) in self._slots:
                self._slots[target, slot] = self._slots[source, slot]

    def _check_reads(self, row: Row) -> None:
        known = self._known[row.sequence_id]
        expected = history(known.owner, known.tokens)
        solid = row.tokens[: len(row.tokens) - row.drafted]
        assert list(solid) == known.tokens[row.start : row.start + len(solid)], (
            f"{row} feeds other tokens than it should"
        )
        assert row.samples == (row.start + len(solid) == len(known.tokens)), f"{row} samples too early or too late"
        for position in range(row.start):
            found = self._read(row, position)
            assert found == expected[position], f"{row} reads something else than its own history at {position}"

    def _read(self, row: Row, position: int) -> int | None:
        if self._pool is None:
            return self._known[row.sequence_id].slots.get(position)
        size = self._pool.block_tokens
        return self._slots.get((row.blocks[position // size], position % size))

    def _write(self, row: Row, others: set[tuple[int, int]]) -> set[tuple[int, int]]:
        known = self._known[row.sequence_id]
        digests = history(known.owner, [*known.tokens[: row.start], *row.tokens])
        written: set[tuple[int, int]] = set()
        for position in range(row.start, row.end):
            if self._pool is None:
                known.slots[position] = digests[position]
                continue
            size = self._pool.block_tokens
            block, slot = row.blocks[position // size], position % size
            assert self._pool.is_writable(block), f"{row} writes to block {block}, which others read"
            assert (block, slot) not in others, f"{row} writes where another row writes"
            self._slots[block, slot] = digests[position]
            written.add((block, slot))
        return written

    def _sample(self, row: Row) -> RowResult:
        known = self._known[row.sequence_id]
        if row.sequence_id in self.poisoned:
            return RowResult(sequence_id=row.sequence_id, tokens=(), error="its numbers were not finite")
        sampled: list[int] = []
        guesses = row.tokens[len(row.tokens) - row.drafted :]
        for index in range(row.drafted + 1):
            slot = self._read(row, row.end - row.drafted - 1 + index)
            assert slot is not None
            token = next_token(slot, known.tokens, known.seed)
            sampled.append(token)
            known.tokens.append(token)
            if index == row.drafted or guesses[index] != token:
                break
        self._tokens_so_far[row.sequence_id] = list(known.tokens)
        return RowResult(sequence_id=row.sequence_id, tokens=tuple(sampled))


def a_sequence(
    sequence_id: str,
    prompt: Sequence[int],
    limits: Limits,
    *,
    arrival: float = 0.0,
    priority: Priority = Priority.NORMAL,
    tenant: str = "",
    deadline: float | None = None,
    seed: int = 1,
    max_tokens: int | None = 4,
    may_guess: bool = True,
):
    """A sequence that ignores end tokens, for tests that count tokens."""
    return new_sequence(
        sequence_id,
        prompt,
        Sampling(seed=seed, max_tokens=max_tokens, ignore_end=True),
        limits=limits,
        arrival=arrival,
        draw_seed=lambda: 7,
        priority=priority,
        tenant=tenant,
        deadline=deadline,
        may_guess=may_guess,
    )
