"""Questions whose answers can be judged by a program. Each shows one ability; small models must have a fair chance.

An ability counts when the model shows it in one of the attempts: a probe proves that it can, its failure that it hardly will.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from paddock.vocabulary import FinishReason, Message, Picture, Tool, ToolCallDelta

_SIDE: Final = 96  # of the picture, in pixels
_RED, _WHITE = bytes((220, 20, 20)), bytes((255, 255, 255))
_WEATHER: Final = Tool(
    name="get_weather",
    description="Get the weather of a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One whole answer."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCallDelta, ...] = ()  # put together, one an index
    finish_reason: FinishReason = FinishReason.STOP


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to ask."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    thinks: bool = False
    tokens_max: int = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One ability."""

    ability: str
    attempts: tuple[Attempt, ...]
    shows: Callable[[Said], bool]
    lacking: str  # what to say when no attempt shows it


def probes(*, vision: bool) -> Sequence[Probe]:
    """What a model that speaks is asked; pictures only where it is built for them."""
    return (_TOOLS, _JSON, _THINKING, _vision()) if vision else (_TOOLS, _JSON, _THINKING)


def _user(text: str, *images: Picture) -> tuple[Message, ...]:
    return (Message(role="user", content=text, images=images),)


def calls_the_tool(said: Said) -> bool:
    """One call of the tool that was offered, with the city that was asked about."""
    if said.finish_reason is not FinishReason.TOOL_CALLS or not said.calls:
        return False
    try:
        arguments = json.loads(said.calls[0].arguments)
    except ValueError:
        return False
    named = said.calls[0].name == _WEATHER.name and isinstance(arguments, dict)
    return named and "paris" in said.calls[0].arguments.lower()


def is_json_object(said: Said) -> bool:
    """A JSON object and nothing else, but for the fence that many models put around it."""
    text = re.sub(r"^```(?:json)?\s*|\s*```$", "", said.text.strip())
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


_TOOLS: Final = Probe(
    ability="tools",
    attempts=(
        Attempt(messages=_user("What is the weather in Paris?"), tools=(_WEATHER,)),
        Attempt(messages=_user("Use the tool to get the weather of the city Paris."), tools=(_WEATHER,)),
    ),
    shows=calls_the_tool,
    lacking="It was offered a tool that fits the question, and did not call it.",
)
_JSON: Final = Probe(
    ability="json",
    attempts=(
        Attempt(messages=_user('Reply only with JSON with the keys "name" and "age": Anna is 31 years old.')),
        Attempt(messages=_user("Turn this into JSON with name and age: Anna is 31 years old.")),
    ),
    shows=is_json_object,
    lacking="Asked for JSON, it did not write a JSON object by itself; `response_format` holds it to one.",
)
_THINKING: Final = Probe(
    ability="thinking",
    attempts=(Attempt(messages=_user("What is 3 plus 4?"), thinks=True, tokens_max=256),),
    shows=lambda said: bool(said.reasoning.strip()),
    lacking="Asked to think first, it did not.",
)


def _vision() -> Probe:
    question = "What colour is the circle?"
    picture = Picture(pixels=circle(), width=_SIDE, height=_SIDE, digest="a red circle")
    return Probe(
        ability="vision",
        attempts=(Attempt(messages=_user(question, picture)),),
        shows=lambda said: "red" in said.text.lower(),
        lacking="Shown a red circle, it did not say that it is red.",
    )


def circle() -> bytes:
    """Rows of RGB: a red circle on white."""
    middle, radius = _SIDE / 2, _SIDE / 3
    return b"".join(
        _RED if (x - middle) ** 2 + (y - middle) ** 2 < radius**2 else _WHITE
        for y in range(_SIDE)
        for x in range(_SIDE)
    )
