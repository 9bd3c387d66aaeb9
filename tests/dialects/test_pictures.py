"""Pictures come out of every dialect in their order and in their places, and what a dialect cannot say is named."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from paddock.dialects.anthropic_bodies import prompt_body
from paddock.dialects.anthropic_messages import parse_count, parse_message
from paddock.dialects.ollama_chat import parse_chat as parse_ollama_chat
from paddock.dialects.ollama_generate import parse_generate
from paddock.dialects.openai_chat import parse_chat
from paddock.dialects.responses_fields import read_response
from paddock.dialects.responses_items import Reading
from paddock.dialects.responses_request import understood
from paddock.errors import UsageError
from paddock.vocabulary import ChatRequest, Message, Picture

ONE, TWO = "data:image/png;base64,AAAA", "https://pictures.example/two.png"


def chat(**body: Any) -> ChatRequest:
    asked = parse_chat(json.dumps({"model": "m", **body}).encode(), request_id="r", tenant="", default_model="m")
    return asked.requests[0]


def responses(*, before: Any = (), **body: Any) -> ChatRequest:
    fields, unknown = read_response(json.dumps({"model": "m", **body}).encode())
    reading = Reading(key="k", model="m", known={})
    asked = understood(fields, key="k", request_id="r", tenant="", reading=reading, before=before, unknown=unknown)
    if not before:  # what is kept is read as what was sent
        again = responses(before=json.loads(json.dumps(asked.context)), input=[])
        assert again.messages == asked.request.messages
    return asked.request


def anthropic(**body: Any) -> ChatRequest:
    whole = json.dumps({"model": "m", "max_tokens": 5, **body}).encode()
    told = parse_message(whole, request_id="r", tenant="", default_model="m").request
    counted, _ = parse_count(whole, request_id="r", tenant="", default_model="m")
    assert counted.messages == told.messages
    return told


def ollama(**body: Any) -> ChatRequest:
    return parse_ollama_chat(json.dumps({"model": "m", **body}).encode(), request_id="r", tenant="").request


def generate(**body: Any) -> ChatRequest:
    return parse_generate(json.dumps({"model": "m", **body}).encode(), request_id="r", tenant="").request


def chat_image(url: str) -> Any:
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def input_image(url: str) -> Any:
    return {"type": "input_image", "image_url": url, "detail": "low"}


def block(url: str) -> Any:
    head, _, data = url.partition(";base64,")
    inline = {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    return {"type": "image", "source": inline if data else {"type": "url", "url": url}}


def text(said: str) -> Any:
    return {"type": "text", "text": said}


def input_text(said: str) -> Any:
    return {"type": "input_text", "text": said}


def turns(request: ChatRequest) -> list[tuple[str, str, list[tuple[int, str]]]]:
    return [
        (each.role, each.content, [(picture.at, picture.source) for picture in each.images])
        for each in request.messages or ()
    ]


SEEN = [
    ("user", "Look: what?", [(5, ONE), (5, TWO)]),
    ("assistant", "A cat.", []),
    ("user", "And\nthis?", [(9, ONE)]),
]


@pytest.mark.parametrize("case", ["chat", "responses", "anthropic"])
def test_several_pictures_in_several_turns_keep_their_order_and_their_places(case: str) -> None:
    """`What is in the first?` means nothing when the first is not the first any more."""
    said: Callable[[str], Any] = input_text if case == "responses" else text
    image: Callable[[str], Any] = {"chat": chat_image, "responses": input_image, "anthropic": block}[case]
    conversation = [
        {"role": "user", "content": [said("Look:"), image(ONE), image(TWO), said(" what?")]},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": [said("And"), said("this?"), image(ONE)]},
    ]
    match case:
        case "chat":
            request = chat(messages=conversation)
        case "responses":
            request = responses(input=conversation)
        case _:
            request = anthropic(messages=conversation)
    assert turns(request) == SEEN


def test_ollama_s_pictures_stand_before_the_text_of_their_message() -> None:
    request = ollama(
        messages=[
            {"role": "user", "content": "what?", "images": ["AAAA", "BBBB"]},
            {"role": "assistant", "content": "A cat."},
            {"role": "user", "content": "and?", "images": ["CCCC"]},
        ]
    )
    source = "data:;base64,{}".format
    assert turns(request) == [
        ("user", "what?", [(0, source("AAAA")), (0, source("BBBB"))]),
        ("assistant", "A cat.", []),
        ("user", "and?", [(0, source("CCCC"))]),
    ]
    assert generate(prompt="what?", images=["AAAA"]).messages == (
        Message(role="user", content="what?", images=(Picture(source=source("AAAA")),)),
    )


def test_what_a_tool_shows_is_part_of_its_result() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    wanted = ("tool", "seen", [(0, ONE)])
    request = chat(
        messages=[
            {"role": "user", "content": "x"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": [chat_image(ONE), text("seen")]},
        ]
    )
    assert turns(request)[-1] == wanted
    request = responses(
        input=[
            {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [input_image(ONE), input_text("seen")]},
        ]
    )
    assert turns(request)[-1] == wanted
    request = anthropic(
        messages=[
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "look", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c", "content": [block(ONE), text("seen")]},
                    block(TWO),
                    text("?"),
                ],
            },
        ]
    )
    assert turns(request)[-2:] == [wanted, ("user", "?", [(0, TWO)])]
    request = ollama(
        messages=[
            {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": {}}}]},
            {"role": "tool", "tool_name": "look", "content": "seen", "images": ["AAAA"]},
        ]
    )
    assert turns(request)[-1] == ("tool", "seen", [(0, "data:;base64,AAAA")])


def test_turns_of_the_user_that_are_joined_keep_their_pictures() -> None:
    request = anthropic(
        messages=[
            {"role": "user", "content": [block(ONE), text("one")]},
            {"role": "user", "content": [text("two"), block(TWO)]},
        ]
    )
    assert turns(request) == [("user", "one\ntwo", [(0, ONE), (7, TWO)])]


def test_anthropic_s_bodies_carry_pictures_to_others() -> None:
    """Told to another service and read again, nothing is lost and nothing moves."""
    content = [text("Look:"), block(ONE), block(TWO), text(" what?")]
    request = anthropic(messages=[{"role": "user", "content": content}])
    assert prompt_body(request)["messages"] == [{"role": "user", "content": content}]


def user(*content: Any) -> Mapping[str, Any]:
    return {"messages": [{"role": "user", "content": [*content]}]}


REFUSED: list[tuple[Callable[..., ChatRequest], Mapping[str, Any], str]] = [
    (chat, user({"type": "image_url"}), "messages[0].content[0].image_url"),
    (chat, user({"type": "image_url", "image_url": {"url": 7}}), "messages[0].content[0].image_url.url"),
    (chat, {"messages": [{"role": "assistant", "content": [chat_image(ONE)]}]}, "messages[0].content[0]"),
    (responses, {"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
    (
        responses,
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input[0].content[0].file_id",
    ),
    (responses, {"input": [{"role": "developer", "content": [input_image(ONE)]}]}, "input[0].content[0]"),
    (anthropic, user({"type": "image"}), "messages[0].content[0].source"),
    (
        anthropic,
        user({"type": "image", "source": {"type": "file", "file_id": "f"}}),
        "messages[0].content[0].source.type",
    ),
    (anthropic, user({"type": "image", "source": {"type": "base64"}}), "messages[0].content[0].source.data"),
    (anthropic, user({"type": "image", "source": {"type": "url"}}), "messages[0].content[0].source.url"),
    (anthropic, user({"type": "document", "source": {"type": "url", "url": "x"}}), "messages[0].content[0]"),
    (anthropic, {**user(text("x")), "system": [block(ONE)]}, "system[0]"),
    (ollama, {"messages": [{"role": "system", "content": "x", "images": ["AAAA"]}]}, "messages[0].images"),
    (ollama, {"messages": [{"role": "user", "content": "x", "images": [7]}]}, "messages[0].images[0]"),
    (generate, {"prompt": "x", "raw": True, "images": ["AAAA"]}, "images"),
]


@pytest.mark.parametrize(
    ("parse", "body", "param"),
    REFUSED,
    ids=lambda each: each if isinstance(each, str) else getattr(each, "__name__", ""),
)
def test_what_a_dialect_cannot_say_is_named(
    parse: Callable[..., ChatRequest], body: Mapping[str, Any], param: str
) -> None:
    with pytest.raises(UsageError) as error:
        parse(**body)
    assert error.value.param == param
    assert error.value.hint
