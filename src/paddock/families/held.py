"""Reads an answer that is held to a form: a thought where one comes first, and then nothing is markup any more."""

from collections.abc import Sequence
from enum import Enum, auto

from paddock.families.family import Family
from paddock.families.markup import Markup, markup_of
from paddock.families.out import Out
from paddock.families.speech import Reader, Speech


class _At(Enum):
    START = auto()
    THOUGHT = auto()
    LAYOUT = auto()  # after a thought
    ANSWER = auto()


class _Held(Reader):
    def __init__(self, markup: Markup, *, thinks: bool, may_think: bool) -> None:
        self._markup = markup
        may_think = may_think or markup.always_thinks or bool(markup.answer)
        self._at = _At.THOUGHT if thinks else _At.START if may_think else _At.ANSWER

    @property
    def is_thought(self) -> bool:
        return self._at is _At.THOUGHT

    @property
    def markers(self) -> Sequence[str]:
        markup = self._markup
        if self._at is _At.ANSWER:
            return ()
        return [mark for mark in (markup.think, markup.think_end, markup.answer) if mark]

    def read(self, text: str, out: Out) -> None:
        if self._at is _At.THOUGHT:
            out.think(text)
            return
        text = text.lstrip() if self._at is _At.LAYOUT else text
        if text:
            self._at = _At.ANSWER
            out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        if self._at is _At.ANSWER:  # it came with the answer's first words, and is a part of it
            out.say(marker)
        elif marker == self._markup.think:
            self._at = _At.THOUGHT
        elif marker == self._markup.answer:
            self._at = _At.ANSWER
        elif self._at is _At.THOUGHT:
            self._at = _At.LAYOUT
        else:
            self.read(marker, out)
        return self


def held_speech(family: Family, prompt_tail: str, *, may_think: bool) -> Speech:
    """Who reads the answer to a prompt that ends in `prompt_tail`, when it is held to a form."""
    markup = markup_of(family, "")
    thinks = bool(markup.think) and prompt_tail.rstrip().endswith(markup.think)
    return Speech(_Held(markup, thinks=thinks, may_think=may_think))
