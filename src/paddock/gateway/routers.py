"""Routers: a small model reads what was asked and picks one of several described routes. Pure: question and answer."""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

from paddock.vocabulary import ChatRequest, FormatKind, Message, OutputFormat, Priority, Sampling, Thinking

TEXT_CHARACTERS_MAX: Final = 1000  # of what was asked: what it is about shows at its beginning
_WORD_TOKENS_MAX: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedRoute:
    """One way to go."""

    name: str
    to: str  # a model, `auto:code`, `role:worker`
    description: str = ""
    word: str = ""  # what the model answers for it, where it knows another word than the name

    @property
    def answer(self) -> str:
        return self.word or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Who reads, what it may choose, and what holds when it is late, fails or is unsure."""

    name: str
    model: str
    routes: tuple[DescribedRoute, ...]
    fallback: str  # a profile
    timeout_s: float = 2.0
    sure: float = 0.5  # the probability that the model's word must have

    @property
    def mark(self) -> str:
        """Changes when the question does."""
        said = [self.model, self.sure, [(each.answer, each.description) for each in self.routes]]
        return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a router made of a text."""

    router: str
    route: str | None  # None: the fallback holds
    reason: str  # in words
    probability: float | None = None
    remembered: bool = False


def text_of(request: ChatRequest) -> str:
    """What a router reads of a request: the last thing that its user said."""
    for message in reversed(request.messages or ()):
        if message.role == "user":
            return message.content[:TEXT_CHARACTERS_MAX]
    return (request.prompt or "")[:TEXT_CHARACTERS_MAX]


def question(router: Router, text: str, *, tenant: str) -> ChatRequest:
    """The request that makes the router's model choose: one word of those that there are, and how likely it was."""
    words = [each.answer for each in router.routes]
    told = [f"{each.answer}: {each.description}" for each in router.routes if each.description]
    system = (Message(role="system", content="\n".join(["Profiles:", *told])),) if told else ()
    asked = f"Pick a profile ({', '.join(words)}) for: {text[:TEXT_CHARACTERS_MAX]}"
    return ChatRequest(
        id=f"route-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:16]}",
        model=router.model,
        sampling=Sampling(temperature=0.0, max_tokens=_WORD_TOKENS_MAX, top_logprobs=0),
        messages=(*system, Message(role="user", content=asked)),
        format=OutputFormat(kind=FormatKind.CHOICE, choices=tuple(words)),
        thinking=Thinking(enabled=False),
        priority=Priority.HIGH,
        tenant=tenant,
    )


def decision(router: Router, said: str, probability: float) -> Decision:
    """What the model's word means."""
    chosen = next((each for each in router.routes if each.answer == said.strip()), None)
    if chosen is None:
        return Decision(router=router.name, route=None, reason=f"`{router.model}` said none of the routes")
    if probability < router.sure:
        return Decision(
            router=router.name,
            route=None,
            reason=f"`{router.model}` would take `{chosen.name}`, but is not sure ({probability:.2f} of {router.sure:g})",
            probability=probability,
        )
    return Decision(
        router=router.name,
        route=chosen.name,
        reason=f"`{router.model}` takes it for `{chosen.name}` ({probability:.2f})",
        probability=probability,
    )
