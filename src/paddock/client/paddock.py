"""`Paddock`: everything a program can do, as one object. `paddock.open()` gives one."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TypedDict, Unpack

from paddock.catalog.compare import Comparison
from paddock.client.asking import (
    Answer,
    Answers,
    Embeddings,
    Manner,
    Part,
    as_message,
    as_messages,
    embed_texts,
    stream_answer,
    whole_answer,
)
from paddock.client.interface import ModelLibrary, ModelPool, SavedChats
from paddock.errors import PaddockError
from paddock.library.details import ModelDetails
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.library.removal import Removed
from paddock.library.searching import SearchHit
from paddock.library.trials.results import TrialResult
from paddock.library.verification import Verification
from paddock.server.models_document import LoadAnswer, ModelsStatus, PinAnswer, UnloadAnswer, WarmAnswer
from paddock.vocabulary import FinishReason, Message, ModelInfo, ModelStatus, ProgressEvent, SourceKind, Usage


class HowToAnswer(TypedDict, total=False):
    """Settings of one answer; what is left out follows the options that are set for the model."""

    temperature: float | None
    max_tokens: int | None
    top_p: float | None
    seed: int | None
    stop: tuple[str, ...]


class Paddock:
    """A library, a pool, and models that answer: in this process, or behind a server. Every failure is a PaddockError.

    `library` and `pool` can do more than the methods here, which are what most programs want. `chats` are the conversations
    that are kept.
    """

    def __init__(
        self, *, library: ModelLibrary, chats: SavedChats, pool: ModelPool, provider: Answers, url: str | None
    ) -> None:
        self.library = library
        self.chats = chats
        self.pool = pool
        self.url = url  # of the server that does the work; None is this process
        self._provider = provider

    # Models on the disk and at the hubs

    async def list(self, *, refresh: bool = False) -> Sequence[ModelInfo]:
        """Every model here."""
        return await self.library.list(refresh=refresh)

    async def show(self, name: str) -> ModelDetails:
        """All that is known of one model, here or at its hub. Raises ModelNotFound."""
        return await self.library.show(name)

    async def status(self, name: str) -> ModelStatus:
        """Here, on its way, or neither."""
        return await self.library.status(name)

    async def search(self, query: str, *, limit: int = 20, source: SourceKind | None = None) -> Sequence[SearchHit]:
        """Models at the hubs, each with whether it would run here."""
        return await self.library.search(query, limit=limit, source=source)

    async def compare(self, *names: str) -> Comparison:
        """Models side by side."""
        return await self.library.compare(names)

    async def plan(self, reference: str, options: PullOptions | None = None) -> Plan:
        """What a pull would take: bytes, disk, memory, whether it will run. Moves no weights."""
        return await self.library.plan(reference, options)

    async def pull(
        self,
        reference: str,
        options: PullOptions | None = None,
        *,
        on_progress: Callable[[ProgressEvent], None] | None = None,
    ) -> ModelInfo:
        """Fetch a model and wait for it. Cancelling the wait pauses it; calling again goes on."""
        return await self.library.pull(reference, options, on_progress=on_progress)

    async def remove(self, name: str, *, adopted: bool = False, dry_run: bool = False) -> Removed:
        """Remove a model from the disk. Raises InUse while it is in memory."""
        return await self.library.remove(name, adopted=adopted, dry_run=dry_run)

    async def copy(self, source: str, alias: str) -> None:
        """Give a model a second name."""
        await self.library.copy(source, alias)

    async def verify(self, *names: str, repair: bool = False) -> Sequence[Verification]:
        """Check every byte of these models, or of all."""
        return await self.library.verify(names, repair=repair)

    # Models in memory

    async def load(self, name: str, *, pin: bool | None = None, warm: bool | None = None) -> LoadAnswer:
        """Bring a model into memory."""
        return await self.pool.load(name, pin=pin, warm=warm)

    async def unload(self, name: str, *, force: bool = False) -> UnloadAnswer:
        """Take a model out of memory. Raises InUse while requests use it, unless forced."""
        return await self.pool.unload(name, force=force)

    async def pin(self, name: str, *, pinned: bool = True) -> PinAnswer:
        """Keep a model in memory once it is there, or no longer."""
        return await self.pool.pin(name, pinned=pinned)

    async def warm(
        self, name: str, *, prefill_tokens: int = 128, tokens: int = 4, keep_loaded: bool | None = None
    ) -> WarmAnswer:
        """Load a model if need be and run it once, so that the first answer comes quickly."""
        return await self.pool.warm(name, prefill_tokens=prefill_tokens, tokens=tokens, keep_loaded=keep_loaded)

    async def trial(self, name: str) -> TrialResult:
        """Load a model if need be and find out how fast it is and what it can do; routing uses what came out."""
        return await self.pool.trial(name)

    async def memory(self) -> ModelsStatus:
        """Every model in memory, and the room for more."""
        return await self.pool.status()

    # Answers

    async def chat(
        self,
        asked: str | Message | Sequence[Message],
        *,
        model: str = "",
        system: str | None = None,
        **how: Unpack[HowToAnswer],
    ) -> Answer:
        """The answer to a question or a conversation. `model` empty is the default model."""
        return await whole_answer(self._provider, model, as_messages(asked, system), Manner(**how))

    async def stream(
        self,
        asked: str | Message | Sequence[Message],
        *,
        model: str = "",
        system: str | None = None,
        **how: Unpack[HowToAnswer],
    ) -> AsyncGenerator[Part]:
        """The same as it is written. Leaving the iteration stops the model (close it with `aclosing` to be sure)."""
        async with aclosing(stream_answer(self._provider, model, as_messages(asked, system), Manner(**how))) as parts:
            async for part in parts:
                yield part

    async def embed(
        self,
        texts: str | Sequence[str | Sequence[int]],
        *,
        model: str,
        dimensions: int | None = None,
        truncate: bool = False,
        input_type: str | None = None,
    ) -> Embeddings:
        """A vector of each text, or of its tokens. `dimensions` wants a model that was trained for shorter vectors.

        `truncate` cuts texts that are too long, which are refused otherwise; `input_type` names one of the model's prompts,
        `query` and `document` for most. Raises WrongKindOfModel for a model that writes, PromptTooLong, UsageError.
        """
        asked = (texts,) if isinstance(texts, str) else texts
        return await embed_texts(
            self._provider, model, asked, dimensions=dimensions, truncate=truncate, input_type=input_type
        )

    def session(self, model: str, *, system: str | None = None, **how: Unpack[HowToAnswer]) -> "Session":
        """A conversation that remembers what was said. The model is warmed up meanwhile: call it in a coroutine."""
        return Session(self, self._provider, model, system=system, manner=Manner(**how))


class Session:
    """A conversation with one model. `messages` is what was said so far; it may be changed between turns."""

    def __init__(self, paddock: Paddock, provider: Answers, model: str, *, system: str | None, manner: Manner) -> None:
        self.model = model
        self.messages: list[Message] = [*as_messages((), system)]
        self._paddock = paddock
        self._provider = provider
        self._manner = manner
        self._warming = asyncio.ensure_future(self._warm_up())

    async def say(self, text: str | Message) -> Answer:
        """The answer to `text`, or to a message with pictures, in the light of what was said before.

        A turn that fails leaves no trace.
        """
        parts = [part async for part in self.stream(text)]
        last = parts[-1]
        return Answer(
            text="".join(part.text for part in parts),
            reasoning="".join(part.reasoning for part in parts),
            model=last.model,
            finish_reason=last.finish_reason or FinishReason.STOP,
            usage=last.usage or Usage(),
        )

    async def stream(self, text: str | Message) -> AsyncGenerator[Part]:
        """The same as it is written. An answer that is left early is remembered as far as it came."""
        await self._warming
        asked = [*self.messages, as_message(text)]
        said: list[str] = []
        try:
            async with aclosing(stream_answer(self._provider, self.model, asked, self._manner)) as parts:
                async for part in parts:
                    said.append(part.text)
                    yield part
        except PaddockError:
            said.clear()
            raise
        finally:
            if said:
                self.messages = [*asked, Message(role="assistant", content="".join(said))]

    async def ready(self) -> None:
        """Returns when the model is in memory and warm. Raises what loading it raises."""
        await self._paddock.warm(self.model)

    async def _warm_up(self) -> None:
        try:
            await self._paddock.warm(self.model)
        except PaddockError:  # the first turn meets the same failure, and raises it to somebody
            return

    async def close(self) -> None:
        """Stop warming up. The model stays in memory as long as its keep-alive says."""
        self._warming.cancel()
        await asyncio.gather(self._warming, return_exceptions=True)
