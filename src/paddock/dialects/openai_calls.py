"""Calls of an answer in OpenAI's chat words: pieces as they come, and each whole at the end."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec import UNSET

from paddock.dialects.openai_wire import CallDelta, CalledFunction, CallOut, FunctionDelta
from paddock.vocabulary import ToolCallDelta


def joined(deltas: Sequence[ToolCallDelta]) -> list[ToolCallDelta]:
    """The same in as few pieces as can be: many clients look at one piece of a call in a chunk."""
    pieces: list[ToolCallDelta] = []
    for delta in deltas:
        if pieces and pieces[-1].index == delta.index and not delta.id:
            pieces[-1] = replace(pieces[-1], arguments=pieces[-1].arguments + delta.arguments)
        else:
            pieces.append(delta)
    return pieces


def call_deltas(deltas: Sequence[ToolCallDelta]) -> list[CallDelta]:
    """The same for a chunk."""
    return [
        CallDelta(
            index=delta.index,
            id=delta.id or UNSET,
            type="function" if delta.id else UNSET,
            function=FunctionDelta(name=delta.name or UNSET, arguments=delta.arguments),
        )
        for delta in joined(deltas)
    ]


def whole_calls(deltas: Sequence[ToolCallDelta]) -> list[CallOut]:
    """The calls that `deltas` are pieces of."""
    heads = {delta.index: delta for delta in deltas if delta.id}
    return [
        CallOut(
            id=head.id,
            function=CalledFunction(
                name=head.name, arguments="".join(delta.arguments for delta in deltas if delta.index == index)
            ),
        )
        for index, head in sorted(heads.items())
    ]
