"""`ChatBook`: the conversations that are kept. Every call is one transaction: a message is there whole, or not at all."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, CursorResult, delete, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from paddock.chats.chats import Branches, Chat, ChatLimits, ChatOptions, ChatPage, ChatsDeleted, ChatSummary
from paddock.chats.messages import NewMessage, Role, SavedMessage, check_message, text_of
from paddock.chats.rows import chat_of, folded, message_of, message_row, summary_of
from paddock.chats.titles import checked_title, title_from
from paddock.db.engine import Database
from paddock.db.tables import ChatMessageRow, ChatRow
from paddock.errors import NotFound, TooLarge, UsageError, WentOn

PAGE_MAX: Final = 200
_MODEL_CHARACTERS_MAX: Final = 512
_BRANCHES_MAX: Final = 500  # of one conversation, that are told of
_ID: Final = re.compile("[0-9a-f]{1,32}")


class ChatBook:
    """Create, append, list, search, rename, branch, delete. Ids that are not known raise NotFound, everywhere.

    It is the book of whoever runs the server: what others keep is in it, too. `of` is the book of one of them.
    """

    def __init__(
        self,
        *,
        database: Database,
        limits: ChatLimits,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        owner: str = "",
        sees_all: bool = True,
    ) -> None:
        """`new_id` makes ids of hexadecimal digits that are hard to meet twice."""
        self._database = database
        self._limits = limits
        self._now = now
        self._new_id = new_id
        self._owner = owner or None
        self._sees_all = sees_all

    def of(self, owner: str, *, sees_all: bool) -> "ChatBook":
        """The book of `owner`: what is begun in it is theirs, and what is another's is not known, unless they see all."""
        return ChatBook(
            database=self._database,
            limits=self._limits,
            now=self._now,
            new_id=self._new_id,
            owner=owner,
            sees_all=sees_all,
        )

    # Looking

    async def list(
        self,
        *,
        search: str = "",
        model: str | None = None,
        limit: int = 50,
        before: int | None = None,
        mine: bool = False,
    ) -> ChatPage:
        """Conversations, the latest first: those with `search` in title or messages, those with `model`.

        `before` is the `next` of the page before; `mine` leaves out those of others for whoever sees all.
        """
        if not 1 <= limit <= PAGE_MAX:
            raise UsageError(f"A page of {limit} is none.", hint=f"Ask for 1 to {PAGE_MAX}.", param="limit")
        wanted = select(ChatRow).order_by(ChatRow.touched.desc()).limit(limit + 1)
        if mine or not self._sees_all:
            wanted = wanted.where(self._own())
        if before is not None:
            wanted = wanted.where(ChatRow.touched < before)
        if model is not None:
            wanted = wanted.where(ChatRow.model == model)
        if words := folded(search):
            said = select(ChatMessageRow.chat_id).where(ChatMessageRow.folded.contains(words, autoescape=True))
            wanted = wanted.where(
                or_(ChatRow.title_folded.contains(words, autoescape=True), ChatRow.id.in_(said)),
            )
        async with self._database.session() as session:
            rows = (await session.scalars(wanted)).all()
        more = len(rows) > limit
        return ChatPage(
            chats=tuple(summary_of(row) for row in rows[:limit]), next=rows[limit - 1].touched if more else None
        )

    async def get(self, chat_id: str) -> Chat:
        """One conversation, whole."""
        async with self._database.session() as session:
            return await _whole(session, await self._row(session, chat_id))

    async def summary(self, chat_id: str) -> ChatSummary:
        """One conversation without what was said in it. It differs from an earlier one when anything has changed."""
        async with self._database.session() as session:
            return summary_of(await self._row(session, chat_id))

    async def branches(self, chat_id: str) -> Branches:
        """All that came out of the same beginning, whether or not those between them are still there."""
        async with self._database.session() as session:
            oldest = await self._row(session, chat_id)
            root, seen = oldest.id, {oldest.id}
            while oldest.branched_from is not None and oldest.branched_from not in seen:
                root = oldest.branched_from
                seen.add(root)
                if (above := await session.get(ChatRow, root)) is None:
                    break
                oldest = above
            found: dict[str, ChatRow] = {} if oldest.id != root else {root: oldest}
            level = [root]
            while level and len(found) < _BRANCHES_MAX:
                below = (await session.scalars(select(ChatRow).where(ChatRow.branched_from.in_(level)))).all()
                level = [row.id for row in below if row.id not in found]
                found |= {row.id: row for row in below}
        seen_rows = [row for row in found.values() if self._sees(row)]
        ordered = sorted(seen_rows, key=lambda row: (row.created_at, row.id))
        return Branches(chats=tuple(summary_of(row) for row in ordered[:_BRANCHES_MAX]))

    # Changing

    async def create(self, *, model: str, title: str | None = None) -> Chat:
        """Begin one with `model`; without a title its first message gives it one.

        When its owner has more than are kept, the one of theirs that rested longest goes.
        """
        title = checked_title(title) if title is not None else ""
        async with self._database.session(exclusive=True) as session:
            row = await self._begin(session, model=_checked_model(model), title=title)
            return chat_of(row, [])

    async def append(
        self, chat_id: str, messages: Sequence[NewMessage], *, after: int | None = None
    ) -> Sequence[SavedMessage]:
        """Write down what was said next.

        `after` is how many messages the writer knows of; WentOn is raised, and nothing written, when there are others by
        now. Raises UsageError for what is no message, TooLarge when there is no room for it.
        """
        if not messages:
            raise UsageError("There is nothing to write down.", hint="Give a message.", param="messages")
        for message in messages:
            check_message(message)
        async with self._database.session(exclusive=True) as session:
            row = await self._row(session, chat_id)
            if after is not None and after != row.length:
                raise WentOn(
                    f"The conversation `{row.id}` went on elsewhere: it has {row.length} messages, not {after}.",
                    hint="Look at what was said there, then say it again.",
                )
            now = self._now()
            made = [message_row(row.id, row.length + index, message, now) for index, message in enumerate(messages)]
            session.add_all([message for message, _ in made])
            row.length += len(made)
            row.size_bytes += sum(size for _, size in made)
            self._check_room(row)
            if not row.title:
                row.title = next((title for one in messages if (title := _first_words(one))), "")
                row.title_folded = folded(row.title)
            row.updated_at = now
            row.touched = await _next_touch(session)
            await session.flush()
            return [message_of(message) for message, _ in made]

    async def rename(self, chat_id: str, title: str) -> ChatSummary:
        """Give it another title."""
        title = checked_title(title)
        async with self._database.session(exclusive=True) as session:
            row = await self._row(session, chat_id)
            row.title, row.title_folded = title, folded(title)
            return summary_of(row)

    async def set_options(self, chat_id: str, options: ChatOptions, *, model: str | None = None) -> ChatSummary:
        """How its next answers are asked for, and of whom; None leaves the model as it is."""
        async with self._database.session(exclusive=True) as session:
            row = await self._row(session, chat_id)
            told = msgspec.to_builtins(options)
            row.options = {name: value for name, value in told.items() if value is not None} or None
            if model is not None:
                row.model = _checked_model(model)
            return summary_of(row)

    async def branch(self, chat_id: str, *, at: int) -> Chat:
        """A new conversation with everything up to the message at position `at`, -1 being nothing. The other one stays."""
        async with self._database.session(exclusive=True) as session:
            row = await self._row(session, chat_id)
            if not -1 <= at < row.length:
                raise NotFound(
                    f"The conversation `{row.id}` has no message {at}.",
                    hint=f"It has {row.length}, counted from 0." if row.length else "Nothing was said in it yet.",
                )
            whole = await _whole(session, row)
            own = await self._begin(session, model=row.model, title=row.title)
            own.branched_from, own.branched_at, own.options = row.id, at, row.options
            copies = [message_row(own.id, one.position, one, one.created_at) for one in whole.messages[: at + 1]]
            own.length, own.size_bytes = len(copies), sum(size for _, size in copies)
            session.add_all([copy for copy, _ in copies])
            await session.flush()
            return chat_of(own, [copy for copy, _ in copies])

    # Forgetting

    async def delete(self, chat_id: str) -> ChatSummary:
        """Delete one for good; what it was."""
        async with self._database.session(exclusive=True) as session:
            row = await self._row(session, chat_id)
            was = summary_of(row)
            await session.execute(delete(ChatMessageRow).where(ChatMessageRow.chat_id == row.id))
            await session.execute(delete(ChatRow).where(ChatRow.id == row.id))
        await self._database.forget_deleted()
        return was

    async def delete_all(self) -> ChatsDeleted:
        """Delete every conversation for good that is in this book."""
        which = true() if self._sees_all else self._own()
        async with self._database.session(exclusive=True) as session:
            theirs = select(ChatRow.id).where(which)
            await session.execute(delete(ChatMessageRow).where(ChatMessageRow.chat_id.in_(theirs)))
            gone = await session.execute(delete(ChatRow).where(which))
            assert isinstance(gone, CursorResult), "a deletion tells how many rows it took"
            count = gone.rowcount
        await self._database.forget_deleted()
        return ChatsDeleted(deleted=count)

    async def _begin(self, session: AsyncSession, *, model: str, title: str) -> ChatRow:
        chat_id = self._new_id()
        while await session.get(ChatRow, chat_id) is not None:
            chat_id = self._new_id()
        now = self._now()
        row = ChatRow(
            id=chat_id,
            title=title,
            title_folded=folded(title),
            model=model,
            length=0,
            size_bytes=0,
            touched=await _next_touch(session),
            created_at=now,
            updated_at=now,
            owner=self._owner,
        )
        session.add(row)
        await session.flush()
        theirs = select(ChatRow.id).where(self._own())
        superfluous = theirs.order_by(ChatRow.touched.desc()).offset(self._limits.chats_max)
        if old := (await session.scalars(superfluous)).all():
            await session.execute(delete(ChatMessageRow).where(ChatMessageRow.chat_id.in_(old)))
            await session.execute(delete(ChatRow).where(ChatRow.id.in_(old)))
        return row

    async def _row(self, session: AsyncSession, chat_id: str) -> ChatRow:
        row = await session.get(ChatRow, chat_id) if _ID.fullmatch(chat_id) else None
        if row is None or not self._sees(row):
            raise NotFound(
                f"There is no conversation `{chat_id[:64]}`.", hint="`paddock chat --list` shows those that are kept."
            )
        return row

    def _sees(self, row: ChatRow) -> bool:
        return self._sees_all or row.owner == self._owner

    def _own(self) -> ColumnElement[bool]:
        return ChatRow.owner.is_(None) if self._owner is None else ChatRow.owner == self._owner

    def _check_room(self, row: ChatRow) -> None:
        limits = self._limits
        if row.length > limits.messages_max:
            what, setting = f"more than {limits.messages_max:,} messages", "chats.messages_max"
        elif row.size_bytes > limits.bytes_max:
            what, setting = f"more than {limits.bytes_max:,} bytes", "chats.bytes_max"
        else:
            return
        raise TooLarge(
            f"The conversation `{row.id}` would have {what}.", hint=f"Begin a new one, or raise `{setting}`."
        )


async def _whole(session: AsyncSession, row: ChatRow) -> Chat:
    of_it = select(ChatMessageRow).where(ChatMessageRow.chat_id == row.id).order_by(ChatMessageRow.position)
    return chat_of(row, list((await session.scalars(of_it)).all()))


async def _next_touch(session: AsyncSession) -> int:
    return ((await session.scalar(select(func.max(ChatRow.touched)))) or 0) + 1


def _first_words(message: NewMessage) -> str:
    return title_from(text_of(message)) if message.role is Role.USER else ""


def _checked_model(model: str) -> str:
    if not model or len(model) > _MODEL_CHARACTERS_MAX or not model.isprintable():
        raise UsageError("A conversation is with a model.", hint="Name one: `pony`.", param="model")
    return model
