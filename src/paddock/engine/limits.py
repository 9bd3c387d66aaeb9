"""What the scheduler keeps within: the model's own bounds and the runner's settings, in one frozen value."""

from dataclasses import dataclass
from typing import Final

STEP_TOKENS_MAX: Final = 2048
DRAFT_TOKENS_MAX: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotBounds:
    """How a cache may be cut that is cut into equal slots, one a sequence."""

    count: int  # at first
    window: int  # tokens of each, at first
    slots_max: int
    tokens_max: int  # of all slots together
    trims: bool = True  # whether the end of what lies in one can be dropped; recurrent states cannot be wound back
    moves: bool = True  # whether what lies in slots stays when they are cut anew; else it is computed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    vocabulary: int
    context_window: int
    end_token_ids: frozenset[int] = frozenset()
    pages: bool = True  # False: the solo lane; one sequence a step, no blocks, no prefix reuse, no speculation
    slots: SlotBounds | None = None  # without pages: many sequences a step, each in a slot of its own
    batch_max: int = 64  # sequences that hold a cache at once
    queue_max: int = 256  # sequences that wait; one more is refused
    ageing_s: float = 10.0  # after so long in the queue a sequence counts as one class higher
    step_seconds_max: float = 0.5  # prefill chunks are cut so that no step beside streams takes much longer
    step_stretch: float = 2.0  # with no stream to hold up, a prefill step may take so many times longer
    step_tokens_max: int = STEP_TOKENS_MAX  # prefill tokens in one step, however fast the device
    prefill_tokens_first: int = 128  # in the first step, when nothing has been measured
    prefill_tokens_min: int = 16  # a prompt advances by this much however slow the device
    shared_prefix_wait_s: float = 1.0  # how long to wait for a prefix that another computes, when it stops growing
    draft_tokens_max: int = DRAFT_TOKENS_MAX  # guesses a row; 0 turns speculation off
    draft_step_tokens_max: int = (
        64  # decode tokens and guesses in one step: past that, guesses cost more than they save
    )
    solo_slice_s: float = 0.25  # in the solo lane, a LOW sequence's turn; NORMAL gets twice, HIGH four times as long

    def __post_init__(self) -> None:
        assert self.vocabulary > 0, "a vocabulary has tokens"
        assert self.context_window > 1, "a context holds a prompt and an answer"
        assert self.batch_max > 0, "somebody must run"
        assert self.queue_max > 0, "somebody must be let in"
        assert self.step_tokens_max >= self.prefill_tokens_min > 0, "a prompt advances by at least a token a step"
