"""`paddock run`."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from paddock.cli.commands.chat import converse
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.speaking import Heard, Manner, Speaker, opening_messages, speaker
from paddock.errors import UsageError
from paddock.vocabulary import Message

_NO_FLAGS = Flags()
_AS_SET = Manner()


async def run(
    model: Annotated[str, Parameter(help="Its name.")],
    prompt: Annotated[
        str | None, Parameter(help="What to answer; without it, standard input, or a conversation.")
    ] = None,
    /,
    *,
    manner: Manner = _AS_SET,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Ask a model once.

    With `--image`, about a picture. Without a prompt, what comes through standard input is answered; on a terminal a
    conversation begins.
    """
    if prompt is None and not desk.invocation.may_ask:
        prompt = await asyncio.to_thread(desk.invocation.stdin.read)
    if prompt is not None and not prompt.strip():
        raise UsageError("There is nothing to answer.", hint='Give a prompt: `paddock run pony "Hello"`.')
    pictures = await manner.pictures()
    async with speaker(desk, model, manner) as speaking:
        if prompt is None:
            await converse(desk, speaking, opening_messages(manner), None, pictures)
        else:
            question = Message(role="user", content=prompt, images=pictures)
            await _answer_once(desk, speaking, [*opening_messages(manner), question])


async def _answer_once(desk: Desk, speaking: Speaker, messages: list[Message]) -> None:
    document = await speaking.answer(messages, Heard())
    desk.answer(document, lambda screen: None)  # the text was written as it came
