"""A conversation at the command line, kept as it is spoken: the question before it is answered, the answer when it ends."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paddock.cli.desk import Desk
from paddock.cli.speaking import Heard
from paddock.errors import PaddockError
from paddock.vocabulary import Message

if TYPE_CHECKING:
    from paddock.chats.chats import Chat
    from paddock.chats.messages import NewMessage
    from paddock.client.interface import SavedChats


class History:
    """Where a conversation is written down. When that fails, it says so once, and the conversation goes on without."""

    def __init__(self, desk: Desk, chats: "SavedChats", *, model: str, going_on: "Chat | None" = None) -> None:
        """`going_on` is written on; else a new one begins with the first question."""
        self._desk = desk
        self._chats = chats
        self._model = model
        self._id = going_on.id if going_on else None
        self._works = True

    @property
    def kept_as(self) -> str | None:
        """The id of what was kept last."""
        return self._id

    def begin_anew(self) -> None:
        """What is said next belongs to another conversation."""
        self._id = None

    async def asked(self, opening: Sequence[Message], question: Message) -> None:
        """Keep a question; a new conversation begins with `opening`."""
        from paddock.chats.messages import Role, question_message, text_message

        new = [text_message(Role.SYSTEM, message.content) for message in opening] if self._id is None else []
        await self._keep([*new, question_message(question)])

    async def answered(self, heard: Heard) -> None:
        """Keep an answer as far as it was heard."""
        from paddock.chats.messages import Timing, answer_message

        first = None if heard.first is None else round(heard.first - heard.began, 4)
        answer = answer_message(
            heard.text,
            reasoning="".join(heard.thoughts),
            model=heard.model or self._model,
            finish_reason=heard.finish_reason,
            usage=heard.usage,
            timing=Timing(first_token_seconds=first, seconds=round(max(0.0, heard.ended - heard.began), 4)),
        )
        await self._keep([answer])

    async def _keep(self, messages: "Sequence[NewMessage]") -> None:
        if not self._works:
            return
        try:
            if self._id is None:
                chat = await self._chats.create(model=self._model)
                self._id = chat.id
                if self._desk.flags.json:
                    self._desk.report("chat", chat.id)
            await self._chats.append(self._id, messages)
        except PaddockError as error:
            self._works = False
            self._desk.warn(f"What is said from here on is not kept. {error.message} {error.hint}")
