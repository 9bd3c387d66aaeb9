"""The models in memory here, as a Provider."""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from paddock.config.schema import Config, Options, model_options
from paddock.engine.checks import check_sampling
from paddock.errors import Overloaded, PaddockError
from paddock.fleet.fleet import Runner
from paddock.images.pictures import Pictures
from paddock.images.seeing import reads_no_images, shows_pictures
from paddock.library.records import ModelRecord
from paddock.providers.merging import merged
from paddock.providers.naming import Find, Target, resolve
from paddock.providers.provider import Accepted, AnswerEvent, Piece, Scores, Vectors
from paddock.runner.kinds import no_scores, no_text, no_vectors, only_scores
from paddock.telemetry.timeline import Generating, step
from paddock.version import VERSION
from paddock.vocabulary import ChatRequest, EmbedRequest, GenerateRequest, ModelKind, RerankRequest, Sampling

if TYPE_CHECKING:
    from paddock.pool.lease import Lease
    from paddock.pool.pool import Pool

_RETRY_AFTER_S: Final = 1.0  # for a queue of requests: an answer takes about so long to make room
_SEED_BYTES: Final = 8

Seeing = Callable[[], Awaitable[Sequence[str]]]

_Request = ChatRequest | EmbedRequest | RerankRequest


class LocalProvider:
    """Implements Provider: a lease from the pool, and a request to its runner for each choice."""

    def __init__(self, pool: "Pool", config: Config, *, find: Find, pictures: Pictures, seeing: Seeing) -> None:
        """`find` turns a name or alias into a record, or raises ModelNotFound. `seeing` names models that read pictures."""
        self._pool = pool
        self._pictures = pictures
        self._seeing = seeing
        self._config = config
        self._find = find

    def reconfigure(self, config: Config) -> None:
        """These settings hold for requests from now on."""
        self._config = config

    async def answer(self, request: ChatRequest) -> AsyncGenerator[AnswerEvent]:
        """See Provider."""
        target = await resolve(request.model, find=self._find, default=self._config.model.default)
        record = target.record
        _check_speaks(record)
        await self._check_sees(record, request)
        request = replace(request, sampling=_settled(request, model_options(self._config, record.name)))
        with _worth_another_try():
            async with self._pictures.read(request) as seen:
                yield replace(_accepted(target), sampling=request.sampling, warnings=seen.warnings)
                async with aclosing(self._pieces(record, seen.request)) as pieces:
                    async for piece in pieces:
                        yield piece

    async def _pieces(self, record: ModelRecord, request: ChatRequest) -> AsyncGenerator[Piece]:
        async with self._lease(record, request) as lease:
            _check(request.sampling, lease.runner)
            choices, steps, told = merged([lease.runner.generate(each) for each in _requests(request)]), Generating(), 0
            async with aclosing(choices):
                async for choice, event in choices:
                    if event.begun is not None:
                        steps.first(event.begun.queued_s)
                    if event.usage is not None:
                        told += event.usage.completion_tokens
                        steps.ended({"tokens": told})
                    yield Piece(choice=choice, event=event)

    async def count(self, request: ChatRequest) -> int:
        """See Provider. The model is loaded for it: only its own tokenizer and template know."""
        target = await resolve(request.model, find=self._find, default=self._config.model.default)
        _check_speaks(target.record)
        await self._check_sees(target.record, request)
        async with self._pictures.read(request) as seen, self._lease(target.record, request) as lease:
            return await lease.runner.count(_requests(seen.request)[0])

    async def _check_sees(self, record: ModelRecord, request: ChatRequest) -> None:
        """Raises UsageError for pictures that this model could not read."""
        if shows_pictures(request.messages) and not record.facts.capabilities.vision:
            raise reads_no_images(record.name, await self._seeing())

    async def embed(self, request: EmbedRequest) -> Vectors:
        """See Provider."""
        target = await resolve(request.model, find=self._find, default=self._config.model.default)
        _check_embeds(target.record)
        with _worth_another_try():
            async with self._lease(target.record, request) as lease:
                embedded = await lease.runner.embed(request)
        return Vectors(accepted=_accepted(target), embedded=embedded)

    async def rerank(self, request: RerankRequest) -> Scores:
        """See Provider."""
        target = await resolve(request.model, find=self._find, default=self._config.model.default)
        _check_scores(target.record)
        with _worth_another_try():
            async with self._lease(target.record, request) as lease:
                reranked = await lease.runner.rerank(request)
        return Scores(accepted=_accepted(target), reranked=reranked)

    @asynccontextmanager
    async def _lease(self, record: ModelRecord, request: _Request) -> AsyncGenerator["Lease"]:
        async with AsyncExitStack() as held:
            with step("lease", model=record.name):
                leased = self._pool.lease(
                    record.name,
                    user=f"request {request.id}",
                    priority=request.priority,
                    deadline_s=request.deadline_s,
                    keep_alive=request.keep_alive,
                )
                lease = await held.enter_async_context(leased)
            yield lease


def choice_seed(seed: int | None, choice: int) -> int | None:
    """The seed of one choice: the first has the request's own, so that asking for more changes nothing about it."""
    if seed is None or choice == 0:
        return seed
    digest = hashlib.sha256(f"{seed}:{choice}".encode()).digest()
    return int.from_bytes(digest[:_SEED_BYTES], "big")


def _requests(request: ChatRequest) -> Sequence[GenerateRequest]:
    """One a choice. They have their prompt in common, which is computed once."""
    return [
        GenerateRequest(
            id=f"{request.id}.{choice}" if choice else request.id,
            sampling=replace(request.sampling, seed=choice_seed(request.sampling.seed, choice)),
            messages=request.messages,
            prompt=request.prompt,
            tokens=request.tokens,
            priority=request.priority,
            tenant=request.tenant,
            tools=request.tools,
            tool_choice=request.tool_choice,
            format=request.format,
            thinking=request.thinking,
            template_options=request.template_options,
            deadline_s=request.deadline_s,
        )
        for choice in range(request.choices)
    ]


def _settled(request: ChatRequest, options: Options) -> Sampling:
    """What was asked for, and where nothing was, what is set for this model."""
    ours: dict[str, float | int] = {
        "temperature": options.temperature,
        "max_tokens": options.max_tokens,
        "top_p": options.top_p,
        "top_k": options.top_k or 0,
        "repetition_penalty": options.repeat_penalty or 1.0,
    }
    return replace(request.sampling, **{name: value for name, value in ours.items() if name in request.left_open})


def _check(sampling: Sampling, runner: Runner) -> None:
    """The runner checks it, too; here the error still knows which field it is about."""
    try:
        model = runner.model
    except PaddockError:  # it restarts, and says itself what is wrong
        return
    check_sampling(sampling, model.vocabulary, model.context_window)


@contextmanager
def _worth_another_try() -> Generator[None]:
    """Whoever is turned away in here is told when to come again."""
    try:
        yield
    except Overloaded as error:
        if error.retry_after_s is None:
            error.retry_after_s = _RETRY_AFTER_S
        raise


def _check_speaks(record: ModelRecord) -> None:
    if _is_reranker(record):
        raise only_scores(record.name)
    if not record.facts.capabilities.text:
        raise no_text(record.name)


def _check_embeds(record: ModelRecord) -> None:
    if _is_reranker(record):
        raise only_scores(record.name)
    if not record.facts.capabilities.embeddings:
        raise no_vectors(record.name)


def _check_scores(record: ModelRecord) -> None:
    if record.facts.capabilities.embeddings:
        raise no_scores(record.name)
    if not _is_reranker(record):
        raise no_vectors(record.name)


def _is_reranker(record: ModelRecord) -> bool:
    """Rerankers are of the kind that embeds, and make no embeddings."""
    return record.facts.model_type == ModelKind.EMBEDDINGS and not record.facts.capabilities.embeddings


def _accepted(target: Target) -> Accepted:
    record = target.record
    return Accepted(
        model=record.name,
        provider="local",
        route=target.route,
        fingerprint=_fingerprint(record.name, record.fingerprint),
    )


@lru_cache(maxsize=64)
def _fingerprint(name: str, fingerprint: str) -> str:
    """Another one when the model's files or the program changed: answers to the same seed may differ then."""
    return "fp_" + hashlib.sha256(f"{VERSION}:{name}:{fingerprint}".encode()).hexdigest()[:12]
