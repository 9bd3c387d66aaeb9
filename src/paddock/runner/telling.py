"""What is said to those who asked: outcomes of steps become text, and collect until the step's one message goes out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from paddock.engine.outcome import Outcome
from paddock.errors import PaddockError
from paddock.runner.detokenize import Detokenizer
from paddock.runner.opening import Tokenizer
from paddock.vocabulary import FinishReason, GenerateEvent, Sampling, TokenLogprob


@dataclass(slots=True)
class _Asker:
    """One request that is being answered, and what of its answer was not sent yet."""

    detokenizer: Detokenizer
    text: str = ""
    token_ids: list[int] = field(default_factory=list[int])
    logprobs: list[tuple[TokenLogprob, ...]] = field(default_factory=list[tuple[TokenLogprob, ...]])
    completion_tokens: int = 0  # up to the stop string, however many were computed in the same step
    stopped: bool = False  # by a stop string


class Telling:
    """Every request that is being answered, and the events that wait to be sent."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._askers: dict[str, _Asker] = {}
        self._unsent: dict[str, _Asker] = {}
        self._last: list[GenerateEvent] = []

    def begin(self, request_id: str, prompt: Sequence[int], sampling: Sampling) -> None:
        """From now on outcomes of this request are told."""
        self._askers[request_id] = _Asker(Detokenizer(self._tokenizer.decode, prompt, sampling.stop))

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

    def tell(self, outcome: Outcome) -> bool:
        """Take in what a step brought. True when a stop string has come, and the scheduler should finish the sequence."""
        asker = self._askers[outcome.sequence_id]
        if not asker.stopped:
            self._read(asker, outcome)
        if outcome.finish_reason is not None:
            self._end(asker, outcome, outcome.finish_reason)
            return False
        if asker.text or asker.token_ids:
            self._unsent[outcome.sequence_id] = asker
        return asker.stopped

    def take(self) -> tuple[GenerateEvent, ...]:
        """All that is to be sent."""
        pieces = [
            GenerateEvent(
                id=request_id, text=asker.text, token_ids=tuple(asker.token_ids), logprobs=tuple(asker.logprobs)
            )
            for request_id, asker in self._unsent.items()
        ]
        for asker in self._unsent.values():
            asker.text, asker.token_ids, asker.logprobs = "", [], []
        events = (*pieces, *self._last)
        self._unsent, self._last = {}, []
        return events

    def _read(self, asker: _Asker, outcome: Outcome) -> None:
        """Say the tokens one by one, up to a stop string."""
        for position, token in enumerate(outcome.tokens):
            asker.token_ids.append(token)
            asker.completion_tokens += 1
            is_end = outcome.stop_token is not None and position == len(outcome.tokens) - 1
            if is_end:
                break  # counted, but not shown
            asker.logprobs.extend(map(self._spelled, outcome.logprobs[position : position + 1]))
            piece = asker.detokenizer.feed(token)
            asker.text += piece.text
            if piece.stopped:
                asker.stopped = True
                return
        if outcome.finish_reason is not None:
            piece = asker.detokenizer.finish()
            asker.text += piece.text
            asker.stopped = piece.stopped

    def _spelled(self, entry: tuple[TokenLogprob, ...]) -> tuple[TokenLogprob, ...]:
        """With what each token says: those who ask have no tokenizer."""
        return tuple(replace(each, token=self._tokenizer.token_bytes(each.token_id)) for each in entry)

    def _end(self, asker: _Asker, outcome: Outcome, reason: FinishReason) -> None:
        usage, failure = outcome.usage, outcome.failure
        self._last.append(
            GenerateEvent(
                id=outcome.sequence_id,
                text=asker.text,
                token_ids=tuple(asker.token_ids),
                logprobs=tuple(asker.logprobs),
                finish_reason=FinishReason.STOP if asker.stopped else reason,
                usage=replace(usage, completion_tokens=asker.completion_tokens) if usage else None,
                error_code=failure.code if failure else None,
                error=failure.message if failure else None,
                hint=failure.hint if failure else None,
            )
        )
        del self._askers[outcome.sequence_id]
        self._unsent.pop(outcome.sequence_id, None)
