"""Requests go out in the dialect of who is asked, answers come back in our words, failures as the errors that they are."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from paddock.dialects.asking import OWN_FIELDS
from paddock.dialects.rerank import parse_rerank, write_rerank
from paddock.errors import (
    AnswerBrokenOff,
    ModelNotFound,
    NotOffered,
    PaddockError,
    PromptTooLong,
    ProviderFailed,
    ProviderRefused,
    ProviderTimedOut,
    ProviderUnreachable,
    RateLimited,
    UsageError,
)
from paddock.providers.provider import Piece
from paddock.providers.speech import OpenAISpeech
from paddock.vocabulary import (
    EmbedRequest,
    FinishReason,
    FormatKind,
    Message,
    OutputFormat,
    Picture,
    Reranked,
    RerankRequest,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolUse,
    Usage,
)
from tests.fakes.clouds import CLOUDS, Act, Reply

from .asking import ask, hear, remote

KINDS = sorted(CLOUDS)
every_kind = pytest.mark.parametrize("kind", KINDS)
ADD = Tool(name="add", description="Adds.", parameters={"type": "object", "properties": {"a": {"type": "integer"}}})
PIXEL = "data:image/png;base64,iVBORw0KGgo="


async def sent(kind: str, request: Any, **others: Any) -> dict[str, Any]:
    """The body that goes out."""
    async with CLOUDS[kind]() as cloud, remote(cloud, kind, **others) as provider:
        await hear(provider, request)
        return cloud.asked[0].body


@every_kind
async def test_a_text_comes_in_pieces_with_its_end_and_its_usage(kind: str) -> None:
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        heard = await hear(provider, ask())
    assert heard.text() == "Hello from afar"
    assert len(heard.pieces) > 3
    assert heard.finish is FinishReason.STOP
    assert heard.usage == Usage(prompt_tokens=11, completion_tokens=3)
    assert [(one.model, one.provider) for one in heard.accepted] == [("far-model", "far")]


@every_kind
async def test_an_answer_that_was_cut_by_its_length_says_so(kind: str) -> None:
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        cloud.next(Act(reply=Reply(finish="length")))
        assert (await hear(provider, ask())).finish is FinishReason.LENGTH


@every_kind
async def test_thoughts_and_calls_come_apart_from_the_text(kind: str) -> None:
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        cloud.next(Act(reply=Reply(reasoning="Let me see.", calls=(("add", '{"a": 1}'), ("now", "{}")))))
        heard = await hear(provider, ask(tools=(ADD,)))
    assert heard.reasoning == "Let me see."
    assert heard.text() == "Hello from afar"
    assert [(name, arguments.replace(" ", "")) for _, name, arguments in heard.calls] == [
        ("add", '{"a":1}'),
        ("now", "{}"),
    ]
    assert len({call_id for call_id, _, _ in heard.calls}) == 2
    assert heard.finish is FinishReason.TOOL_CALLS


@every_kind
async def test_a_conversation_with_calls_goes_out_whole(kind: str) -> None:
    call = ToolCall(id="c1", name="add", arguments='{"a":1}')
    told = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="1+1?"),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content="2", tool_call_id="c1", name="add"),
    )
    body = await sent(kind, ask(messages=told, tools=(ADD,)))
    said = str(body["messages"])
    assert "Be brief." in said or body["system"] == "Be brief."
    assert "c1" in said
    assert "'2'" in said
    assert str(body["tools"]).count("'add'") == 1
    match kind:
        case "openai":
            assert body["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
        case "anthropic":
            assert body["messages"][1]["content"][0]["input"] == {"a": 1}
        case _:
            assert body["messages"][2]["tool_calls"][0]["function"]["arguments"] == {"a": 1}
            assert body["messages"][3]["tool_name"] == "add"


async def test_what_must_be_called_is_said_in_each_dialect() -> None:
    forced = ask(tools=(ADD,), tool_choice=ToolChoice(use=ToolUse.REQUIRED, name="add", parallel=False))
    openai = await sent("openai", forced)
    assert openai["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert openai["parallel_tool_calls"] is False
    anthropic = await sent("anthropic", forced)
    assert anthropic["tool_choice"] == {"type": "tool", "name": "add", "disable_parallel_tool_use": True}
    async with CLOUDS["ollama"]() as cloud, remote(cloud, "ollama") as provider:
        heard = await hear(provider, forced)
    assert heard.accepted[0].ignored == ("tool_choice",), "what cannot be said is named"


async def test_pictures_stand_where_they_stood() -> None:
    seen = Message(role="user", content="Left or right?", images=(Picture(at=4, source=PIXEL),))
    openai = (await sent("openai", ask(messages=(seen,))))["messages"][0]["content"]
    assert [part["type"] for part in openai] == ["text", "image_url", "text"]
    assert openai[1]["image_url"]["url"] == PIXEL
    anthropic = (await sent("anthropic", ask(messages=(seen,))))["messages"][0]["content"]
    assert anthropic[1] == {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
    }
    ollama = (await sent("ollama", ask(messages=(seen,))))["messages"][0]
    assert ollama["images"] == ["iVBORw0KGgo="]


@every_kind
async def test_a_picture_on_this_machine_is_never_sent_away_by_its_path(kind: str) -> None:
    secret = Message(role="user", content="", images=(Picture(source="/etc/passwd"),))
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        with pytest.raises(NotOffered):
            await hear(provider, ask(messages=(secret,)))
        assert cloud.seen == []


@every_kind
async def test_a_schema_holds_the_answer(kind: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    body = await sent(kind, ask(format=OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=schema)))
    assert str(schema) in str(body)


@every_kind
async def test_thinking_is_asked_for_and_forbidden(kind: str) -> None:
    on = str(await sent(kind, ask(thinking=Thinking(enabled=True))))
    off = str(await sent(kind, ask(thinking=Thinking(enabled=False))))
    assert on != off
    assert {"openai": "'enable_thinking': True", "anthropic": "adaptive", "ollama": "'think': True"}[kind] in on


@every_kind
async def test_what_was_left_open_stays_open(kind: str) -> None:
    """The newest models refuse a temperature that nobody asked for."""
    body = await sent(kind, ask())
    assert "temperature" not in str(body)
    asked = await sent(
        kind, ask(sampling={"temperature": 0.3, "max_tokens": 7, "stop": ("x",), "seed": 5}, left_open=frozenset())
    )
    assert "0.3" in str(asked)
    assert "7" in str(asked)


@every_kind
async def test_options_of_the_provider_go_along_as_they_stand(kind: str) -> None:
    options = {"num_ctx": 8192, "nested": {"a": [1, None, True]}, "camelCase": "ü"}
    body = await sent(kind, ask(), options=options)
    place = body["options"] if kind == "ollama" else body
    assert {name: place[name] for name in options} == options


async def test_headers_organisation_and_keys_go_where_each_service_wants_them() -> None:
    async with (
        CLOUDS["openai"]() as cloud,
        remote(cloud, "openai", organization="org-1", headers={"x-team": "a"}) as far,
    ):
        await hear(far, ask())
    headers = cloud.asked[0].headers
    assert (headers["authorization"], headers["openai-organization"], headers["x-team"]) == (
        "Bearer secret-key",
        "org-1",
        "a",
    )
    assert cloud.asked[0].path == "/v1/chat/completions"
    async with CLOUDS["anthropic"]() as cloud, remote(cloud, "anthropic") as far:
        await hear(far, ask())
    headers = cloud.asked[0].headers
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("secret-key", "2023-06-01")
    assert cloud.asked[0].body["max_tokens"] == 4096


async def test_a_plain_prompt_goes_on_where_there_is_such_a_thing() -> None:
    for kind in ("openai", "ollama"):
        async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
            heard = await hear(provider, ask(messages=None, prompt="Once"))
            assert cloud.asked[0].body["prompt"] == "Once"
        assert heard.text() == "Hello from afar"
    async with CLOUDS["anthropic"]() as cloud, remote(cloud, "anthropic") as provider:
        with pytest.raises(NotOffered):
            await hear(provider, ask(messages=None, prompt="Once"))


async def test_several_choices_are_one_request_to_openai_and_refused_elsewhere() -> None:
    async with CLOUDS["openai"]() as cloud, remote(cloud, "openai") as provider:
        heard = await hear(provider, ask(choices=2))
        assert len(cloud.asked) == 1
    assert heard.text(0) == heard.text(1) == "Hello from afar"
    for kind in ("anthropic", "ollama"):
        async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
            heard = await hear(provider, ask(choices=2))
            assert len(cloud.asked) == 2
        assert heard.text(0) == heard.text(1) == "Hello from afar"
        assert len(heard.accepted) == 1


FAILURES: list[tuple[int, str, type[PaddockError]]] = [
    (400, "", UsageError),
    (401, "", ProviderRefused),
    (403, "", ProviderRefused),
    (404, "", ModelNotFound),
    (408, "", ProviderFailed),
    (409, "", ProviderFailed),
    (422, "", UsageError),
    (429, "", RateLimited),
    (429, "insufficient_quota", ProviderRefused),
    (500, "", ProviderFailed),
    (503, "", ProviderFailed),
    (529, "", ProviderFailed),
]


@every_kind
@pytest.mark.parametrize(("status", "code", "error"), FAILURES)
async def test_each_status_is_an_error_of_ours(kind: str, status: int, code: str, error: type[PaddockError]) -> None:
    if code and kind == "ollama":
        status, error = 402, ProviderRefused  # Ollama tells no codes
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        cloud.next(Act(status=status, code=code, message="no secret-key today", headers={"retry-after": "7"}))
        with pytest.raises(PaddockError) as caught:
            await hear(provider, ask())
    assert type(caught.value) is error
    assert "no … today" in caught.value.message, "the far side's words without our key"
    if isinstance(caught.value, RateLimited) or type(caught.value) is ProviderFailed:
        assert caught.value.retry_after_s == 7


@every_kind
async def test_a_prompt_that_is_too_long_there_is_one_here(kind: str) -> None:
    said = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        cloud.next(Act(status=400, message=said))
        with pytest.raises(PromptTooLong, match=r"8192.*9000"):
            await hear(provider, ask())


@every_kind
@pytest.mark.parametrize(
    ("act", "error"),
    [
        (Act(drop=True), AnswerBrokenOff),
        (Act(cut_after=0), AnswerBrokenOff),
        (Act(cut_after=3), AnswerBrokenOff),
        (Act(end_after=3), AnswerBrokenOff),
        (Act(garble_at=3), AnswerBrokenOff),
        (Act(fail_at=3), ProviderFailed),
        (Act(body=b"<html>Bad gateway</html>", status=502), ProviderFailed),
        (Act(body=b"<html>Welcome</html>"), AnswerBrokenOff),
    ],
)
async def test_what_breaks_off_or_cannot_be_read_is_told(kind: str, act: Act, error: type[PaddockError]) -> None:
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        cloud.next(act)
        with pytest.raises(PaddockError) as caught:
            await hear(provider, ask())
    assert type(caught.value) is error, caught.value
    assert "<html>" not in caught.value.message


@every_kind
async def test_nobody_there_and_nobody_speaking_are_two_things(kind: str) -> None:
    async with CLOUDS[kind]() as cloud:
        never = asyncio.Event()
        cloud.next(Act(wait_first=never))
        async with remote(cloud, kind, timeout_s=0.05) as provider:
            with pytest.raises(ProviderTimedOut):
                await hear(provider, ask())
        await cloud.stop()
        async with remote(cloud, kind) as provider:
            with pytest.raises(ProviderUnreachable, match="far"):
                await hear(provider, ask())
        await cloud.start(cloud.port)


@every_kind
async def test_who_leaves_ends_the_work_at_the_far_side(kind: str) -> None:
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        first = {"openai": 2, "anthropic": 4, "ollama": 1}[kind]  # events up to the first piece of text
        cloud.next(Act(wait_after=(first, asyncio.Event())))
        async with asyncio.timeout(30):
            answer = provider.answer(ask())
            async for event in answer:
                if isinstance(event, Piece):
                    break
            await answer.aclose()
            while not cloud.asked[0].left or cloud.open:
                await asyncio.sleep(0.005)


async def test_rate_limits_are_told_in_either_dialect() -> None:
    told = {"x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-requests": "6m0s"}
    async with CLOUDS["openai"]() as cloud, remote(cloud, "openai") as provider:
        cloud.next(Act(headers=told))
        limits = (await hear(provider, ask())).accepted[0].limits
    assert limits.headers(anthropic=False) == told
    assert limits.headers(anthropic=True) == {
        "anthropic-ratelimit-tokens-remaining": "149984",
        "anthropic-ratelimit-requests-reset": "6m0s",
    }


async def test_vectors_come_from_those_who_make_them() -> None:
    for kind in ("openai", "ollama"):
        async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
            got = await provider.embed(EmbedRequest(id="e", inputs=("a", "b"), model="far-model"))
        assert got.embedded.dimensions == 2
        assert len(got.embedded.vectors) == 16
        assert sum(got.embedded.tokens) == 5
    async with CLOUDS["anthropic"]() as cloud, remote(cloud, "anthropic") as provider:
        with pytest.raises(NotOffered):
            await provider.embed(EmbedRequest(id="e", inputs=("a",), model="claude-far"))
        assert await provider.count(ask()) == 42


RERANK = RerankRequest(id="r", query="Which?", documents=("short", "the longest of all", "longer"), model="far-model")


async def test_scores_come_back_in_the_order_of_the_documents() -> None:
    """They are sent the best first."""
    async with CLOUDS["openai"]() as cloud, remote(cloud, "openai") as provider:
        got = await provider.rerank(RERANK)
        assert got.reranked.scores == (0.05, 0.18, 0.06)
        assert sum(got.reranked.tokens) == 9
        assert cloud.asked[0].path == "/v1/rerank"
        assert cloud.asked[0].body == {"model": "far-model", "query": "Which?", "documents": [*RERANK.documents]}
        for results in ([], [{"index": 0, "relevance_score": 1}] * 3, [{"index": 7, "relevance_score": 1}]):
            cloud.next(Act(body=json.dumps({"results": results}).encode()))
            with pytest.raises(AnswerBrokenOff):
                await provider.rerank(RERANK)
    for kind in ("anthropic", "ollama"):
        async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
            with pytest.raises(NotOffered):
                await provider.rerank(RERANK)
            assert cloud.asked == []


def test_scores_of_another_paddock_and_of_cohere_are_read() -> None:
    """What `/v1/rerank` here writes is read by whoever has this server for a provider."""
    speech = OpenAISpeech({}, strict=False)
    body = msgspec.json.encode({"model": "m", "query": "q", "documents": ["a", "b", "c"]})
    asked = parse_rerank(body, request_id="r", inputs_max=10)
    told = Reranked(scores=(0.25, 0.75, 0.5), tokens=(4, 5, 6))
    assert speech.reranked(write_rerank(asked, told, "m"), 3) == replace(told, tokens=(15, 0, 0))
    cohere = {"results": [{"index": 0, "relevance_score": 0.5}], "meta": {"tokens": {"input_tokens": 3}}}
    assert speech.reranked(msgspec.json.encode(cohere), 1) == Reranked(scores=(0.5,), tokens=(3,))


@every_kind
async def test_models_are_listed(kind: str) -> None:
    async with CLOUDS[kind]() as cloud, remote(cloud, kind) as provider:
        names = [model.name for model in await provider.models()]
    assert names == list(CLOUDS[kind].models)


async def test_a_key_is_never_sent_over_plain_http() -> None:
    async with CLOUDS["openai"]() as cloud, remote(cloud, "openai") as provider:
        object.__setattr__(provider.definition, "base_url", "http://gpu.example:8000/v1")
        with pytest.raises(ProviderRefused, match="plain http"):
            await hear(provider, ask())
        assert cloud.seen == []


@every_kind
async def test_owner_settings_reach_the_request_where_the_caller_said_nothing(kind: str) -> None:
    flags = {"options.temperature": 0.25, "models.far-model.options.top_p": 0.5}
    said = str(await sent(kind, ask(), flags=flags))
    assert "0.25" in said
    assert "0.5" in said
    other = str(await sent(kind, ask(model="other"), flags=flags))
    assert "0.5" not in other


def test_fields_of_a_request_are_no_options() -> None:
    assert {"model", "messages", "stream"} <= set(OWN_FIELDS)
