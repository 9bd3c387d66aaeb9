"""What a client of OpenAI's API wants: the requests to answer, and how the answer is to look."""

from collections.abc import Mapping
from dataclasses import dataclass

from paddock.vocabulary import ChatRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One HTTP request, understood."""

    id: str
    requests: tuple[ChatRequest, ...]  # one a prompt; each may have several choices
    shown: int  # of the choices of each prompt, the best if there are more
    prompt_field: str  # what the prompt came in: `messages`, `prompt`
    stream: bool
    include_usage: bool
    logprobs: int | None  # as in Sampling, to be shown
    ignored: tuple[str, ...] = ()  # fields that nobody here knows
    tier: str | None = None
    metadata: Mapping[str, str] | None = None
    echo: tuple[str, ...] = ()  # the text in front of each prompt's answers
