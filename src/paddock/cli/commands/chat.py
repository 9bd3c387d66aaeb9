"""`paddock chat`."""

from typing import Annotated, Final

from cyclopts import Parameter

from paddock.cli.desk import Desk, Given
from paddock.cli.failure import show_error
from paddock.cli.flags import Flags
from paddock.cli.lines import interruptible, read_line
from paddock.cli.output import json_line
from paddock.cli.speaking import Manner, Speaker, opening_messages, speaker
from paddock.errors import PaddockError
from paddock.vocabulary import Message

_NO_FLAGS = Flags()
_AS_SET = Manner()
_LEAVE: Final = "/bye"
_CLEAR: Final = "/clear"


async def chat(
    model: Annotated[str | None, Parameter(help="Its name; empty is `model.default`.")] = None,
    /,
    *,
    manner: Manner = _AS_SET,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Talk with a model, which remembers what was said.

    Ctrl-C stops an answer; Ctrl-D or `/bye` leaves, `/clear` forgets what was said. With `--json`, one JSON line an answer.
    """
    async with speaker(desk, model or desk.config.model.default, manner) as speaking:
        await converse(desk, speaking, manner)


async def converse(desk: Desk, speaking: Speaker, manner: Manner) -> None:
    """Answer line by line until there are no more."""
    messages = opening_messages(manner)
    shows_prompt = desk.invocation.may_ask and not desk.flags.json
    with interruptible(lambda: desk.notice("Ctrl-D or `/bye` leaves.")) as work:
        while True:
            if shows_prompt:
                desk.err.stream.write(">>> ")
                desk.err.flush()
            line = await read_line(desk.invocation.stdin)
            if line is None or line.strip() == _LEAVE:
                break
            if line.strip() == _CLEAR:
                messages = opening_messages(manner)
            elif line.strip():
                said: list[str] = []
                asked = [*messages, Message(role="user", content=line)]
                if await work.run(_answer(desk, speaking, asked, said)) is not False:
                    # An answer that was stopped counts as far as it came.
                    messages = [*asked, Message(role="assistant", content="".join(said))]
    if shows_prompt:
        desk.err.line()


async def _answer(desk: Desk, speaking: Speaker, messages: list[Message], said: list[str]) -> bool:
    """Whether it could answer; why not is shown, and the conversation goes on."""
    try:
        document = await speaking.answer(messages, said)
    except PaddockError as error:
        show_error(desk.invocation, error, json=desk.flags.json)
        return False
    if desk.flags.json:
        desk.out.stream.write(json_line(document))
        desk.out.flush()
    return True
