"""The output of a response while it grows: items open, get more, and are done, each step as an event."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from paddock.dialects.openai_calls import joined
from paddock.dialects.openai_logprobs import chat_logprobs
from paddock.dialects.openai_wire import TokenLogprobs
from paddock.dialects.responses_custom import TextTaken
from paddock.dialects.responses_items import item_id
from paddock.dialects.responses_wire import (
    ArgumentsDelta,
    ArgumentsDone,
    CallItem,
    CustomCallItem,
    Event,
    InputDelta,
    InputDone,
    ItemEvent,
    ItemStatus,
    MessageItem,
    OutputItem,
    OutputText,
    PartEvent,
    ReasoningDelta,
    ReasoningDone,
    ReasoningItem,
    ReasoningText,
    TextDelta,
    TextDone,
)
from paddock.vocabulary import FinishReason, GenerateEvent, TokenLogprob, ToolCallDelta

_KINDS = {"message": "msg", "reasoning": "rs", "call": "fc", "custom": "ctc"}
_CALLS = ("call", "custom")


@dataclass(slots=True)
class _Open:
    """The item that is being written."""

    kind: str
    id: str
    at: int  # its place in the output
    texts: list[str] = field(default_factory=list[str])
    logprobs: list[TokenLogprobs] = field(default_factory=list[TokenLogprobs])
    call: ToolCallDelta | None = None  # the first of it
    taken: TextTaken = field(default_factory=TextTaken)  # with `custom`

    def item(self, status: ItemStatus, *, begun: bool = False) -> OutputItem:
        """As it is shown; one that has just begun shows nothing yet."""
        text = "".join(self.texts)
        if self.call is not None and self.kind == "custom":
            return CustomCallItem(id=self.id, status=status, call_id=self.call.id, name=self.call.name, input=text)
        if self.call is not None:
            return CallItem(id=self.id, status=status, call_id=self.call.id, name=self.call.name, arguments=text)
        if self.kind == "reasoning":
            return ReasoningItem(id=self.id, status=status, content=[] if begun else [ReasoningText(text=text)])
        content = [] if begun else [OutputText(text=text, logprobs=self.logprobs)]
        return MessageItem(id=self.id, status=status, content=content)

    def part(self) -> OutputText | ReasoningText:
        text = "".join(self.texts)
        return ReasoningText(text=text) if self.kind == "reasoning" else OutputText(text=text, logprobs=self.logprobs)


class Output:
    """Of one response. `count` numbers its events."""

    def __init__(
        self, key: str, *, count: Callable[[], int], logprobs: bool, customs: frozenset[str] = frozenset()
    ) -> None:
        """`customs`: the tools that take a text as it stands."""
        self._key = key
        self._count = count
        self._shows_logprobs = logprobs
        self._customs = customs
        self._open: _Open | None = None
        self._held: list[tuple[TokenLogprob, ...]] = []  # of tokens whose text has not come yet
        self.items: list[OutputItem] = []

    def take(self, event: GenerateEvent) -> Iterator[Event]:
        """What `event` adds. With its finish reason everything is done."""
        if event.reasoning:
            self._held.clear()
            yield from self._more("reasoning", event.reasoning)
        if self._shows_logprobs and event.logprobs:
            self._held.extend(event.logprobs)
        if event.text:
            yield from self._more("message", event.text)
        for delta in joined(event.tool_calls):
            self._held.clear()
            yield from self._call(delta)
        if event.finish_reason is not None:
            if event.finish_reason is FinishReason.STOP and self._open is None and not self.items:
                yield from self._begin("message")  # whoever stops at once has answered with nothing
            yield from self.close("incomplete" if event.finish_reason is FinishReason.LENGTH else "completed")

    def close(self, status: ItemStatus) -> Iterator[Event]:
        """End the open item, if there is one."""
        if self._open is None:
            return
        if self._open.kind == "custom":
            yield from self._more_input(self._open, self._open.taken.end())
        done, self._open = self._open, None
        text, at = "".join(done.texts), done.at
        if done.kind == "call":
            yield ArgumentsDone(
                type="response.function_call_arguments.done",
                sequence_number=self._count(),
                item_id=done.id,
                output_index=at,
                arguments=text,
            )
        elif done.kind == "custom":
            yield InputDone(
                type="response.custom_tool_call_input.done",
                sequence_number=self._count(),
                item_id=done.id,
                output_index=at,
                input=text,
            )
        elif done.kind == "reasoning":
            yield ReasoningDone(
                type="response.reasoning_text.done",
                sequence_number=self._count(),
                item_id=done.id,
                output_index=at,
                text=text,
            )
        else:
            yield TextDone(
                type="response.output_text.done",
                sequence_number=self._count(),
                item_id=done.id,
                output_index=at,
                text=text,
                logprobs=_brief(done.logprobs),
            )
        if done.kind not in _CALLS:
            yield self._part(done, "response.content_part.done")
        item = done.item(status)
        self.items.append(item)
        yield ItemEvent(type="response.output_item.done", sequence_number=self._count(), output_index=at, item=item)

    def _more(self, kind: str, text: str) -> Iterator[Event]:
        if self._open is None or self._open.kind != kind:
            yield from self._begin(kind)
        assert self._open is not None, "it has just begun"
        self._open.texts.append(text)
        if kind == "reasoning":
            yield ReasoningDelta(
                type="response.reasoning_text.delta",
                sequence_number=self._count(),
                item_id=self._open.id,
                output_index=self._open.at,
                delta=text,
            )
            return
        logprobs = chat_logprobs(self._held).content if self._held else []
        self._held.clear()
        self._open.logprobs.extend(logprobs)
        yield TextDelta(
            type="response.output_text.delta",
            sequence_number=self._count(),
            item_id=self._open.id,
            output_index=self._open.at,
            delta=text,
            logprobs=_brief(logprobs),
        )

    def _call(self, delta: ToolCallDelta) -> Iterator[Event]:
        if self._open is None or self._open.call is None or self._open.call.index != delta.index:
            # Only the first piece of a call has its name.
            yield from self._begin("custom" if delta.name in self._customs else "call", delta)
        assert self._open is not None, "it has just begun"
        if self._open.kind == "custom":
            yield from self._more_input(self._open, self._open.taken.feed(delta.arguments))
        elif delta.arguments:
            self._open.texts.append(delta.arguments)
            yield ArgumentsDelta(
                type="response.function_call_arguments.delta",
                sequence_number=self._count(),
                item_id=self._open.id,
                output_index=self._open.at,
                delta=delta.arguments,
            )

    def _more_input(self, custom: _Open, text: str) -> Iterator[Event]:
        if text:
            custom.texts.append(text)
            yield InputDelta(
                type="response.custom_tool_call_input.delta",
                sequence_number=self._count(),
                item_id=custom.id,
                output_index=custom.at,
                delta=text,
            )

    def _begin(self, kind: str, call: ToolCallDelta | None = None) -> Iterator[Event]:
        yield from self.close("completed")
        at = len(self.items)
        self._open = _Open(kind, item_id(_KINDS[kind], self._key, str(at)), at, call=call)
        yield ItemEvent(
            type="response.output_item.added",
            sequence_number=self._count(),
            output_index=at,
            item=self._open.item("in_progress", begun=True),
        )
        if kind not in _CALLS:
            yield self._part(self._open, "response.content_part.added")

    def _part(self, of: _Open, kind: str) -> Event:
        return PartEvent(type=kind, sequence_number=self._count(), item_id=of.id, output_index=of.at, part=of.part())


def _brief(logprobs: Sequence[TokenLogprobs]) -> list[Any]:
    """In events OpenAI leaves the bytes out."""
    return [
        {
            "token": each.token,
            "logprob": each.logprob,
            "top_logprobs": [{"token": other.token, "logprob": other.logprob} for other in each.top_logprobs],
        }
        for each in logprobs
    ]
