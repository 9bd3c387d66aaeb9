"""Conversations are kept whole, found again, and gone when they are deleted: on SQLite and PostgreSQL alike."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from paddock.chats.book import ChatBook
from paddock.chats.chats import BranchPoint, ChatLimits, ChatOptions
from paddock.chats.messages import MessagePart, NewMessage, PartKind, Role, text_message, text_of
from paddock.db.engine import Database
from paddock.errors import Corrupt, NotFound, TooLarge, UsageError, WentOn
from paddock.vocabulary import FinishReason, ToolCall
from tests.chats.books import LIMITS, asked, book_on, said
from tests.library.rooms import Clock


async def talk(book: ChatBook, *texts: str, model: str = "pony") -> str:
    """A conversation of these questions, each answered with an echo; its id."""
    chat = await book.create(model=model)
    for one in texts:
        await book.append(chat.id, [asked(one), said(f"You said: {one}")])
    return chat.id


async def test_what_was_said_is_read_back_as_it_was(book: ChatBook, place: str | Path, clock: Clock) -> None:
    """By the next process, too: answers with their model, end, usage and timing."""
    chat = await book.create(model="pony")
    assert (chat.title, chat.length, chat.messages) == ("", 0, ())
    await book.append(chat.id, [text_message(Role.SYSTEM, "Be brief."), asked("Hello\n there")])
    clock.advance(5)
    cut = said("Hi, I am", FinishReason.CANCELLED)
    await book.append(chat.id, [cut])
    async with await Database.open(place) as database:
        kept = await book_on(database, clock).get(chat.id)
    assert (kept.title, kept.length, kept.model) == ("Hello there", 3, "pony")
    assert kept.updated_at > kept.created_at == chat.created_at
    assert [message.position for message in kept.messages] == [0, 1, 2]
    assert [text_of(message) for message in kept.messages] == ["Be brief.", "Hello\n there", "Hi, I am"]
    answer = kept.messages[2]
    assert (answer.model, answer.finish_reason) == ("pony", FinishReason.CANCELLED)
    assert (answer.usage, answer.timing) == (cut.usage, cut.timing)
    assert answer.created_at.tzinfo is not None


async def test_thoughts_calls_results_and_images_are_kept_as_parts(book: ChatBook) -> None:
    """Tools and images must not need another table, nor old conversations another reading."""
    chat = await book.create(model="pony")
    messages = [
        NewMessage(
            role=Role.USER,
            parts=(
                MessagePart(kind=PartKind.TEXT, text="What is this?"),
                MessagePart(kind=PartKind.IMAGE, media_type="image/png", data="aGk="),
            ),
        ),
        NewMessage(
            role=Role.ASSISTANT,
            parts=(
                MessagePart(kind=PartKind.REASONING, text="Let me look it up."),
                MessagePart(kind=PartKind.TOOL_CALL, call=ToolCall(id="c1", name="look", arguments='{"at": "it"}')),
            ),
            finish_reason=FinishReason.TOOL_CALLS,
        ),
        NewMessage(role=Role.TOOL, parts=(MessagePart(kind=PartKind.TOOL_RESULT, text="a horse", call_id="c1"),)),
        said("A horse."),
    ]
    await book.append(chat.id, messages)
    kept = (await book.get(chat.id)).messages
    assert [message.parts for message in kept] == [message.parts for message in messages]


@pytest.mark.parametrize(
    ("role", "part"),
    [
        (Role.USER, MessagePart(kind=PartKind.TOOL_CALL, call=ToolCall(id="c", name="n", arguments=""))),
        (Role.ASSISTANT, MessagePart(kind=PartKind.TEXT)),
        (Role.ASSISTANT, MessagePart(kind=PartKind.TEXT, text="a", data="aGk=")),
        (Role.USER, MessagePart(kind=PartKind.IMAGE, data="aGk=")),
        (Role.TOOL, MessagePart(kind=PartKind.TOOL_RESULT, text="a")),
    ],
)
async def test_a_part_that_is_not_as_its_kind_wants_it_is_refused(
    book: ChatBook, role: Role, part: MessagePart
) -> None:
    """What is written once is read for years; nothing of the message is kept."""
    chat = await book.create(model="pony")
    with pytest.raises(UsageError):
        await book.append(chat.id, [asked("before"), NewMessage(role=role, parts=(part,))])
    assert (await book.get(chat.id)).messages == ()


async def test_the_latest_conversation_comes_first_page_after_page(book: ChatBook) -> None:
    """Also while the clock stands still, or is set back."""
    ids = [await talk(book, f"Question {number}") for number in range(5)]
    await book.append(ids[1], [asked("And then?")])
    order = [ids[1], ids[4], ids[3], ids[2], ids[0]]
    first = await book.list(limit=2)
    second = await book.list(limit=2, before=first.next)
    third = await book.list(limit=2, before=second.next)
    assert [chat.id for page in (first, second, third) for chat in page.chats] == order
    assert third.next is None
    with pytest.raises(UsageError):
        await book.list(limit=0)


async def test_search_finds_titles_and_texts_whatever_their_capitals(book: ChatBook) -> None:
    """In every script, and with the letters that databases take for wildcards."""
    umlaut = await talk(book, "Was kostet eine ÄPFELKISTE?")
    percent = await talk(book, "What is 100% of 3_4?", model="foal")
    named = await talk(book, "Hello")
    await book.rename(named, "My Stable")

    async def found(words: str, model: str | None = None) -> list[str]:
        return [chat.id for chat in (await book.list(search=words, model=model)).chats]

    assert await found("äpfelkiste") == [umlaut]
    assert await found("YOU SAID: WAS  kostet") == [umlaut]
    assert await found("100%") == await found("3_4") == [percent]
    assert await found("0%3") == await found("3x4") == []
    assert await found("stable") == [named]
    assert await found("a\0b") == []
    assert await found("", model="foal") == [percent]
    assert await found("hello", model="foal") == []


async def test_a_title_is_the_first_words_or_what_somebody_says(book: ChatBook) -> None:
    """A list of conversations is read at a glance, and on a terminal that obeys control characters."""
    chat = await talk(book, "\x1b[31m  Tell me " + "very " * 20 + "much\nand more")
    title = (await book.get(chat)).title
    assert title.startswith("[31m Tell me very very")
    assert title.endswith("very…")
    assert len(title) <= 60
    assert (await book.rename(chat, "  Short\n and good ")).title == "Short and good"
    await book.append(chat, [asked("Something else")])
    assert (await book.get(chat)).title == "Short and good"
    for wrong in ("", " \n", "\x07", "x" * 201):
        with pytest.raises(UsageError):
            await book.rename(chat, wrong)


async def test_texts_that_a_database_or_a_wire_would_choke_on_are_kept(book: ChatBook) -> None:
    """PostgreSQL takes no zero in a text, and half a character cannot be sent to anybody."""
    chat = await talk(book, "zero \0 and half \ud83d here")
    assert text_of((await book.get(chat)).messages[0]) == "zero \0 and half ? here"
    assert (await book.list(search="half")).chats


async def test_a_branch_goes_its_own_way(book: ChatBook) -> None:
    """Trying another question must cost nothing of what is there."""
    chat = await talk(book, "One", "Two")
    before = await book.get(chat)
    branch = await book.branch(chat, at=1)
    assert branch.branched_from == BranchPoint(id=chat, position=1)
    assert (branch.messages, branch.title, branch.model) == (before.messages[:2], before.title, before.model)
    await book.append(branch.id, [asked("Three")])
    assert await book.get(chat) == before
    assert (await book.list()).chats[0].id == branch.id
    await book.delete(chat)
    assert [text_of(message) for message in (await book.get(branch.id)).messages] == ["One", "You said: One", "Three"]
    for at in (-2, 3):
        with pytest.raises(NotFound):
            await book.branch(branch.id, at=at)


async def test_what_is_not_there_is_told_the_same_everywhere(book: ChatBook) -> None:
    """Ids come from people, too."""
    for unknown in ("00000abc", "", "last", "../x", "a\0b", "f" * 100):
        for work in (
            book.get(unknown),
            book.append(unknown, [asked("Hello")]),
            book.rename(unknown, "Name"),
            book.branch(unknown, at=0),
            book.delete(unknown),
        ):
            with pytest.raises(NotFound):
                await work
    for model in ("", "a\nb", "x" * 513):
        with pytest.raises(UsageError):
            await book.create(model=model)


async def test_only_so_many_conversations_are_kept(database: Database, clock: Clock) -> None:
    """The one that rested longest goes, with all that was said in it."""
    book = book_on(database, clock, ChatLimits(chats_max=2, messages_max=10, bytes_max=10_000))
    old, other = await talk(book, "Old"), await talk(book, "Other")
    await book.append(old, [asked("Still here")])
    new = await talk(book, "New")
    assert [chat.id for chat in (await book.list()).chats] == [new, old]
    with pytest.raises(NotFound):
        await book.get(other)
    async with database.engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM chat_messages"))).scalar() == 5


@pytest.mark.parametrize(("limits", "name"), [((1, 3, 10_000), "messages_max"), ((1, 100, 400), "bytes_max")])
async def test_a_conversation_that_is_full_takes_no_more(
    database: Database, clock: Clock, limits: tuple[int, int, int], name: str
) -> None:
    """It stays as it was, and the setting that would help is named."""
    book = book_on(database, clock, ChatLimits(chats_max=limits[0], messages_max=limits[1], bytes_max=limits[2]))
    chat = await talk(book, "Hello")
    before = await book.get(chat)
    with pytest.raises(TooLarge) as caught:
        await book.append(chat, [asked("a " * 100), said("b " * 100)])
    assert name in caught.value.hint
    assert await book.get(chat) == before


async def test_two_that_write_at_once_lose_nothing(book: ChatBook) -> None:
    """A dashboard and a terminal may be in the same conversation."""
    chat = await book.create(model="pony")
    await asyncio.gather(*(book.append(chat.id, [asked(f"{number}")]) for number in range(10)))
    kept = (await book.get(chat.id)).messages
    assert [message.position for message in kept] == [*range(10)]
    assert {text_of(message) for message in kept} == {str(number) for number in range(10)}


async def test_a_message_that_cannot_be_read_names_the_conversation(book: ChatBook, database: Database) -> None:
    """A newer Paddock may have written a kind of part that this one does not know."""
    chat = await talk(book, "Hello")
    async with database.engine.begin() as connection:
        await connection.execute(text('UPDATE chat_messages SET parts = \'[{"kind": "smell"}]\''))
    with pytest.raises(Corrupt, match=chat):
        await book.get(chat)
    assert (await book.list()).chats[0].id == chat
    assert (await book.delete(chat)).length == 2


async def test_deleting_all_leaves_no_row(book: ChatBook, database: Database) -> None:
    """Who wants nothing kept gets that."""
    await talk(book, "One")
    await talk(book, "Two")
    assert (await book.delete_all()).deleted == 2
    assert (await book.list()).chats == ()
    async with database.engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM chat_messages"))).scalar() == 0


async def test_the_book_of_one_holds_nothing_of_another(book: ChatBook) -> None:
    """Not even an id tells that it is there; whoever runs the server sees all, and what was kept before there were owners."""
    ada, ben = book.of("user:ada", sees_all=False), book.of("user:ben", sees_all=False)
    old, hers, his = await talk(book, "Before"), await talk(ada, "A secret"), await talk(ben, "A secret, too")
    assert [chat.id for chat in (await ada.list(search="secret")).chats] == [hers]
    for work in (ada.get(his), ada.append(old, [asked("Mine")]), ada.rename(his, "Mine"), ada.delete(his)):
        with pytest.raises(NotFound):
            await work
    with pytest.raises(NotFound):
        await ada.branch(his, at=0)
    assert {chat.owner for chat in (await book.list()).chats} == {"", "user:ada", "user:ben"}
    assert [chat.id for chat in (await book.list(mine=True)).chats] == [old]
    assert (await ada.delete_all()).deleted == 1
    assert {chat.id for chat in (await book.list()).chats} == {old, his}
    assert len((await ben.get(his)).messages) == 2


async def test_who_keeps_many_pushes_out_only_their_own(database: Database, clock: Clock) -> None:
    book = book_on(database, clock, ChatLimits(chats_max=2, messages_max=10, bytes_max=10_000))
    ada, ben = book.of("user:ada", sees_all=False), book.of("user:ben", sees_all=False)
    kept = await talk(ben, "Mine")
    ids = [await talk(ada, str(number)) for number in range(4)]
    assert [chat.id for chat in (await ada.list()).chats] == [ids[3], ids[2]]
    assert [chat.id for chat in (await ben.list()).chats] == [kept]


async def test_what_was_deleted_is_not_in_the_file_any_more(tmp_path: Path, clock: Clock) -> None:
    """SQLite keeps deleted rows in free pages and in its log unless it is told otherwise."""
    secret = "xyzzy-plugh"
    files = tmp_path / "data"
    async with await Database.open(files / "paddock.db") as database:
        book = book_on(database, clock)
        one, two = await talk(book, f"The word is {secret}"), await talk(book, secret * 1000)
        assert any(secret.encode() in path.read_bytes() for path in files.iterdir())
        await book.delete(one)
        await book.delete(two)
        assert not [path.name for path in files.iterdir() if secret.encode() in path.read_bytes()]


async def test_an_error_of_the_database_never_shows_what_was_said(database: Database, clock: Clock) -> None:
    """Tracebacks end up in logs and crash reports; prompts stay in the database."""
    book = book_on(database, clock, LIMITS)
    chat = await book.create(model="pony")
    async with database.engine.begin() as connection:
        await connection.execute(text("DROP TABLE chat_messages"))
    with pytest.raises(DBAPIError) as caught:
        await book.append(chat.id, [asked("My secret wish")])
    assert "secret" not in str(caught.value)


async def test_a_writer_who_does_not_know_the_latest_message_is_told(book: ChatBook) -> None:
    """Two windows show one conversation: neither writes below words that it has not seen."""
    chat = await talk(book, "One")
    await book.append(chat, [asked("From the left")], after=2)
    with pytest.raises(WentOn, match="has 3 messages, not 2"):
        await book.append(chat, [asked("From the right")], after=2)
    assert [text_of(one) for one in (await book.get(chat)).messages] == ["One", "You said: One", "From the left"]


async def test_of_two_who_write_at_once_one_is_told(book: ChatBook) -> None:
    chat = await talk(book, "One")
    results = await asyncio.gather(
        *(book.append(chat, [asked(f"{number}")], after=2) for number in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, WentOn) for result in results) == 7
    assert (await book.get(chat)).length == 3


async def test_branches_are_found_from_each_other_whoever_is_gone(book: ChatBook) -> None:
    """One goes from one version of a question to the next, and back."""
    first = await talk(book, "One", "Two")
    edited = (await book.branch(first, at=-1)).id
    second = (await book.branch(first, at=1)).id
    third = (await book.branch(second, at=0)).id
    other = await talk(book, "Elsewhere")
    family = {first, edited, second, third}
    for one in family:
        assert {chat.id for chat in (await book.branches(one)).chats} == family
    assert (await book.get(edited)).length == 0
    await book.delete(first)
    for one in (edited, second, third):
        assert {chat.id for chat in (await book.branches(one)).chats} == {edited, second, third}
    assert [chat.id for chat in (await book.branches(other)).chats] == [other]


async def test_a_conversation_keeps_how_it_is_asked_and_its_branches_do(book: ChatBook) -> None:
    chat = await talk(book, "One")
    assert (await book.get(chat)).options == ChatOptions()
    options = ChatOptions(temperature=0.0, max_tokens=7)
    told = await book.set_options(chat, options, model="foal")
    assert (told.options, told.model) == (options, "foal")
    assert await book.summary(chat) == told
    assert (await book.branch(chat, at=0)).options == options
    await book.set_options(chat, ChatOptions())
    kept = await book.get(chat)
    assert (kept.options, kept.model) == (ChatOptions(), "foal")
