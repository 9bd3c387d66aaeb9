"""Answers in OpenAI's words: chunks of a stream, or one object once all of it is there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from msgspec import UNSET

from paddock.dialects.openai_asked import Asked
from paddock.dialects.openai_calls import call_deltas, whole_calls
from paddock.dialects.openai_logprobs import TextOffsets, chat_logprobs, mean_logprob
from paddock.dialects.openai_wire import (
    DONE,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatMessageOut,
    ChunkChoice,
    CompletionDetails,
    CompletionUsage,
    Delta,
    FinishWord,
    PromptDetails,
    TextChoice,
    TextCompletion,
    encode,
    event,
)
from paddock.vocabulary import FinishReason, GenerateEvent, TokenLogprob, ToolCallDelta, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """What every object of one answer says of it."""

    created: int  # seconds since 1970
    model: str
    fingerprint: str  # changes with what answers


class Renderer(Protocol):
    """One answer. Choices are numbered through all prompts."""

    def chunk(self, choice: int, event: GenerateEvent) -> bytes:
        """Server-sent events that say it; empty when there is nothing to say yet."""
        ...

    def end(self) -> bytes:
        """The last events of the stream."""
        ...

    def collect(self, choice: int, event: GenerateEvent) -> None:
        """Keep it for `whole`."""
        ...

    def whole(self) -> bytes:
        """All that was collected, as one JSON object. Every choice has its last event."""
        ...


@dataclass(slots=True)
class _Collected:
    """One choice so far."""

    texts: list[str] = field(default_factory=list[str])
    thoughts: list[str] = field(default_factory=list[str])
    calls: list[ToolCallDelta] = field(default_factory=list[ToolCallDelta])
    logprobs: list[tuple[TokenLogprob, ...]] = field(default_factory=list[tuple[TokenLogprob, ...]])
    finish_reason: FinishReason | None = None
    usage: Usage = field(default_factory=Usage)


class _Choices:
    """What `collect` and the usage of a stream need."""

    def __init__(self, asked: Asked, head: AnswerHead) -> None:
        self._asked = asked
        self._head = head
        self._per_prompt = asked.requests[0].choices
        self._choices = [_Collected() for _ in range(len(asked.requests) * self._per_prompt)]

    def collect(self, choice: int, event: GenerateEvent) -> None:
        collected = self._choices[choice]
        collected.texts.append(event.text)
        collected.thoughts.append(event.reasoning)
        collected.calls.extend(event.tool_calls)
        collected.logprobs.extend(event.logprobs)
        self._note(choice, event)

    def _note(self, choice: int, event: GenerateEvent) -> None:
        if event.finish_reason is not None:
            self._choices[choice].finish_reason = event.finish_reason
            self._choices[choice].usage = event.usage or Usage()

    def _shown(self) -> list[_Collected]:
        """The choices that are shown: of each prompt all, or the best."""
        if self._asked.shown == self._per_prompt:
            return self._choices
        shown: list[_Collected] = []
        for start in range(0, len(self._choices), self._per_prompt):
            of_prompt = self._choices[start : start + self._per_prompt]
            best = sorted(of_prompt, key=lambda each: mean_logprob(each.logprobs), reverse=True)
            shown.extend(best[: self._asked.shown])
        return shown

    def _usage(self) -> CompletionUsage:
        """Each prompt counts once, however many answers it has."""
        prompts = [
            [each.usage for each in self._choices[start : start + self._per_prompt]]
            for start in range(0, len(self._choices), self._per_prompt)
        ]
        every = [usage for usages in prompts for usage in usages]
        prompt_tokens = sum(max(usage.prompt_tokens for usage in usages) for usages in prompts)
        completion_tokens = sum(usage.completion_tokens for usage in every)
        accepted = sum(usage.accepted_tokens for usage in every)
        return CompletionUsage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=prompt_tokens + completion_tokens,
            prompt_tokens_details=PromptDetails(
                # What one choice computed the others find: that is not what was there before.
                cached_tokens=sum(min(usage.cached_tokens for usage in usages) for usages in prompts)
            ),
            completion_tokens_details=CompletionDetails(
                accepted_prediction_tokens=accepted,
                rejected_prediction_tokens=sum(usage.drafted_tokens for usage in every) - accepted,
                reasoning_tokens=sum(usage.reasoning_tokens for usage in every),
            ),
        )


class ChatRenderer(_Choices):
    """`chat.completion` and its chunks."""

    def __init__(self, asked: Asked, head: AnswerHead) -> None:
        super().__init__(asked, head)
        self._id = f"chatcmpl-{asked.id}"
        self._tier = UNSET if asked.tier is None else asked.tier
        self._begun: set[int] = set()

    def chunk(self, choice: int, event: GenerateEvent) -> bytes:
        said = b""
        if choice not in self._begun:  # a chunk of its own: some clients look for nothing else in one with a role
            self._begun.add(choice)
            said = self._event(ChunkChoice(index=choice, delta=Delta(role="assistant", content="")))
        logprobs = chat_logprobs(event.logprobs) if event.logprobs and self._asked.logprobs is not None else None
        self._note(choice, event)
        if event.reasoning:
            said += self._event(ChunkChoice(index=choice, delta=Delta(reasoning_content=event.reasoning)))
        if event.text or logprobs is not None:
            said += self._event(ChunkChoice(index=choice, delta=Delta(content=event.text), logprobs=logprobs))
        if event.tool_calls:
            said += self._event(ChunkChoice(index=choice, delta=Delta(tool_calls=call_deltas(event.tool_calls))))
        if event.finish_reason is not None:
            said += self._event(
                ChunkChoice(index=choice, delta=Delta(), finish_reason=_finish_word(event.finish_reason))
            )
        return said

    def end(self) -> bytes:
        if not self._asked.include_usage:
            return DONE
        return self._event(usage=self._usage()) + DONE

    def whole(self) -> bytes:
        return encode(
            ChatCompletion(
                id=self._id,
                created=self._head.created,
                model=self._head.model,
                system_fingerprint=self._head.fingerprint,
                choices=[
                    ChatChoice(
                        index=number,
                        message=_message(choice),
                        finish_reason=_finish_word(choice.finish_reason),
                        logprobs=chat_logprobs(choice.logprobs) if self._asked.logprobs is not None else None,
                    )
                    for number, choice in enumerate(self._shown())
                ],
                usage=self._usage(),
                service_tier=self._tier,
                metadata=UNSET if self._asked.metadata is None else dict(self._asked.metadata),
            )
        )

    def _event(self, *choices: ChunkChoice, usage: CompletionUsage | None = None) -> bytes:
        return event(
            ChatChunk(
                id=self._id,
                created=self._head.created,
                model=self._head.model,
                system_fingerprint=self._head.fingerprint,
                choices=list(choices),
                service_tier=self._tier,
                usage=usage if self._asked.include_usage else UNSET,
            )
        )


class CompletionRenderer(_Choices):
    """`text_completion`, whole and in chunks."""

    def __init__(self, asked: Asked, head: AnswerHead) -> None:
        super().__init__(asked, head)
        self._id = f"cmpl-{asked.id}"
        self._offsets: dict[int, TextOffsets] = {}
        self._begun: set[int] = set()

    def chunk(self, choice: int, event: GenerateEvent) -> bytes:
        text = event.text
        if choice not in self._begun:
            self._begun.add(choice)
            text = self._front(choice) + text
        self._note(choice, event)
        wanted = self._asked.logprobs
        logprobs = None
        if wanted is not None and event.logprobs:
            logprobs = self._offsets.setdefault(choice, TextOffsets(0)).logprobs(event.logprobs, wanted)
        if not text and logprobs is None and event.finish_reason is None:
            return b""
        finish = None if event.finish_reason is None else _finish_word(event.finish_reason)
        return self._event(TextChoice(index=choice, text=text, finish_reason=finish, logprobs=logprobs))

    def end(self) -> bytes:
        if not self._asked.include_usage:
            return DONE
        return self._event(usage=self._usage()) + DONE

    def whole(self) -> bytes:
        return encode(self._object(self._texts(self._shown()), usage=self._usage()))

    def _texts(self, shown: Sequence[_Collected]) -> Iterable[TextChoice]:
        wanted = self._asked.logprobs
        for number, choice in enumerate(shown):
            yield TextChoice(
                index=number,
                text=self._front(number // self._asked.shown * self._per_prompt) + "".join(choice.texts),
                finish_reason=_finish_word(choice.finish_reason),
                logprobs=None if wanted is None else TextOffsets(0).logprobs(choice.logprobs, wanted),
            )

    def _front(self, choice: int) -> str:
        """What `echo` puts in front of a choice, counted before the best were chosen."""
        return self._asked.echo[choice // self._per_prompt] if self._asked.echo else ""

    def _event(self, *choices: TextChoice, usage: CompletionUsage | None = None) -> bytes:
        return event(self._object(choices, usage=usage if self._asked.include_usage else UNSET))

    def _object(self, choices: Iterable[TextChoice], *, usage: object) -> TextCompletion:
        return TextCompletion(
            id=self._id,
            created=self._head.created,
            model=self._head.model,
            system_fingerprint=self._head.fingerprint,
            choices=list(choices),
            usage=cast("CompletionUsage", usage),
        )


def _message(choice: _Collected) -> ChatMessageOut:
    text, thought, calls = "".join(choice.texts), "".join(choice.thoughts), whole_calls(choice.calls)
    return ChatMessageOut(
        content=None if calls and not text else text, tool_calls=calls or UNSET, reasoning_content=thought or UNSET
    )


def _finish_word(reason: FinishReason | None) -> FinishWord:
    match reason:
        case FinishReason.STOP:
            return "stop"
        case FinishReason.LENGTH:
            return "length"
        case FinishReason.TOOL_CALLS:
            return "tool_calls"
        case _:
            raise AssertionError(f"an answer ended with {reason}")
