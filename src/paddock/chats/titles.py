"""Titles: the first words that somebody said, or what somebody called it. One line, no control characters."""

import unicodedata
from typing import Final

from paddock.errors import UsageError

TITLE_CHARACTERS_MAX: Final = 200
_FIRST_WORDS_MAX: Final = 60


def title_from(text: str) -> str:
    """The beginning of `text` on one line, cut between words where there are any; empty when nothing can be seen in it."""
    line = _one_line(text[: 20 * TITLE_CHARACTERS_MAX])
    if len(line) <= _FIRST_WORDS_MAX:
        return line
    cut = line[: _FIRST_WORDS_MAX - 1]
    words, _, _ = cut.rpartition(" ")
    return (words if len(words) > _FIRST_WORDS_MAX // 2 else cut).rstrip() + "…"


def checked_title(title: str) -> str:
    """A title that somebody gave. Raises UsageError when nothing of it can be seen, or when it is too long."""
    line = _one_line(title)
    if not line:
        raise UsageError("A title needs a letter.", hint="Give a few words.", param="title")
    if len(line) > TITLE_CHARACTERS_MAX:
        raise UsageError(
            f"A title of {len(line)} characters is too long.",
            hint=f"At most {TITLE_CHARACTERS_MAX} are kept.",
            param="title",
        )
    return line


def _one_line(text: str) -> str:
    # Control characters could do more than be read, on a terminal; so could those that turn the direction of writing.
    seen = (" " if letter.isspace() else letter for letter in text)
    return " ".join("".join(letter for letter in seen if unicodedata.category(letter) not in _UNSEEN).split())


_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs"})
