"""What a step meant for one sequence."""

from dataclasses import dataclass

from paddock.vocabulary import FinishReason, TokenLogprob, Usage


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one sequence ended with an error, in the words of a PaddockError."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """New tokens, an end, or both. After one with a `finish_reason` nothing more comes for this id."""

    sequence_id: str
    tokens: tuple[int, ...] = ()  # a token that ended it is the last of them
    logprobs: tuple[tuple[TokenLogprob, ...], ...] = ()  # one entry a token, when asked for
    finish_reason: FinishReason | None = None
    stop_token: int | None = None  # the end or stop token, when that is what ended it: not to be shown as text
    usage: Usage | None = None  # with the first tokens, and with the end
    failure: Failure | None = None  # with FinishReason.ERROR
