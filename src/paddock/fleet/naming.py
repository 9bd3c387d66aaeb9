"""Request ids in lines of a log: they come from whoever asks, and a line must stay one line."""

from collections.abc import Iterable
from typing import Final

_ID_CHARACTERS_MAX: Final = 100


def in_line(ids: Iterable[str]) -> str:
    """`a,b,c`; `none` for none."""
    return ",".join(_plain(each) for each in ids) or "none"


def _plain(request_id: str) -> str:
    shown = request_id if request_id.isprintable() else ascii(request_id)
    return shown[:_ID_CHARACTERS_MAX]
