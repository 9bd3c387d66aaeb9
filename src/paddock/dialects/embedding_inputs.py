"""The inputs of embedding and rerank requests, checked one by one: what is wrong is named by its number."""

from typing import Any, Final, cast

from paddock.dialects.openai_fields import INT32_MAX, wrong
from paddock.vocabulary import Embedded, Reranked

TOKENS_MAX: Final = 1_000_000  # of one input; models read far less, and say so with both numbers
_HINT: Final = "Send a text, a list of texts, a list of token ids, or a list of such lists."
_TEXTS: Final = "Send a text, or a list of texts."
Input = str | tuple[int, ...]


def inputs_of(given: Any, *, inputs_max: int, field: str = "input", tokens: bool = True) -> tuple[Input, ...]:
    """What is to be embedded. Raises UsageError; `tokens`: token ids are taken, too."""
    hint = _HINT if tokens else _TEXTS
    if isinstance(given, str):
        return (_text(given, field),)
    if not isinstance(given, list):
        raise wrong(field, f"`{field}` is no text and no list.", hint)
    entries = cast("list[Any]", given)
    if not entries:
        raise wrong(field, f"`{field}` is empty.", hint)
    if tokens and type(entries[0]) is int:
        return (_tokens(entries, field),)
    if len(entries) > inputs_max:
        raise wrong(
            field,
            f"`{field}` holds {len(entries)} inputs.",
            f"At most {inputs_max} are taken at once; send them in several requests, or raise `server.inputs_max`.",
        )
    return tuple(_one(entry, f"{field}[{number}]", hint, tokens=tokens) for number, entry in enumerate(entries))


def documents_of(given: Any, *, inputs_max: int) -> tuple[str, ...]:
    """What is to be scored: texts, or objects that have one as `text`. Raises UsageError."""
    entries: Any = cast("list[Any]", given) if isinstance(given, list) else None
    if not entries:
        raise wrong("documents", "`documents` is empty or no list.", "Send a list of texts.")
    texts = [
        cast("dict[str, Any]", entry).get("text") if isinstance(entry, dict) else entry
        for entry in cast("list[Any]", entries)
    ]
    read = inputs_of(texts, inputs_max=inputs_max, field="documents", tokens=False)
    return tuple(each for each in read if isinstance(each, str))


def cut_inputs(answered: Embedded | Reranked) -> int:
    """How many inputs lost their ends."""
    return sum(1 for count in answered.cut if count)


def _one(entry: Any, where: str, hint: str, *, tokens: bool) -> Input:
    if isinstance(entry, str):
        return _text(entry, where)
    if tokens and isinstance(entry, list):
        return _tokens(cast("list[Any]", entry), where)
    raise wrong(where, f"`{where}` is {'no text and no list of token ids' if tokens else 'no text'}.", hint)


def _text(text: str, where: str) -> str:
    if not text:
        raise wrong(where, f"`{where}` is an empty text.", "Leave it out; nothing has no meaning.")
    return text


def _tokens(entries: list[Any], where: str) -> tuple[int, ...]:
    if not 0 < len(entries) <= TOKENS_MAX:
        raise wrong(where, f"`{where}` has {len(entries)} tokens.", f"Send 1 to {TOKENS_MAX} token ids.")
    strange = next(
        (at for at, token in enumerate(entries) if type(token) is not int or not 0 <= token <= INT32_MAX), None
    )
    if strange is not None:
        raise wrong(f"{where}[{strange}]", f"`{where}[{strange}]` is no token id.", _HINT)
    return tuple(entries)
