"""One step of the device, before and after: the contract between the scheduler and whoever holds the weights.

    scheduler.schedule() ─► StepPlan ─► executor.step(plan) ─► StepResult ─► scheduler.update(result)

A plan is packed: rows of different length side by side, each with the tokens to feed, where they stand in its sequence,
and the blocks that hold its keys and values (position p lies in `blocks[p // block_tokens]` at `p % block_tokens`).
Executors that cannot page ignore `blocks` and keep a cache of their own per sequence; where the cache is cut into slots,
`blocks` is the number of the sequence's slot, and copies are of what lies in a slot as a whole.
"""

from dataclasses import dataclass

from paddock.vocabulary import TokenLogprob


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one sequence does in one step."""

    sequence_id: str
    tokens: tuple[int, ...]  # to feed; the last `1 + drafted` of them want logits when `samples`
    start: int  # position of tokens[0]; keys and values of everything before are in the cache
    blocks: tuple[int, ...]  # covers every position up to start + len(tokens)
    samples: bool  # False for a prefill chunk that is not the last
    drafted: int = 0  # how many of the last tokens are guesses to be verified

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A cache of slots is cut anew: so many, so wide. `moves`: (from, to) of what stays, old numbers and new ones."""

    slots: int
    window: int
    moves: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    number: int
    rows: tuple[Row, ...]
    copies: tuple[
        tuple[int, int], ...
    ] = ()  # (from, to): whole blocks to copy, in this order, before anything is written
    cut: Cut | None = None  # before everything else
    ends: tuple[str, ...] = ()  # preempted since the last plan: `Executor.end` before the step
    begins: tuple[str, ...] = ()  # admitted since the last plan: `Executor.begin` before the step, after `ends`

    @property
    def token_count(self) -> int:
        return sum(len(row.tokens) for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What came of one row that sampled. `tokens`: the guesses that were right, then one more."""

    sequence_id: str
    tokens: tuple[int, ...]
    logprobs: tuple[tuple[TokenLogprob, ...], ...] = ()  # one entry a token, when the request asked for them
    error: str | None = None  # this row alone failed (a poisoned request); `tokens` is empty


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    number: int
    rows: tuple[RowResult, ...]  # in the order of the plan's sampling rows
    elapsed_s: float
