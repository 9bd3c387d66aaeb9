"""What is said to those who asked: outcomes of steps become text, and collect until the step's one message goes out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from paddock.engine.outcome import Outcome
from paddock.errors import PaddockError
from paddock.families.held import held_speech
from paddock.families.out import Parts
from paddock.families.speech import Speech
from paddock.runner.detokenize import Detokenizer
from paddock.runner.opening import Tokenizer
from paddock.vocabulary import (
    FinishReason,
    FormatKind,
    GenerateEvent,
    GenerateRequest,
    TokenLogprob,
    ToolCallDelta,
    ToolUse,
    Usage,
)

_TAIL_TOKENS: Final = 8  # of the prompt: enough to see whether it began a thought


@dataclass(slots=True)
class _Asker:
    """One request that is being answered, and what of its answer was not sent yet."""

    detokenizer: Detokenizer
    speech: Speech | None = None  # reads thoughts and calls out of an answer to messages; a raw prompt's is text
    text: str = ""
    reasoning: str = ""
    calls: list[ToolCallDelta] = field(default_factory=list[ToolCallDelta])
    token_ids: list[int] = field(default_factory=list[int])
    logprobs: list[tuple[TokenLogprob, ...]] = field(default_factory=list[tuple[TokenLogprob, ...]])
    completion_tokens: int = 0  # up to the stop string, however many were computed in the same step
    reasoning_tokens: int = 0  # of these, of the thought
    stop: str | None = None  # the stop string that ended it
    begun: Usage | None = None  # with the first tokens, until it is sent
    thought_left: int | None = None  # tokens that the thought may still take; None: as many as it likes
    has_thought: bool = False

    @property
    def is_over(self) -> bool:
        """Nothing more of it is told: a stop string came, or the one call that was allowed is made."""
        return self.stop is not None or (self.speech is not None and self.speech.is_complete)

    def hear(self, text: str, *, last: bool) -> None:
        """More of what the model wrote."""
        if self.speech is None:
            self.text += text
            return
        self._add(self.speech.feed(text))
        if self.thought_left is not None:
            self._count_thought(self.speech, self.thought_left)
        if last:
            self._add(self.speech.end())

    @property
    def is_thinking(self) -> bool:
        """Whether what comes next would be thought."""
        return self.speech is not None and self.speech.is_thinking

    def take(self, request_id: str, **more: Any) -> GenerateEvent:
        """What was not sent yet."""
        event = GenerateEvent(
            id=request_id,
            text=self.text,
            reasoning=self.reasoning,
            tool_calls=tuple(replace(call, id=_call_id(request_id, call)) for call in self.calls),
            token_ids=tuple(self.token_ids),
            logprobs=tuple(self.logprobs),
            begun=self.begun,
            **more,
        )
        self.text = self.reasoning = ""
        self.begun = None
        self.calls, self.token_ids, self.logprobs = [], [], []
        return event

    def _count_thought(self, speech: Speech, left: int) -> None:
        """One token more."""
        if speech.is_thinking:
            self.has_thought, self.thought_left = True, left - 1
        elif self.has_thought:
            self.thought_left = None  # it ended by itself

    def _add(self, parts: Parts) -> None:
        self.text += parts.text
        self.reasoning += parts.reasoning
        self.calls.extend(parts.calls)


class Telling:
    """Every request that is being answered, and the events that wait to be sent."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._askers: dict[str, _Asker] = {}
        self._unsent: dict[str, _Asker] = {}
        self._last: list[GenerateEvent] = []

    def begin(self, request: GenerateRequest, prompt: Sequence[int]) -> None:
        """From now on outcomes of this request, whose tokens are `prompt`, are told."""
        speech, decode = None, self._tokenizer.decode
        if request.messages is not None:
            family = self._tokenizer.family
            tools = () if request.tool_choice.use is ToolUse.NONE else request.tools
            tail = decode(prompt[-_TAIL_TOKENS:], special=True)
            if request.format.kind is not FormatKind.TEXT and not tools:
                # What is held to a form is no markup, whatever it looks like; only a thought before it is.
                speech = held_speech(family, tail, may_think=bool(request.thinking.enabled))
            else:
                speech = family.speech(tail, tools, parallel=request.tool_choice.parallel)
            decode = partial(decode, special=True)
        asker = _Asker(Detokenizer(decode, prompt, request.sampling.stop), speech)
        if self.will_watch(request):
            asker.thought_left = request.thinking.budget_tokens
        self._askers[request.id] = asker

    def will_watch(self, request: GenerateRequest) -> bool:
        """Whether the thought of `request` may have to be ended."""
        has_budget = request.messages is not None and request.thinking.budget_tokens is not None
        return has_budget and bool(self._tokenizer.family.thought_end)

    def watches(self, request_id: str) -> bool:
        """Whether a thought that has a budget is under way, or may still begin."""
        return self._askers[request_id].thought_left is not None

    def take_thought_end(self, request_id: str) -> tuple[int, ...]:
        """What ends the thought, when it has used up its budget; once."""
        asker = self._askers[request_id]
        if asker.thought_left is None or asker.thought_left > 0 or not asker.has_thought:
            return ()
        asker.thought_left = None
        return tuple(self._tokenizer.encode_within(self._tokenizer.family.thought_end))

    def refuse(self, request_id: str, error: PaddockError) -> None:
        """It never began."""
        self._last.append(
            GenerateEvent(
                id=request_id,
                finish_reason=FinishReason.ERROR,
                error_code=error.code,
                error=error.message,
                hint=error.hint,
            )
        )

    def cancelled(self, request_id: str) -> None:
        """It was called off before it began."""
        self._last.append(GenerateEvent(id=request_id, finish_reason=FinishReason.CANCELLED, usage=Usage()))

    def tell(self, outcome: Outcome) -> bool:
        """Take in what a step brought. True when it is over, and the scheduler should finish the sequence."""
        asker = self._askers[outcome.sequence_id]
        if outcome.finish_reason is None and outcome.usage is not None:
            asker.begun = outcome.usage
        if not asker.is_over:
            self._read(asker, outcome)
        if outcome.finish_reason is not None:
            self._end(asker, outcome, outcome.finish_reason)
            return False
        if asker.text or asker.token_ids:
            self._unsent[outcome.sequence_id] = asker
        return asker.is_over

    def take(self) -> tuple[GenerateEvent, ...]:
        """All that is to be sent."""
        pieces = [asker.take(request_id) for request_id, asker in self._unsent.items()]
        events = (*pieces, *self._last)
        self._unsent, self._last = {}, []
        return events

    def _read(self, asker: _Asker, outcome: Outcome) -> None:
        """Say the tokens one by one, up to a stop string."""
        for position, token in enumerate(outcome.tokens):
            asker.token_ids.append(token)
            asker.completion_tokens += 1
            was_thinking = asker.is_thinking
            is_end = outcome.stop_token is not None and position == len(outcome.tokens) - 1
            if is_end:
                asker.reasoning_tokens += was_thinking
                break  # counted, but not shown
            asker.logprobs.extend(map(self._spelled, outcome.logprobs[position : position + 1]))
            piece = asker.detokenizer.feed(token)
            asker.hear(piece.text, last=piece.stopped)
            asker.reasoning_tokens += was_thinking or asker.is_thinking
            asker.stop = piece.stop
            if asker.is_over:
                return
        if outcome.finish_reason is not None:
            piece = asker.detokenizer.finish()
            asker.hear(piece.text, last=True)
            asker.stop = piece.stop

    def _spelled(self, entry: tuple[TokenLogprob, ...]) -> tuple[TokenLogprob, ...]:
        """With what each token says: those who ask have no tokenizer."""
        return tuple(replace(each, token=self._tokenizer.token_bytes(each.token_id)) for each in entry)

    def _end(self, asker: _Asker, outcome: Outcome, reason: FinishReason) -> None:
        usage, failure = outcome.usage, outcome.failure
        if asker.is_over:
            reason = FinishReason.STOP
        if reason is FinishReason.STOP and asker.speech is not None and asker.speech.has_called:
            reason = FinishReason.TOOL_CALLS
        self._last.append(
            asker.take(
                outcome.sequence_id,
                finish_reason=reason,
                stop=asker.stop,
                usage=replace(usage, completion_tokens=asker.completion_tokens, reasoning_tokens=asker.reasoning_tokens)
                if usage
                else None,
                error_code=failure.code if failure else None,
                error=failure.message if failure else None,
                hint=failure.hint if failure else None,
            )
        )
        del self._askers[outcome.sequence_id]
        self._unsent.pop(outcome.sequence_id, None)


def _call_id(request_id: str, call: ToolCallDelta) -> str:
    """An id that no other call has: callers give it back with the result, in conversations with many calls."""
    if not call.id:
        return ""
    return f"call_{hashlib.sha256(f'{request_id} {call.index}'.encode()).hexdigest()[:24]}"
