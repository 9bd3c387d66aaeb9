"""What another service says when it does not answer, as the error that it is for us.

What the caller did wrong is the caller's (UsageError, PromptTooLong); everything else is the provider's, and another may do
better. A key of ours that is not taken is never the caller's 401.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec

from paddock.dialects.asking import FarFailure
from paddock.errors import (
    ModelNotFound,
    PaddockError,
    PromptTooLong,
    ProviderFailed,
    ProviderRefused,
    RateLimited,
    TooLarge,
    UsageError,
)
from paddock.providers.limits import retry_after_s

_SHOWN_CHARACTERS: Final = 300
_TOO_LONG: Final = re.compile(
    r"context.length|context.window|maximum context|prompt is too long|too many tokens|exceeds? the (?:available )?context",
    re.IGNORECASE,
)
_CALLERS: Final = (400, 405, 413, 414, 415, 422)
_OUT_OF_MONEY: Final = ("insufficient_quota", "billing_error", "billing_hard_limit_reached", "credit_balance_too_low")
_ASK_LESS: Final = "Shorten the conversation, or ask a model with a longer context."


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom what was asked: errors name both."""

    provider: str
    model: str
    key: str | None = None  # never to be shown, should the far side repeat it


class _Told(msgspec.Struct):
    message: Any = None
    type: Any = None
    code: Any = None
    param: Any = None


class _Body(msgspec.Struct):
    error: Any = None
    message: Any = None
    detail: Any = None
    code: Any = None


def failure_of_answer(status: int, headers: Mapping[str, str], body: bytes, asked: Asked) -> PaddockError:
    """The failure that an HTTP answer tells."""
    told = _read(body)
    code = told.code if isinstance(told.code, str) else told.type if isinstance(told.type, str) else ""
    param = told.param if isinstance(told.param, str) else None
    return _failure(status, _text(told.message), code, asked, param=param, retry_after_s=retry_after_s(headers))


def failure_within(failure: FarFailure, asked: Asked) -> PaddockError:
    """The failure that an answer tells after it has begun. Without a status it counts as the far side's own."""
    return _failure(failure.status or 500, failure.message, failure.code, asked)


def _failure(
    status: int,
    message: str,
    code: str,
    asked: Asked,
    *,
    param: str | None = None,
    retry_after_s: float | None = None,
) -> PaddockError:
    said = shown(message, asked) or f"HTTP {status}"
    provider, model = asked.provider, asked.model
    if code == "context_length_exceeded" or (status in _CALLERS and _TOO_LONG.search(message)):
        return PromptTooLong(f"`{model}` of `{provider}` cannot read so much: {said}", hint=_ASK_LESS)
    if status in (401, 402, 403) or code in _OUT_OF_MONEY:
        what = (
            "wants to be paid first" if status == HTTPStatus.PAYMENT_REQUIRED or code in _OUT_OF_MONEY else "refuses us"
        )
        return ProviderRefused(
            f"`{provider}` {what}: {said}",
            hint=f"Look at the account, and keep its key with `paddock provider key {provider}`.",
        )
    if status == HTTPStatus.NOT_FOUND:
        return ModelNotFound(
            f"`{provider}` has no model `{model}`: {said}",
            hint=f"`paddock provider test {provider}` lists what it has.",
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(
            f"`{provider}` takes no more requests now: {said}", hint="Wait a little.", retry_after_s=retry_after_s
        )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLarge(f"`{provider}` finds this request too large: {said}", hint="Send less.", param=param)
    if status in _CALLERS:
        return UsageError(f"`{provider}` does not take this request: {said}", hint="Change what it names.", param=param)
    return ProviderFailed(
        f"`{provider}` failed: {said}",
        hint=f"Ask again later, or give the route another target; `paddock provider test {provider}` tries it.",
        retry_after_s=retry_after_s,
    )


def shown(text: str, asked: Asked) -> str:
    """What the far side says as one short line, without our key."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if asked.key and len(asked.key) > 3:
        line = line.replace(asked.key, "…")
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 1]}…"


def _read(body: bytes) -> _Told:
    """`{"error": {"message"}}`, `{"error": "text"}`, `{"message"}`, `{"detail"}`, or a text."""
    try:
        told = msgspec.json.decode(body, type=_Body)
        if told.error is None:
            return _Told(message=told.detail or told.message, code=told.code)
        error: Any = told.error
        return _Told(message=error) if isinstance(error, str) else msgspec.convert(error, _Told)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        text = body.decode(errors="replace")
        return _Told(message="" if text.lstrip().startswith("<") else text)


def _text(message: Any) -> str:
    return message if isinstance(message, str) else "" if message is None else str(message)
