"""`paddock chat --list`, `--show`, `--rename` and `--delete`: the conversations that are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from paddock.chats.chats import Chat, ChatPage, ChatsDeleted, ChatSummary
from paddock.chats.messages import Role, text_of
from paddock.cli.desk import Desk
from paddock.cli.screen import Screen
from paddock.cli.speaking import fit_for
from paddock.cli.tables import Cell, Column, show_table
from paddock.cli.words import ago, several
from paddock.errors import UsageError
from paddock.vocabulary import FinishReason

if TYPE_CHECKING:
    from paddock.client.interface import SavedChats

__all__ = ["Chat", "ChatPage", "ChatSummary", "ChatsDeleted", "Keeping", "look_after"]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What to do with conversations that are kept, instead of talking."""

    list: Annotated[bool, Parameter(help="List what is kept, the latest first; with a model, only its own.")] = False
    search: Annotated[str | None, Parameter(help="With `--list`: words in titles and messages.")] = None
    limit: Annotated[int, Parameter(help="With `--list`: the most that are shown.", show_default=True)] = 50
    show: Annotated[str | None, Parameter(name="--show", help="Print the conversation with this ID.")] = None
    rename: Annotated[tuple[str, str] | None, Parameter(help="An ID, and the title that it gets.")] = None
    delete: Annotated[
        tuple[str, ...] | None,
        Parameter(consume_multiple=True, help="Delete conversations for good: their IDs, or `--delete --all`."),
    ] = None
    all: Annotated[bool, Parameter(help="With `--delete`: every conversation.")] = False

    @property
    def wants_something(self) -> bool:
        """Whether there is anything to do. Raises UsageError for what does not go together."""
        wanted = [self.list, self.show is not None, self.rename is not None, self.delete is not None]
        if sum(wanted) > 1:
            raise UsageError("One thing at a time.", hint="Give one of `--list`, `--show`, `--rename` and `--delete`.")
        if self.search is not None and not self.list:
            raise UsageError("`--search` goes with `--list`.", hint="`paddock chat --list --search WORDS`.")
        if self.all and self.delete is None:
            raise UsageError("`--all` goes with `--delete`.", hint="`paddock chat --delete --all`.")
        if self.delete is not None and bool(self.delete) == self.all:
            raise UsageError("`--delete` wants IDs, or `--all`.", hint="`paddock chat --list` shows them.")
        return any(wanted)


async def look_after(desk: Desk, chats: "SavedChats", keeping: Keeping, model: str | None) -> None:
    """Do what `keeping` says."""
    if keeping.list:
        page = await chats.list(search=keeping.search or "", model=model, limit=keeping.limit)
        desk.answer(page, lambda screen: _show_list(screen, page, desk.invocation.now()))
        return
    if model is not None:
        raise UsageError(f"`{model}` has no part in this.", hint="A model goes with talking and with `--list`.")
    if keeping.show is not None:
        chat = await chats.get(keeping.show)
        desk.answer(chat, lambda screen: _show_chat(screen, chat))
    elif keeping.rename is not None:
        renamed = await chats.rename(*keeping.rename)
        desk.answer(renamed, lambda screen: screen.line(f"{renamed.id} is called {renamed.title}."))
    else:
        await _delete(desk, chats, keeping.delete or ())


async def _delete(desk: Desk, chats: "SavedChats", ids: Sequence[str]) -> None:
    """Delete these, or all; each is looked up before anybody is asked."""
    titles = [(await chats.get(chat_id)).title for chat_id in ids]
    named = ", ".join(f"“{title}”" for title in titles[:5]) + (" …" if len(titles) > 5 else "")
    if not await desk.confirm(f"Delete {named} for good?" if ids else "Delete every conversation for good?"):
        desk.notice("Nothing was deleted.")
        return
    if ids:
        for chat_id in ids:
            await chats.delete(chat_id)
        done = ChatsDeleted(deleted=len(ids))
    else:
        done = await chats.delete_all()
    verb = "is" if done.deleted == 1 else "are"
    desk.answer(done, lambda screen: screen.line(f"{several(done.deleted, 'conversation')} {verb} gone."))


_COLUMNS = (
    Column(title="id"),
    Column(title="title", wrap=False),
    Column(title="model", rank=1),
    Column(title="messages", right=True, rank=3),
    Column(title="last said", rank=2),
)
_OWNER = Column(title="whose", rank=4)


def _show_list(screen: Screen, page: ChatPage, now: datetime) -> None:
    if not page.chats:
        screen.line("No conversations. Begin one with: paddock chat")
        return
    rows: list[list[Cell]] = [
        [chat.id, chat.title, chat.model, str(chat.length), ago(chat.updated_at, now)] for chat in page.chats
    ]
    if any(chat.owner for chat in page.chats):  # of a server with users or keys
        rows = [[*row, chat.owner] for row, chat in zip(rows, page.chats, strict=True)]
        show_table(screen, (*_COLUMNS, _OWNER), rows)
    else:
        show_table(screen, _COLUMNS, rows)
    if page.next is not None:
        screen.line("There are more: `--limit` shows them, `--search` finds one.")


def _show_chat(screen: Screen, chat: Chat) -> None:
    """As it was spoken."""
    for message in chat.messages:
        mark = ">>> " if message.role is Role.USER else "" if message.role is Role.ASSISTANT else f"({message.role}) "
        ending = {FinishReason.CANCELLED: " (cut)", FinishReason.ERROR: " (failed)"}.get(
            message.finish_reason or FinishReason.STOP, ""
        )
        screen.stream.write(f"{mark}{fit_for(screen, text_of(message))}{ending}\n")
