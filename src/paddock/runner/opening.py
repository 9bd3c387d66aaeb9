"""What it takes to open a model, and what is then there: a device that steps and a tokenizer that speaks.

What cannot be stepped through from here, because it embeds or because another engine batches by itself, is a worker of
its own: worker.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from paddock.engine.speculation import Drafter
from paddock.families.family import Family
from paddock.runner.executor import Executor, LoadedModel
from paddock.runner.prompts import Look, Prompt
from paddock.vocabulary import Message, ModelFormat, ModelKind, Thinking, Tool

NOBODY_SAID: Final = Thinking()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """One model to open, and within which limits. The fleet makes it of a RunnerSpec."""

    name: str
    path: str
    format: ModelFormat
    kind: ModelKind = ModelKind.TEXT
    context_window: int | None = None
    memory_bytes_max: int | None = None
    queue_max: int = 256
    step_seconds_max: float = 0.5
    batch_max: int = 64
    projector_path: str | None = None  # the file that a GGUF model sees with
    draft_path: str | None = None
    draft_name: str | None = None  # what to call it in errors
    ngram_speculation: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Tokenizer(Protocol):
    """Text to tokens and back. Called from the device's thread only."""

    def encode(self, text: str) -> Sequence[int]:
        """The tokens of a raw prompt, with whatever the model wants in front of one."""
        ...

    def encode_within(self, text: str) -> Sequence[int]:
        """The tokens of `text` in the middle of an answer. Control tokens in it are meant."""
        ...

    @property
    def family(self) -> Family:
        """How the model speaks."""
        ...

    @property
    def template(self) -> str:
        """The text of its chat templates; empty when it has none."""
        ...

    @property
    def marks(self) -> Mapping[str, int]:
        """Tokens that are markup, no words, by their text: no answer that is held to a form has one by chance."""
        ...

    def render(
        self,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        tools: Sequence[Tool] = (),
        thinking: Thinking = NOBODY_SAID,
    ) -> Sequence[int]:
        """The tokens of a conversation, up to where the answer begins. Raises UsageError when there is no template."""
        ...

    def decode(self, tokens: Sequence[int], *, special: bool = False) -> str:
        """The text of `tokens`, with those special tokens that the family reads, or with none.

        A character that is not whole yet comes out as U+FFFD.
        """
        ...

    def token_bytes(self, token: int) -> bytes:
        """What one token says, in UTF-8; of a token that is a part of a character, that part."""
        ...


class Sight(Protocol):
    """How a model sees. Called from the device's thread only.

    A picture's features are worked out before a sequence begins, one picture at a time, so that others can go on in between;
    they are held for it until it has ended, and kept for others while there is room.
    """

    def read(
        self,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        tools: Sequence[Tool] = (),
        thinking: Thinking = NOBODY_SAID,
    ) -> Prompt:
        """A conversation with pictures. Raises UsageError when the model's template has no place for one of them."""
        ...

    def hold(self, sequence_id: str, looks: Sequence[Look]) -> bool:
        """From now on these are needed. False: there is no room beside what others need; ask again when some have ended."""
        ...

    def see(self, sequence_id: str) -> bool:
        """Work the features of its next picture out. True when all are there."""
        ...

    def forget(self, sequence_id: str) -> None:
        """It has ended, or will not begin. Unknown ids are fine."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedModel:
    executor: Executor
    tokenizer: Tokenizer
    sight: Sight | None = None  # of a model that sees
    drafter: Drafter | None = None  # a draft model; n-grams need none

    @property
    def model(self) -> LoadedModel:
        return self.executor.model
