"""One contract for a Paddock, held twice: in this process, and behind a server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from paddock.chats.chats import ChatOptions
from paddock.chats.messages import (
    MessagePart,
    NewMessage,
    PartKind,
    Role,
    Timing,
    answer_message,
    text_message,
    text_of,
)
from paddock.client.opening import open_paddock
from paddock.client.paddock import Paddock
from paddock.errors import (
    InUse,
    ModelNotFound,
    NotFound,
    PaddockError,
    PromptTooLong,
    UsageError,
    WentOn,
    WrongKindOfModel,
)
from paddock.library.pulling.plan import PullOptions
from paddock.pool.status import MemoryState
from paddock.vocabulary import FinishReason, Message, ModelStatus, Origin, PullStatus, ToolCall, Usage
from tests.client.serving import RunningServer, real_time
from tests.library.rooms import Events, Site

PONY = "pony"


@pytest.fixture(params=["in this process", "behind a server"])
async def paddock(request: pytest.FixtureRequest, site: Site) -> AsyncGenerator[Paddock]:
    """The same machine, opened both ways."""
    if request.param == "in this process":
        async with open_paddock(in_process=True, config=site.config, world=real_time(site.world)) as paddock:
            assert paddock.url is None
            yield paddock
        return
    with RunningServer(site) as server:
        async with open_paddock(config=site.config) as paddock:
            assert paddock.url == server.url
            yield paddock


async def test_models_are_listed_and_shown(paddock: Paddock) -> None:
    """Who lists models gets whole values, times and enumerations included, wherever they come from."""
    models = {model.name: model for model in await paddock.list()}
    assert models[PONY].origin is Origin.BUILTIN
    assert models[PONY].modified_at.tzinfo is not None
    details = await paddock.show(PONY)
    assert details.info.name == PONY
    assert details.working_memory_bytes
    assert (await paddock.library.get(PONY)).facts.context_window == models[PONY].context_window


async def test_a_model_that_is_not_here_is_told_by_name(paddock: Paddock) -> None:
    """Errors are the same classes on both sides, with message and hint."""
    with pytest.raises(ModelNotFound, match="pany") as caught:
        await paddock.load("pany")
    assert PONY in caught.value.hint
    assert await paddock.status("pany") is ModelStatus.NOT_FOUND


async def test_a_model_is_planned_pulled_watched_and_removed(paddock: Paddock) -> None:
    """The whole life of a download: its plan, its progress from 0 % to 100 %, its end."""
    plan = await paddock.plan("org/tiny")
    assert plan.fetch_bytes > 0
    events = Events()
    model = await paddock.pull("org/tiny", PullOptions(pin=True), on_progress=events)
    assert model.name == "org/tiny"
    assert model.pinned
    assert events.seen[0].percentage == 0
    assert events.last.percentage == 100
    assert events.last.status is PullStatus.COMPLETE
    assert (await paddock.plan("org/tiny")).fetch_bytes == 0
    assert [job.status for job in await paddock.library.pulls.list()] == [PullStatus.COMPLETE]
    assert await paddock.pull("org/tiny") == replace(model, aliases=())
    assert (await paddock.remove("org/tiny", dry_run=True)).freed_bytes > 0
    assert (await paddock.remove("org/tiny")).freed_bytes > 0
    assert await paddock.status("org/tiny") is ModelStatus.NOT_FOUND


async def test_what_is_built_in_needs_no_pull(paddock: Paddock) -> None:
    """Pulling what is here already answers with the model at once."""
    assert (await paddock.pull("builtin://pony")).name == PONY


async def test_a_full_disk_is_refused_with_its_own_error(paddock: Paddock, site: Site) -> None:
    """A program can tell a full disk from a broken network."""
    site.free_bytes = 10
    with pytest.raises(PaddockError) as caught:
        await paddock.pull("org/tiny")
    assert caught.value.code == "not_enough_disk"


async def test_search_compare_verify_and_second_names(paddock: Paddock) -> None:
    """What the command line does with models, programs do too."""
    hits = await paddock.search("tiny")
    assert "org/tiny" in [hit.name for hit in hits]
    await paddock.pull("org/tiny")
    assert (await paddock.compare(PONY, "org/tiny")).models == (PONY, "org/tiny")
    checked: list[str] = []
    results = await paddock.library.verify([PONY], on_file=lambda model, check: checked.append(model))
    assert [result.ok for result in results] == [True]
    assert set(checked) == {PONY}
    await paddock.copy(PONY, "horse")
    assert (await paddock.show("horse")).info.name == PONY
    with pytest.raises(UsageError):
        await paddock.copy(PONY, "not a name")
    assert (await paddock.library.set_keep_alive(PONY, "30m")).keep_alive
    assert (await paddock.library.set_keep_alive(PONY, None)).keep_alive is None


async def test_the_disk_is_reported_and_cleaned_up(paddock: Paddock) -> None:
    """A clean-up removes what its plan named and nothing else."""
    await paddock.pull("org/tiny")
    cleaning = paddock.library.cleaning
    assert (await cleaning.usage()).total_bytes > 0
    plan = await cleaning.plan(older_than_days=0)
    assert [removal.name for removal in plan.removals] == ["org/tiny"]

    async def remove(name: str) -> int:
        return (await paddock.remove(name)).freed_bytes

    done = await cleaning.prune(plan, remove)
    assert done.failures == ()
    assert done.freed_bytes == plan.freed_bytes
    assert await paddock.status("org/tiny") is ModelStatus.NOT_FOUND
    assert await paddock.status(PONY) is ModelStatus.AVAILABLE


async def test_models_come_into_memory_and_leave_it(paddock: Paddock) -> None:
    """Load, look, pin, warm, unload: the figures are the pool's own."""
    loaded = await paddock.load(PONY, pin=True)
    assert (loaded.model_id, loaded.preloaded, loaded.was_loaded) == (PONY, True, False)
    assert loaded.memory_bytes > 0
    assert (await paddock.load(PONY)).was_loaded
    status = await paddock.memory()
    assert status.loaded_models[PONY].state is MemoryState.READY
    assert status.loaded_models[PONY].preloaded
    assert status.counters.loads == 1
    assert (await paddock.warm(PONY, prefill_tokens=8, tokens=2)).status == "warm"
    assert not (await paddock.pin(PONY, pinned=False)).preloaded
    with pytest.raises(PaddockError):
        await paddock.remove(PONY)
    unloaded = await paddock.unload(PONY)
    assert unloaded.was_loaded
    assert (await paddock.memory()).loaded_models == {}
    assert not (await paddock.unload(PONY)).was_loaded


async def test_a_model_in_memory_is_not_removed(paddock: Paddock) -> None:
    """A runner has its files open; who wants them gone unloads it first."""
    await paddock.copy(PONY, "horse")
    await paddock.load(PONY)
    with pytest.raises(InUse, match="in use"):
        await paddock.library.remove(PONY)


async def test_a_question_is_answered_whole_and_piece_by_piece(paddock: Paddock) -> None:
    """Both ways of asking give the same text for the same settings."""
    asked = "What is 3 plus 4?"
    answer = await paddock.chat(asked, model=PONY, temperature=0, max_tokens=12)
    assert answer.text
    assert answer.model == PONY
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    async with aclosing(paddock.stream(asked, model=PONY, temperature=0, max_tokens=12)) as coming:
        parts = [part async for part in coming]
    assert "".join(part.text for part in parts) == answer.text
    assert parts[-1].finish_reason is answer.finish_reason
    seeded = [await paddock.chat(asked, model=PONY, seed=7, max_tokens=12) for _ in range(2)]
    assert seeded[0].text == seeded[1].text


async def test_the_length_of_an_answer_is_heeded(paddock: Paddock) -> None:
    """Settings arrive; an answer that was cut says so."""
    answer = await paddock.chat("Tell me a long story.", model=PONY, temperature=0, max_tokens=3)
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.usage.completion_tokens == 3


async def test_leaving_a_stream_frees_the_model(paddock: Paddock) -> None:
    """Who stops listening must not keep a model busy."""
    async with aclosing(paddock.stream("Tell me a long story.", model=PONY, max_tokens=400)) as parts:
        async for _ in parts:
            break
    async with asyncio.timeout(30):
        while (await paddock.memory()).loaded_models[PONY].leases:
            await asyncio.sleep(0.05)


async def test_conversations_are_kept_found_branched_and_deleted(paddock: Paddock) -> None:
    """A dashboard on another machine sees what the terminal here said, to the last field."""
    chats = paddock.chats
    begun = await chats.create(model=PONY)
    call = MessagePart(kind=PartKind.TOOL_CALL, call=ToolCall(id="c1", name="look", arguments="{}"))
    image = MessagePart(kind=PartKind.IMAGE, media_type="image/png", data="aGk=")
    said = [
        NewMessage(role=Role.USER, parts=(*text_message(Role.USER, "What ÄRE you?").parts, image)),
        NewMessage(role=Role.ASSISTANT, parts=(call,), finish_reason=FinishReason.TOOL_CALLS),
        NewMessage(role=Role.TOOL, parts=(MessagePart(kind=PartKind.TOOL_RESULT, text="a horse", call_id="c1"),)),
        answer_message(
            "A horse.",
            reasoning="Hm.",
            model=PONY,
            finish_reason=FinishReason.STOP,
            usage=Usage(prompt_tokens=5, completion_tokens=3),
            timing=Timing(first_token_seconds=0.1, seconds=0.2),
        ),
    ]
    saved = await chats.append(begun.id, said)
    kept = await chats.get(begun.id)
    assert tuple(saved) == kept.messages
    assert [(one.role, one.parts, one.finish_reason, one.usage, one.timing) for one in kept.messages] == [
        (one.role, one.parts, one.finish_reason, one.usage, one.timing) for one in said
    ]
    assert (kept.title, kept.length) == ("What ÄRE you?", 4)
    assert kept.created_at.tzinfo is not None
    branch = await chats.branch(kept.id, at=0)
    assert [text_of(message) for message in branch.messages] == ["What ÄRE you?"]
    assert await chats.get(kept.id) == kept
    assert [one.id for one in (await chats.branches(branch.id)).chats] == [kept.id, branch.id]
    assert (await chats.set_options(branch.id, ChatOptions(temperature=0.0), model=PONY)).options.temperature == 0.0
    with pytest.raises(WentOn):
        await chats.append(branch.id, said[:1], after=0)
    assert (await chats.rename(branch.id, "A branch")).title == "A branch"
    assert [chat.id for chat in (await chats.list(search="äre")).chats] == [branch.id, kept.id]
    first = await chats.list(limit=1, model=PONY)
    assert [chat.id for chat in (await chats.list(limit=1, before=first.next)).chats] == [kept.id]
    assert (await chats.delete(branch.id)).title == "A branch"
    for unknown in (branch.id, "", "..", "a/messages"):
        with pytest.raises(NotFound, match="no conversation"):
            await chats.get(unknown)
    with pytest.raises(UsageError):
        await chats.append(kept.id, [])
    with pytest.raises(UsageError, match="text"):
        await chats.append(kept.id, [NewMessage(role=Role.USER, parts=(MessagePart(kind=PartKind.TEXT),))])
    assert (await chats.delete_all()).deleted == 1
    assert (await chats.list()).chats == ()


async def test_a_session_remembers_and_warms_up_by_itself(paddock: Paddock) -> None:
    """The first turn finds the model in memory; each turn sees the ones before."""
    session = paddock.session(PONY, system="You are brief.", temperature=0, max_tokens=8)
    async with asyncio.timeout(60):
        while PONY not in (await paddock.memory()).loaded_models:
            await asyncio.sleep(0.05)
    first = await session.say("Hello")
    assert [message.role for message in session.messages] == ["system", "user", "assistant"]
    assert session.messages[-1] == Message(role="assistant", content=first.text)
    second = await session.say("And now?")
    assert second.usage.prompt_tokens > first.usage.prompt_tokens
    assert len(session.messages) == 5
    await session.close()


async def test_a_turn_that_fails_leaves_no_trace(paddock: Paddock) -> None:
    """A conversation can go on after an error."""
    session = paddock.session("org/absent")
    with pytest.raises(ModelNotFound):
        await session.say("Hello")
    assert session.messages == []
    await session.close()


async def test_texts_become_vectors(paddock: Paddock) -> None:
    """The same numbers, counts and refusals on both sides."""
    made = await paddock.embed(["A horse runs.", "What is 3 plus 4?", [2, 100, 3]], model="pony-embed")
    assert made.model == "pony-embed"
    assert [len(vector) for vector in made.vectors] == [256] * 3
    assert sum(number**2 for number in made.vectors[0]) == pytest.approx(1, abs=1e-5)
    assert (made.tokens[2], made.truncated_tokens) == (3, 0)
    assert (await paddock.embed("horse " * 600, model="pony-embed", truncate=True)).truncated_tokens == 90
    with pytest.raises(PromptTooLong, match="reads 512"):
        await paddock.embed("horse " * 600, model="pony-embed")
    with pytest.raises(WrongKindOfModel, match="writes text"):
        await paddock.embed("a", model=PONY)
    with pytest.raises(UsageError, match="Text 1 is empty"):
        await paddock.embed(["a", ""], model="pony-embed")
