"""One request on its way through the engine: its tokens, where it stands, what it holds."""

from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace
from enum import StrEnum

from paddock.engine.checks import check_prompt, check_sampling
from paddock.engine.limits import Limits
from paddock.vocabulary import Priority, Sampling, Usage


class SequenceState(StrEnum):
    WAITING = "waiting"  # in the queue, holding no block (new, or preempted)
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(slots=True, kw_only=True, eq=False)
class Sequence:
    """Mutable, and mutated by the engine's own modules only. Make one with `new_sequence`.

    tokens    p p p p p p o o o o      prompt, then output
              ├─ computed ──────┤      positions whose keys and values are in the cache
                                ├ pending: still to be fed; 1 when it decodes, more when it prefills
    """

    id: str
    tokens: list[int]
    prompt_length: int
    sampling: Sampling  # with a seed
    priority: Priority
    tenant: str
    namespace: str  # what else must be equal for keys and values to be: an adapter
    arrival: float
    deadline: float | None  # on the scheduler's clock
    stop_tokens: frozenset[int]
    may_guess: bool = True  # False: somebody may put tokens in, at a place that guesses would run past
    # What the prompt's tokens are called in the prefix index, where a token does not say all of what stands at its place:
    # pictures all have the same token. Empty: as they are.
    names: SequenceOf[int] = ()
    state: SequenceState = SequenceState.WAITING

    # Held by the queue: how long it has waited in all (running does not count), and where it stands now.
    number: int = 0  # of submission: breaks ties between equal arrivals
    level: Priority = Priority.NORMAL  # its class with ageing, frozen while it runs
    queued_at: float = 0.0
    waited_s: float = 0.0
    preempted: bool = False  # ran before and was put back

    # Held by paging.
    computed: int = 0
    blocks: tuple[int, ...] = ()  # replaced, never changed: plans hold on to it
    chain: list[bytes] = field(default_factory=list[bytes])  # digest of the prefix up to each block's end
    entered: int = 0  # full blocks that are known to the prefix index, or are copies of such

    # Counts.
    cached_tokens: int = 0  # of the prompt, found in the cache when it was first admitted
    preemptions: int = 0
    drafted: int = 0
    accepted: int = 0

    @property
    def prompt(self) -> list[int]:
        return self.tokens[: self.prompt_length]

    @property
    def named(self) -> list[int]:
        """Its tokens as the prefix index knows them."""
        return [*self.names, *self.tokens[len(self.names) :]] if self.names else self.tokens

    @property
    def output(self) -> list[int]:
        return self.tokens[self.prompt_length :]

    @property
    def output_length(self) -> int:
        return len(self.tokens) - self.prompt_length

    @property
    def pending(self) -> int:
        return len(self.tokens) - self.computed

    @property
    def rank(self) -> tuple[int, float, int]:
        """Who goes first among those that run. The last gives its blocks up first."""
        return (self.level, self.arrival, self.number)

    @property
    def usage(self) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_length,
            cached_tokens=self.cached_tokens,
            completion_tokens=self.output_length,
            drafted_tokens=self.drafted,
            accepted_tokens=self.accepted,
            queued_s=self.waited_s,
        )


def new_sequence(
    id: str,  # noqa: A002  # the word that requests and plans use
    prompt: SequenceOf[int],
    sampling: Sampling,
    *,
    limits: Limits,
    arrival: float,
    draw_seed: Callable[[], int],
    priority: Priority = Priority.NORMAL,
    tenant: str = "",
    namespace: str = "",
    deadline: float | None = None,
    may_guess: bool = True,
    names: SequenceOf[int] = (),
) -> Sequence:
    """A checked sequence, ready to be submitted. Raises UsageError for what is wrong with the request.

    `names`, one for each token of the prompt: see Sequence.

    A request without a seed is given one here, from `draw_seed`, so that it draws the same tokens again after preemption.
    """
    check_prompt(prompt, limits.vocabulary, limits.context_window)
    check_sampling(sampling, limits.vocabulary, limits.context_window)
    assert len(names) in {0, len(prompt)}, f"{len(names)} names for {len(prompt)} tokens"
    if sampling.seed is None:
        sampling = replace(sampling, seed=draw_seed())
    end_tokens = frozenset[int]() if sampling.ignore_end else limits.end_token_ids
    return Sequence(
        id=id,
        tokens=list(prompt),
        prompt_length=len(prompt),
        sampling=sampling,
        priority=priority,
        tenant=tenant,
        namespace=namespace,
        arrival=arrival,
        deadline=deadline,
        stop_tokens=end_tokens | frozenset(sampling.stop_token_ids),
        may_guess=may_guess,
        names=names,
        level=priority,
    )
