"""A response in OpenAI's words: the events of a stream, or one object once all of it is there."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from paddock.dialects.openai_wire import encode
from paddock.dialects.responses_output import Output
from paddock.dialects.responses_request import AskedResponse
from paddock.dialects.responses_wire import (
    DONE_EVENTS,
    ErrorEvent,
    Failed,
    Incomplete,
    InputDetails,
    OutputDetails,
    ResponseEvent,
    ResponseObject,
    ResponseUsage,
    Status,
    written,
)
from paddock.errors import Overloaded, PaddockError, UsageError
from paddock.vocabulary import FinishReason, GenerateEvent, Sampling, Usage

_INVALID, _LIMITED, _BROKEN = "invalid_prompt", "rate_limit_exceeded", "server_error"  # all that OpenAI tells apart


class ResponseRenderer:
    """Writes one response. Its events are numbered from 0."""

    def __init__(
        self, asked: AskedResponse, *, model: str, now: Callable[[], int], sampling: Sampling | None = None
    ) -> None:
        """`now`: seconds since 1970. `sampling`: as it is done, where that is known; else it is as it was asked for."""
        self._asked = asked
        self._model = model
        self._sampling = sampling or asked.request.sampling
        self._now = now
        self._created = now()
        self._events = 0
        self._output = Output(asked.key, count=self._count, logprobs=asked.logprobs, customs=asked.customs)
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._done: ResponseObject | None = None

    def chunk(self, choice: int, event: GenerateEvent) -> bytes:
        """See Renderer."""
        self._note(event)
        said = b"" if self._events else self._begin()
        return said + b"".join(written(each) for each in self._output.take(event))

    def end(self) -> bytes:
        """See Renderer."""
        done = self.done()
        return written(ResponseEvent(type=DONE_EVENTS[done.status], sequence_number=self._count(), response=done))

    def collect(self, choice: int, event: GenerateEvent) -> None:
        """See Renderer."""
        self._note(event)
        for _ in self._output.take(event):
            pass

    def whole(self) -> bytes:
        """See Renderer."""
        return encode(self.done())

    def done(self) -> ResponseObject:
        """The response once all of it is there; the same however often it is asked for."""
        if self._done is None:
            length = self._finish is FinishReason.LENGTH
            self._done = self._object(
                "incomplete" if length else "completed",
                incomplete_details=Incomplete() if length else None,
                completed_at=None if length else self._now(),
                usage=self._numbers(),
            )
        return self._done

    def failure(self, error: PaddockError) -> bytes:
        """The last events of a stream that failed: what is wrong in our words, and the response that was not to be."""
        said = b"" if self._events else self._begin()
        said += b"".join(written(each) for each in self._output.close("incomplete"))
        message = f"{error.message} {error.hint}"
        param = error.param if isinstance(error, UsageError) else None
        said += written(
            ErrorEvent(type="error", sequence_number=self._count(), code=error.code, message=message, param=param)
        )
        failed = self._object("failed", error=Failed(code=_failed_word(error), message=message))
        return said + written(ResponseEvent(type=DONE_EVENTS["failed"], sequence_number=self._count(), response=failed))

    def _begin(self) -> bytes:
        begun = self._object("in_progress")
        return b"".join(
            written(ResponseEvent(type=kind, sequence_number=self._count(), response=begun))
            for kind in ("response.created", "response.in_progress")
        )

    def _note(self, event: GenerateEvent) -> None:
        if event.finish_reason is not None:
            self._finish, self._usage = event.finish_reason, event.usage

    def _numbers(self) -> ResponseUsage:
        usage = self._usage or Usage()
        return ResponseUsage(
            input_tokens=usage.prompt_tokens,
            input_tokens_details=InputDetails(
                cached_tokens=usage.cached_tokens, cache_write_tokens=usage.prompt_tokens - usage.cached_tokens
            ),
            output_tokens=usage.completion_tokens,
            output_tokens_details=OutputDetails(reasoning_tokens=usage.reasoning_tokens),
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
        )

    def _object(self, status: Status, **more: Any) -> ResponseObject:
        shown: Mapping[str, Any] = self._asked.shown
        return ResponseObject(
            id=response_id(self._asked.key),
            created_at=self._created,
            model=self._model,
            status=status,
            output=list(self._output.items),
            temperature=self._sampling.temperature,
            top_p=self._sampling.top_p,
            presence_penalty=self._sampling.presence_penalty,
            frequency_penalty=self._sampling.frequency_penalty,
            **shown,
            **more,
        )

    def _count(self) -> int:
        self._events += 1
        return self._events - 1


_PREFIX: Final = "resp_"


def response_id(key: str) -> str:
    """The id of the response with this key."""
    return f"{_PREFIX}{key}"


def _failed_word(error: PaddockError) -> str:
    if isinstance(error, Overloaded):
        return _LIMITED
    return _INVALID if isinstance(error, UsageError) else _BROKEN
