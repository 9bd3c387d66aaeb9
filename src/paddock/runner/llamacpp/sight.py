"""The runner's Sight for GGUF models: a picture through the projector, once, and its features held and kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from paddock.runner.features import FeatureStore, Seen
from paddock.runner.llamacpp.projector import Features, Projector
from paddock.runner.llamacpp.seeing import SeeingTokenizer
from paddock.runner.opening import NOBODY_SAID
from paddock.runner.prompts import Prompt
from paddock.vocabulary import Message, Thinking, Tool


class LlamaSight(Seen[Features]):
    """Belongs to the thread that made it."""

    def __init__(
        self, projector: Projector, tokenizer: SeeingTokenizer, store: FeatureStore[Features], *, context_window: int
    ) -> None:
        super().__init__(store, projector.features)
        self._tokenizer = tokenizer
        self._context_window = context_window

    def read(
        self,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        tools: Sequence[Tool] = (),
        thinking: Thinking = NOBODY_SAID,
    ) -> Prompt:
        """See Sight."""
        return self._tokenizer.read(
            messages, options, context_window=self._context_window, tools=tools, thinking=thinking
        )
