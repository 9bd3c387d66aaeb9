"""Conversations under any sequence of changes: a real database beside a plain model of what must be in it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.chats.book import ChatBook
from paddock.chats.messages import text_of
from paddock.db.engine import Database
from tests.chats.books import asked, book_on
from tests.library.rooms import Clock

texts = st.text(alphabet="ab ", min_size=1, max_size=6)
which = st.integers(0, 5)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("create")),
        st.tuples(st.just("append"), which, texts),
        st.tuples(st.just("branch"), which, st.integers(0, 5)),
        st.tuples(st.just("delete"), which),
    ),
    max_size=14,
)


class Expected:
    """What was said in each conversation, by id, the one that was changed last at the end."""

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = {}

    def pick(self, number: int) -> str:
        return sorted(self.said)[number % len(self.said)]

    def put(self, chat_id: str, said: list[str]) -> None:
        self.said.pop(chat_id, None)
        self.said[chat_id] = said


async def carry_out(book: ChatBook, expected: Expected, change: tuple[Any, ...]) -> None:
    match change:
        case ("create",):
            expected.put((await book.create(model="pony")).id, [])
        case ("append", number, text) if expected.said:
            chat_id = expected.pick(number)
            await book.append(chat_id, [asked(text)])
            expected.put(chat_id, [*expected.said[chat_id], text])
        case ("branch", number, at) if expected.said and at < len(expected.said[expected.pick(number)]):
            chat_id = expected.pick(number)
            expected.put((await book.branch(chat_id, at=at)).id, expected.said[chat_id][: at + 1])
        case ("delete", number) if expected.said:
            chat_id = expected.pick(number)
            await book.delete(chat_id)
            del expected.said[chat_id]
        case _:  # there is nothing yet that this could change
            return


@cache
def empty_database() -> bytes:
    """Migrated once: migrating is nearly all that a fresh one costs."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"

        async def make() -> None:
            await (await Database.open(path)).close()

        asyncio.run(make())
        return path.read_bytes()


@asynccontextmanager
async def fresh_book(empty: bytes) -> AsyncGenerator[ChatBook]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "paddock.db"
        path.touch(mode=0o600)
        path.write_bytes(empty)
        async with await Database.open(path) as database:
            yield book_on(database, Clock())


@settings(max_examples=30, deadline=None)
@given(changes)
def test_no_change_of_one_conversation_touches_another(steps: list[tuple[Any, ...]]) -> None:
    """A branch keeps its original and the original its branch, whatever is done to either; lists are in order of change."""

    empty = empty_database()

    async def check() -> None:
        expected = Expected()
        async with fresh_book(empty) as book:
            for step in steps:
                await carry_out(book, expected, step)
            listed = (await book.list(limit=200)).chats
            assert [chat.id for chat in listed] == [*reversed(expected.said)]
            for chat_id, said in expected.said.items():
                chat = await book.get(chat_id)
                assert [text_of(message) for message in chat.messages] == said
                assert [message.position for message in chat.messages] == [*range(chat.length)]
            for words in ("ab", "b a"):
                found = {chat.id for chat in (await book.list(search=words, limit=200)).chats}
                assert found == {
                    chat_id
                    for chat_id, said in expected.said.items()
                    if any(words in " ".join(text.split()) for text in said)
                }

    asyncio.run(check())
