"""`paddock chat`: converse, and look after the conversations that are kept."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from paddock.cli.commands.chats import Keeping, look_after
from paddock.cli.desk import Desk, Given
from paddock.cli.failure import show_error
from paddock.cli.flags import AskingFlags
from paddock.cli.history import History
from paddock.cli.lines import interruptible, read_line
from paddock.cli.output import json_line
from paddock.cli.speaking import AnswerDocument, Heard, Manner, Speaker, opening_messages, speaker
from paddock.errors import PaddockError, UsageError
from paddock.vocabulary import FinishReason, Message, Picture

if TYPE_CHECKING:
    from paddock.chats.chats import Chat
    from paddock.client.interface import SavedChats

__all__ = ["AnswerDocument", "chat", "converse"]

_NO_FLAGS = AskingFlags()
_AS_SET = Manner()
_NOTHING_ELSE = Keeping()
_LEAVE: Final = "/bye"
_CLEAR: Final = "/clear"
_IMAGE: Final = "/image "
_LAST: Final = "last"


async def chat(
    model: Annotated[str | None, Parameter(help="Its name; empty is `model.default`.")] = None,
    /,
    *,
    resume: Annotated[
        str | None, Parameter(name="--resume", help="Go on with a conversation: its ID, or `last`.")
    ] = None,
    no_history: Annotated[bool, Parameter(help="Keep nothing of what is said.")] = False,
    keeping: Keeping = _NOTHING_ELSE,
    manner: Manner = _AS_SET,
    flags: AskingFlags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Talk with a model; what was said is kept.

    Conversations are kept in the database, turn by turn, unless `--no-history` is given or `chats.keep` is off.

    Ctrl-C stops an answer; Ctrl-D or `/bye` leaves, `/clear` begins anew,
    `/image FILE` shows a picture with the next question. With `--json`, one JSON line an answer, and
    `{"chat": ID}` on stderr once the conversation is kept.
    """
    if keeping.wants_something:
        if resume or no_history:
            raise UsageError(
                "`--resume` and `--no-history` are for talking, not for looking after what is kept.",
                hint="Give one of them, or one of `--list`, `--show`, `--rename` and `--delete`.",
            )
        async with desk.chats() as chats:
            await look_after(desk, chats, keeping, model)
        return
    if resume and manner.system:
        raise UsageError(
            "A conversation keeps the system message that it began with.", hint="Leave out `--system`, or begin anew."
        )
    async with _kept_chats(desk, wanted=bool(resume) or (not no_history and desk.config.chats.keep)) as chats:
        before = await _resumed(chats, resume) if chats is not None and resume else None
        pictures = await manner.pictures()
        name = model or (before.model if before else desk.config.model.default)
        async with speaker(desk, name, manner) as speaking:
            history = (
                None if chats is None or no_history else History(desk, chats, model=speaking.name, going_on=before)
            )
            await converse(desk, speaking, _opening(desk, manner, before), history, pictures)
            if history is not None and history.kept_as is not None:
                _say_where(desk, history.kept_as)


@asynccontextmanager
async def _kept_chats(desk: Desk, *, wanted: bool) -> "AsyncGenerator[SavedChats | None]":
    if not wanted:
        yield None
        return
    async with desk.chats() as chats:
        yield chats


async def _resumed(chats: "SavedChats", which: str) -> "Chat":
    if which != _LAST:
        return await chats.get(which)
    latest = (await chats.list(limit=1, mine=True)).chats
    if not latest:
        raise UsageError("No conversation is kept yet.", hint="Begin one: `paddock chat`.")
    return await chats.get(latest[0].id)


def _opening(desk: Desk, manner: Manner, before: "Chat | None") -> Sequence[Message]:
    if before is None:
        return opening_messages(manner)
    from paddock.chats.messages import answered

    if desk.flags.json:
        desk.report("chat", before.id)
    else:
        desk.notice(f"Goes on with “{before.title}”, {before.length} messages.")
    return answered(before.messages)


def _say_where(desk: Desk, chat_id: str) -> None:
    if not desk.flags.json:
        desk.notice(f"Kept. `paddock chat --resume {chat_id}` goes on with it.")


async def converse(
    desk: Desk,
    speaking: Speaker,
    opening: Sequence[Message],
    history: History | None,
    pictures: tuple[Picture, ...] = (),
) -> None:
    """Answer line by line until there are no more, after what was said in `opening`. `pictures` go with the next question."""
    messages = [*opening]
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
                messages = [message for message in opening if message.role == "system"]
                if history is not None:
                    history.begin_anew()
            elif line.startswith(_IMAGE):
                pictures += await _picture(desk, line.removeprefix(_IMAGE).strip())
            elif line.strip():
                heard = Heard()
                question, pictures = Message(role="user", content=line, images=pictures), ()
                asked = [*messages, question]
                if history is not None:
                    await history.asked(messages, question)
                try:
                    could = await work.run(_answer(desk, speaking, asked, heard)) is not False
                finally:  # also when this process is told to end
                    if history is not None:
                        await history.answered(heard)
                if could:
                    # An answer that was stopped counts as far as it came.
                    messages = [*asked, Message(role="assistant", content=heard.text)]
    if shows_prompt:
        desk.err.line()


async def _picture(desk: Desk, source: str) -> tuple[Picture, ...]:
    """One more for the next question; why not is shown, and the conversation goes on."""
    from paddock.client.pictures import picture

    try:
        return (await asyncio.to_thread(picture, source),)
    except PaddockError as error:
        show_error(desk.invocation, error, json=desk.flags.json)
        return ()


async def _answer(desk: Desk, speaking: Speaker, messages: list[Message], heard: Heard) -> bool:
    """Whether it could answer; why not is shown, and the conversation goes on."""
    try:
        document = await speaking.answer(messages, heard)
    except PaddockError as error:
        heard.finish_reason = FinishReason.ERROR
        show_error(desk.invocation, error, json=desk.flags.json)
        return False
    if desk.flags.json:
        desk.out.stream.write(json_line(document))
        desk.out.flush()
    return True
