"""The conversations that a running server keeps, with the interface of one's own."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from paddock.chats.chats import Branches, Chat, ChatOptions, ChatPage, ChatsDeleted, ChatSummary
from paddock.chats.messages import NewMessage, SavedMessage
from paddock.client.connection import Connection, at
from paddock.errors import NotFound
from paddock.server.routes.admin.shapes import SavedMessages

_CHATS: Final = "/admin/chats"


class RemoteChats:
    """Implements SavedChats."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(
        self,
        *,
        search: str = "",
        model: str | None = None,
        limit: int = 50,
        before: int | None = None,
        mine: bool = False,
    ) -> ChatPage:
        wanted = {"model": model, "limit": limit, "before": before, "mine": mine}
        if search:
            return await self._connection.post(f"{_CHATS}/search", ChatPage, {"search": search, **wanted})
        return await self._connection.get(_CHATS, ChatPage, **wanted)

    async def get(self, chat_id: str) -> Chat:
        return await self._connection.get(_of(chat_id), Chat)

    async def create(self, *, model: str, title: str | None = None) -> Chat:
        return await self._connection.post(_CHATS, Chat, {"model": model, "title": title})

    async def append(
        self, chat_id: str, messages: Sequence[NewMessage], *, after: int | None = None
    ) -> Sequence[SavedMessage]:
        body = {"messages": [asdict(message) for message in messages], "after": after}
        return (await self._connection.post(f"{_of(chat_id)}/messages", SavedMessages, body)).messages

    async def rename(self, chat_id: str, title: str) -> ChatSummary:
        return await self._connection.put(f"{_of(chat_id)}/title", ChatSummary, {"title": title})

    async def branch(self, chat_id: str, *, at: int) -> Chat:
        return await self._connection.post(f"{_of(chat_id)}/branch", Chat, {"at": at})

    async def branches(self, chat_id: str) -> Branches:
        return await self._connection.get(f"{_of(chat_id)}/branches", Branches)

    async def set_options(self, chat_id: str, options: ChatOptions, *, model: str | None = None) -> ChatSummary:
        body = {"options": asdict(options), "model": model}
        return await self._connection.put(f"{_of(chat_id)}/options", ChatSummary, body)

    async def delete(self, chat_id: str) -> ChatSummary:
        return await self._connection.delete(_of(chat_id), ChatSummary)

    async def delete_all(self) -> ChatsDeleted:
        return await self._connection.delete(_CHATS, ChatsDeleted, all="true")


def _of(chat_id: str) -> str:
    if not chat_id.isalnum() or not chat_id.isascii():  # another address, which would mean something else
        raise NotFound(
            f"There is no conversation `{chat_id[:64]}`.", hint="`paddock chat --list` shows those that are kept."
        )
    return at(_CHATS, chat_id)
