"""Conversations as lists, the API and `--json` show them."""

from dataclasses import dataclass
from datetime import datetime

from paddock.chats.messages import SavedMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchPoint:
    """Where a conversation left another one."""

    id: str  # of the other one, which may be gone by now
    position: int  # the last message that both have; -1 when they have none


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """How the answers of one conversation are asked for. None is as whoever asks does by default."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSummary:
    """One conversation without what was said in it."""

    id: str
    title: str  # empty while nothing was said
    model: str
    length: int  # messages
    size_bytes: int
    branched_from: BranchPoint | None
    options: ChatOptions
    created_at: datetime
    updated_at: datetime
    owner: str = ""  # `user:…` or `key:…`; empty is whoever runs the server, and everybody where no key is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat(ChatSummary):
    """One conversation, whole."""

    messages: tuple[SavedMessage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPage:
    """Conversations, the latest first. `next` is what to ask for to get those before them; None when there are none."""

    chats: tuple[ChatSummary, ...]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """A conversation with all that branched from it or that it branched from, itself included, the oldest first."""

    chats: tuple[ChatSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatsDeleted:
    """How many conversations are gone."""

    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLimits:
    """How much is kept."""

    chats_max: int  # conversations of one owner; the one that rested longest goes when one more begins
    messages_max: int  # of one conversation
    bytes_max: int  # of the messages of one conversation
