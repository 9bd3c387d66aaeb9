"""Books of conversations for tests, and shorthand for what is said in them."""

import itertools

from paddock.chats.book import ChatBook
from paddock.chats.chats import ChatLimits
from paddock.chats.messages import NewMessage, Role, Timing, answer_message, text_message
from paddock.db.engine import Database
from paddock.vocabulary import FinishReason, Usage
from tests.library.rooms import Clock

LIMITS = ChatLimits(chats_max=100, messages_max=100, bytes_max=1_000_000)


def book_on(database: Database, clock: Clock, limits: ChatLimits = LIMITS) -> ChatBook:
    """A book whose ids count up."""
    numbers = itertools.count(1)
    return ChatBook(database=database, limits=limits, now=clock.now, new_id=lambda: f"{next(numbers):08x}")


def asked(text: str) -> NewMessage:
    return text_message(Role.USER, text)


def said(text: str, reason: FinishReason = FinishReason.STOP) -> NewMessage:
    return answer_message(
        text,
        model="pony",
        finish_reason=reason,
        usage=Usage(prompt_tokens=7, completion_tokens=3),
        timing=Timing(first_token_seconds=0.25, seconds=0.5),
    )
