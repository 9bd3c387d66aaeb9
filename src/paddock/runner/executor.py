"""The seam to the device. One thread owns an executor and everything that it returns; nothing here is thread-safe."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from paddock.engine.limits import SlotBounds
from paddock.engine.step import StepPlan, StepResult
from paddock.runner.prompts import Look
from paddock.vocabulary import Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """What the scheduler must know of a model once it is loaded."""

    architecture: str
    vocabulary: int
    context_window: int
    end_token_ids: frozenset[int]
    pages: bool  # False: the solo lane; one sequence a step, blocks ignored, no prefix reuse
    block_tokens: int  # tokens a block; meaningless in the solo lane
    block_count: int
    bytes_per_token: int  # of KV cache
    memory_bytes: int  # of the process after loading
    load_seconds: float
    device: str
    blas: str | None = None  # on CPU: the library that does the products
    slots: SlotBounds | None = None  # without pages: how its cache may be cut into slots; None is the solo lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes now, and what work they were taken for. On a CPU they are the process's, elsewhere those of its arrays."""

    active_bytes: int
    peak_bytes: int
    cache_bytes: int  # freed arrays that the device's allocator keeps
    kv_bytes_max: int = 0  # keys, values and states of all sequences, at the most so far
    step_tokens_max: int = 0  # fed in one step
    context_max: int = 0  # tokens of the longest sequence
    tokens_max: int = 0  # of all sequences in one step together, those they look back at included


class Constraint(Protocol):
    """What one answer is held to while it is written. One thread at a time; which one does not matter."""

    @property
    def failure(self) -> str | None:
        """Why the answer cannot go on, if it cannot: that row ends with an error."""
        ...

    def restart(self, output: Sequence[int]) -> None:
        """The answer so far is `output`: at the beginning, and after preemption."""
        ...

    def fitting(self, guesses: Sequence[int]) -> int:
        """How many of the guesses may come, the first ones."""
        ...

    def masks(self, guesses: Sequence[int]) -> Sequence[bytes]:
        """One bit a token, lowest first: what may come next, and what after each guess. The guesses must be fitting."""
        ...

    def take(self, tokens: Sequence[int]) -> None:
        """These have come."""
        ...


class Executor(Protocol):
    """A loaded model on a device. Raises PaddockError for what a user can cause; anything else ends the runner."""

    @property
    def model(self) -> LoadedModel: ...

    def begin(
        self,
        sequence_id: str,
        tokens: Sequence[int],
        sampling: Sampling,
        *,
        prompt_tokens: int | None = None,
        constraint: Constraint | None = None,
        looks: Sequence[Look] = (),
    ) -> None:
        """A sequence is about to appear in plans (again, after preemption: `tokens` are prompt and output so far).

        `prompt_tokens`: how many of them are the prompt, None for all; penalties on what was written count the others, and
        `constraint` holds what follows it. `looks`: its pictures, which the model's Sight has seen and holds.
        """
        ...

    def put(self, sequence_id: str, tokens: Sequence[int]) -> None:
        """These follow in its answer though nobody sampled them. They come to be fed with the next plan."""
        ...

    def end(self, sequence_id: str) -> None:
        """It will not appear any more, or not until the next `begin`. Unknown ids are fine."""
        ...

    def step(self, plan: StepPlan) -> StepResult:
        """Feed every row, write its keys and values, sample where rows ask for it."""
        ...

    def warm(self, prefill_tokens: int, tokens: int) -> None:
        """Run a prompt and some tokens through the model once, so that the first request finds everything compiled."""
        ...

    def memory(self) -> Memory: ...

    def close(self) -> None: ...
