"""What one turn says: texts, and pictures in their places between them."""

from dataclasses import dataclass, replace
from typing import Final

from paddock.dialects.openai_fields import wrong
from paddock.vocabulary import Picture

_SEERS: Final = ("user", "tool")


@dataclass(frozen=True, slots=True)
class Said:
    """All of it, as a message has it."""

    content: str = ""
    images: tuple[Picture, ...] = ()

    def then(self, more: "Said") -> "Said":
        """This, and `more` on a new line."""
        start = f"{self.content}\n" if self.content and more.content else self.content
        shifted = (replace(picture, at=picture.at + len(start)) for picture in more.images)
        return Said(start + more.content, (*self.images, *shifted))


class Saying:
    """A turn while it is read, part by part. Texts that follow each other are lines; a picture stands where it was put."""

    def __init__(self, start: str = "") -> None:
        self._text = start
        self._images: list[Picture] = []
        self._after_text = False
        self.is_empty = True

    def say(self, text: str) -> None:
        self._text += f"\n{text}" if self._after_text else text
        self._after_text, self.is_empty = True, False

    def show(self, source: str) -> None:
        self._images.append(Picture(at=len(self._text), source=source))
        self._after_text, self.is_empty = False, False

    def said(self) -> Said:
        return Said(self._text, tuple(self._images))


def check_may_show(role: str, where: str) -> None:
    """Raises UsageError for a picture of somebody who has none to show."""
    if role not in _SEERS:
        raise wrong(where, f"Role `{role}` shows no pictures.", "Send them with role `user`.")


def inline(data: str, media_type: str = "") -> str:
    """The source of a picture that came in base64."""
    return f"data:{media_type};base64,{data}"
