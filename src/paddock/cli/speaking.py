"""What `run` and `chat` share: a model in a runner, questions to it, answers as they come."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from paddock.cli.desk import Desk
from paddock.cli.screen import Screen
from paddock.errors import ModelNotFound
from paddock.library.running import check_runs
from paddock.providers.provider import Piece
from paddock.vocabulary import (
    ChatRequest,
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    Message,
    ModelKind,
    Picture,
    Sampling,
    Usage,
)

if TYPE_CHECKING:
    from paddock.client.discovery import Address
    from paddock.config.schema import Config
    from paddock.fleet.fleet import RunnerSpec
    from paddock.library.records import ModelRecord

Ask = Callable[[tuple[Message, ...]], AsyncGenerator[GenerateEvent]]
"""Asks for the answer to a conversation. Closing what comes back stops the model."""

_CONTROL = {code: None for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to answer; what is not given comes from the settings."""

    system: Annotated[str | None, Parameter(help="What the model is told before anything else.")] = None
    temperature: Annotated[float | None, Parameter(help="How freely words are chosen; 0 takes the likeliest.")] = None
    max_tokens: Annotated[int | None, Parameter(help="The most tokens of one answer.")] = None
    top_p: Annotated[float | None, Parameter(help="Choose among the likeliest tokens up to this probability.")] = None
    seed: Annotated[int | None, Parameter(help="The same seed gives the same answer.")] = None
    draft: Annotated[
        str | None, Parameter(help="A smaller model that guesses ahead for it: the same answer, sooner.")
    ] = None
    ngrams: Annotated[bool, Parameter(help="Guess that what was said comes again: the same answer, sooner.")] = False
    image: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="A picture to ask about: a file, or an address; may be given several times."),
    ] = ()
    verbose: Annotated[bool, Parameter(help="Say how fast it was.")] = False

    async def pictures(self) -> tuple[Picture, ...]:
        """The pictures that were given, read. Raises InvalidImage."""
        if not self.image:
            return ()
        from paddock.client.pictures import picture

        return tuple([await asyncio.to_thread(picture, each) for each in self.image])


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDocument:
    """One answer and how it came."""

    model: str
    text: str
    finish_reason: FinishReason
    usage: Usage
    first_token_seconds: float
    tokens_per_second: float | None  # after the first token; None for a single one


@dataclass(slots=True)
class Heard:
    """What came of one answer so far: all there is of one that was cut."""

    model: str = ""
    texts: list[str] = field(default_factory=list[str])
    thoughts: list[str] = field(default_factory=list[str])
    finish_reason: FinishReason = FinishReason.CANCELLED  # until it says how it ended
    usage: Usage | None = None
    began: float = 0.0
    first: float | None = None  # when the first token came
    ended: float = 0.0

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def take(self, event: GenerateEvent) -> None:
        if self.first is None and (event.token_ids or event.text):
            self.first = time.monotonic()
        self.texts.append(event.text)
        self.thoughts.append(event.reasoning)
        if event.finish_reason is not None:
            self.finish_reason, self.usage = event.finish_reason, event.usage or self.usage


class Speaker:
    """One loaded model that answers at this desk."""

    def __init__(self, desk: Desk, name: str, ask: Ask, *, verbose: bool) -> None:
        self.name = name
        self._desk = desk
        self._ask = ask
        self._verbose = verbose

    async def answer(self, messages: Sequence[Message], heard: "Heard") -> AnswerDocument:
        """Answer the last of `messages`, written as it comes unless JSON is wanted. `heard` fills on the way.

        Raises what `generate` raises; what was written by then is whole lines.
        """
        heard.model = self.name
        heard.began = time.monotonic()
        events = self._ask(tuple(messages))
        try:
            async with aclosing(events):
                async for event in events:
                    heard.take(event)
                    self._write(event.text)
        finally:
            heard.ended = time.monotonic()
            if heard.texts:
                self._write("\n")
        usage, first = heard.usage or Usage(), heard.first or heard.ended
        later = usage.completion_tokens - 1
        document = AnswerDocument(
            model=self.name,
            text=heard.text,
            finish_reason=heard.finish_reason,
            usage=usage,
            first_token_seconds=round(first - heard.began, 4),
            tokens_per_second=round(later / (heard.ended - first), 1) if later > 0 and heard.ended > first else None,
        )
        self._tell_speed(document)
        return document

    def _write(self, text: str) -> None:
        if self._desk.flags.json or not text:
            return
        out = self._desk.out
        out.stream.write(fit_for(out, text))
        out.flush()

    def _tell_speed(self, document: AnswerDocument) -> None:
        if not self._verbose or self._desk.flags.json:
            return
        usage = document.usage
        speed = "" if document.tokens_per_second is None else f", {document.tokens_per_second:g} tokens/s after it"
        guessed = f"; {usage.accepted_tokens} of {usage.drafted_tokens} guesses kept" if usage.drafted_tokens else ""
        self._desk.notice(
            f"{usage.completion_tokens} tokens; the first after {document.first_token_seconds:.3f} s{speed};"
            f" prompt {usage.prompt_tokens} tokens, {usage.cached_tokens} of them from the cache{guessed}"
        )


def fit_for(screen: Screen, text: str) -> str:
    """`text` as a model wrote it; on a terminal without control characters, which could do more than be read."""
    return text.translate(_CONTROL) if screen.is_terminal else text


@asynccontextmanager
async def speaker(desk: Desk, name: str, manner: Manner) -> AsyncGenerator[Speaker]:
    """The model `name`, ready to answer: in the server of this home when one runs, else loaded until the block ends.

    Raises what finding and loading raise.
    """
    name = await _meant(desk, name)
    async with desk.library() as library:
        record = await library.get(name)
        draft = await library.get(manner.draft) if manner.draft else None
    check_runs(record)
    if draft is not None:
        check_runs(draft)
    sampling = _sampling(record, desk.config, manner)
    guesses = draft is not None or manner.ngrams  # wants a runner of its own: the server's was loaded without
    if desk.server is not None and not guesses:
        opened = _in_the_server(desk, desk.server, record.name, sampling)
    else:
        opened = _in_a_runner(desk, record, draft, sampling, ngrams=manner.ngrams)
    async with opened as ask:
        yield Speaker(desk, record.name, ask, verbose=manner.verbose)


async def _meant(desk: Desk, name: str) -> str:
    """The model of this machine that `auto` or `auto:NAME` means; every other name as it is. Raises ModelNotFound."""
    if name.partition(":")[0] != "auto":
        return name
    from paddock.app import open_routing
    from paddock.gateway.routing import Traits

    async with open_routing(desk.config, desk.invocation.world) as rooms:
        found = await rooms.directory.route(Traits(model=name))
    here = next((target.model for target in found.targets if target.provider == "local"), None)
    if here is None:
        raise found.failure or ModelNotFound(
            f"`{name}` leads to no model of this machine.", hint=f"`paddock route explain {name}` says why."
        )
    return here


@asynccontextmanager
async def _in_a_runner(
    desk: Desk, record: "ModelRecord", draft: "ModelRecord | None", sampling: Sampling, *, ngrams: bool
) -> AsyncGenerator[Ask]:
    from paddock.app import open_fleet, open_pictures
    from paddock.images.seeing import reads_no_images, seeing_models, shows_pictures

    async with open_fleet(desk.config) as fleet, open_pictures(desk.config) as pictures:
        runner = await fleet.start(runner_spec(record, draft, desk.config, ngrams=ngrams))
        async with desk.own_library() as library:
            await library.remember_load(record, runner)

        async def ask(messages: tuple[Message, ...]) -> AsyncGenerator[GenerateEvent]:
            if shows_pictures(messages) and not record.facts.capabilities.vision:
                async with desk.own_library() as library:
                    raise reads_no_images(record.name, seeing_models(await library.list()))
            asked = ChatRequest(id="answer", model=record.name, messages=messages, sampling=sampling)
            async with pictures.read(asked) as seen:
                _warn(desk, seen.warnings)
                request = GenerateRequest(id="answer", messages=seen.request.messages, sampling=sampling)
                async with aclosing(runner.generate(request)) as events:
                    async for event in events:
                        yield event

        yield ask


@asynccontextmanager
async def _in_the_server(desk: Desk, server: "Address", name: str, sampling: Sampling) -> AsyncGenerator[Ask]:
    from paddock.client.opening import connected
    from paddock.client.remote_provider import RemoteProvider

    async with connected(server) as connection:
        provider = RemoteProvider(connection)

        async def ask(messages: tuple[Message, ...]) -> AsyncGenerator[GenerateEvent]:
            request = ChatRequest(id="answer", model=name, messages=messages, sampling=sampling)
            async with aclosing(provider.answer(request)) as events:
                async for event in events:
                    if isinstance(event, Piece):
                        yield event.event
                    else:
                        _warn(desk, event.warnings)

        yield ask


def _warn(desk: Desk, warnings: Sequence[str]) -> None:
    for warning in warnings:
        desk.warn(f"{warning[:1].upper()}{warning[1:]}.")


def opening_messages(manner: Manner) -> list[Message]:
    """What a conversation begins with."""
    return [Message(role="system", content=manner.system)] if manner.system else []


def runner_spec(record: "ModelRecord", draft: "ModelRecord | None", config: "Config", *, ngrams: bool) -> "RunnerSpec":
    """What the fleet is asked for, with the context that the settings give this model."""
    from paddock.config.schema import model_options
    from paddock.fleet.fleet import RunnerSpec
    from paddock.library.running import engine_options

    options = model_options(config, record.name)
    return RunnerSpec(
        name=record.name,
        path=record.path,
        format=record.format,
        kind=ModelKind(record.facts.model_type),
        projector_path=record.projector_path,
        context_window=options.context_size,
        draft_path=draft.path if draft else None,
        draft_name=draft.name if draft else None,
        ngram_speculation=ngrams,
        options=engine_options(record, options),
    )


def _sampling(record: "ModelRecord", config: "Config", manner: Manner) -> Sampling:
    """What was asked for, else what is set for this model, else what is set for all."""
    from paddock.config.schema import ModelOptions

    common = config.options
    own = config.models[record.name].options if record.name in config.models else ModelOptions()
    return Sampling(
        temperature=next(
            value for value in (manner.temperature, own.temperature, common.temperature) if value is not None
        ),
        max_tokens=next(value for value in (manner.max_tokens, own.max_tokens, common.max_tokens) if value is not None),
        top_p=next(value for value in (manner.top_p, own.top_p, common.top_p) if value is not None),
        top_k=own.top_k or common.top_k or 0,
        repetition_penalty=own.repeat_penalty or common.repeat_penalty or 1.0,
        seed=manner.seed,
    )
