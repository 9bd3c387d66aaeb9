"""Conversations in and out of the database's rows."""

from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import msgspec

from paddock.chats.chats import BranchPoint, Chat, ChatOptions, ChatSummary
from paddock.chats.messages import MessagePart, NewMessage, Role, SavedMessage, Timing, text_of
from paddock.db.tables import ChatMessageRow, ChatRow
from paddock.errors import Corrupt
from paddock.vocabulary import FinishReason, Usage

_SEARCHED_CHARACTERS_MAX: Final = 200_000  # of one message; what comes after is kept, but not found


def folded(text: str) -> str:
    """`text` as searches look at it, on both databases alike: without capitals, in any script; blanks are one."""
    return " ".join(text[:_SEARCHED_CHARACTERS_MAX].replace("\0", " ").casefold().split())


def mended(text: str) -> str:
    """`text` with half characters replaced, which no file and no answer can carry."""
    return text.encode("utf-8", "replace").decode()


def message_row(chat_id: str, position: int, message: NewMessage, now: datetime) -> tuple[ChatMessageRow, int]:
    """The row of a message, and the bytes that its parts take."""
    parts = [_plain(part) for part in message.parts]
    row = ChatMessageRow(
        chat_id=chat_id,
        position=position,
        role=message.role.value,
        parts=parts,
        folded=folded(mended(text_of(message))),
        model=message.model,
        finish_reason=message.finish_reason.value if message.finish_reason else None,
        usage=msgspec.to_builtins(message.usage) if message.usage else None,
        first_token_seconds=message.timing.first_token_seconds if message.timing else None,
        seconds=message.timing.seconds if message.timing else None,
        created_at=now,
    )
    return row, len(msgspec.json.encode(parts))


def summary_of(row: ChatRow) -> ChatSummary:
    return ChatSummary(**_summary(row))


def chat_of(row: ChatRow, messages: list[ChatMessageRow]) -> Chat:
    """Raises Corrupt for a row that is no message."""
    return Chat(**_summary(row), messages=tuple(message_of(message) for message in messages))


def message_of(row: ChatMessageRow) -> SavedMessage:
    """Raises Corrupt for a row that is no message."""
    try:
        return SavedMessage(
            role=Role(row.role),
            parts=tuple(msgspec.convert(part, MessagePart) for part in row.parts),
            model=row.model,
            finish_reason=FinishReason(row.finish_reason) if row.finish_reason else None,
            usage=msgspec.convert(row.usage, Usage) if row.usage is not None else None,
            timing=Timing(first_token_seconds=row.first_token_seconds, seconds=row.seconds)
            if row.seconds is not None
            else None,
            position=row.position,
            created_at=row.created_at,
        )
    except ValueError as error:  # msgspec's errors are such, too
        raise Corrupt(
            f"Message {row.position} of the conversation `{row.chat_id}` cannot be read.",
            hint=f"A newer Paddock may have written it. `paddock chat --delete {row.chat_id}` removes the conversation.",
        ) from error


def _plain(part: MessagePart) -> dict[str, Any]:
    told = msgspec.to_builtins({item.name: getattr(part, item.name) for item in fields(part)})
    return {name: _mended(value) for name, value in told.items() if value is not None}


def _mended(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _mended(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return mended(value) if isinstance(value, str) else value


def _summary(row: ChatRow) -> dict[str, Any]:
    branched = row.branched_from is not None and row.branched_at is not None
    return {
        "id": row.id,
        "title": row.title,
        "model": row.model,
        "length": row.length,
        "size_bytes": row.size_bytes,
        "branched_from": BranchPoint(id=row.branched_from or "", position=row.branched_at or 0) if branched else None,
        "options": msgspec.convert(row.options or {}, ChatOptions),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "owner": row.owner or "",
    }
