"""One tool call in JSON, read as it comes: `{"name": "weather", "arguments": {"city": "Rome"}}`.

The name goes out when it is complete and the arguments from then on as the model writes them. What turns out to be no call is
said, to the last character.
"""

import json
import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, cast

from paddock.families.out import Out, loads
from paddock.families.speech import HELD_MAX

_NAMES: Final = ("name", "function", "tool_name")
_ARGUMENTS: Final = ("arguments", "parameters", "args")
_BLANK: Final = " \t\r\n"
_BETWEEN: Final = " \t\r\n[],;"  # calls: a list's brackets, and what models put between objects
_STRING_STOPS: Final = re.compile(r'["\\]')
_VALUE_STOPS: Final = re.compile(r'["{}\[\],]')


class _At(Enum):
    """Where in the object we are."""

    BEFORE = auto()
    KEY = auto()
    COLON = auto()
    VALUE = auto()  # before its first character
    INSIDE = auto()
    AFTER = auto()  # after a value: comma or the end
    OVER = auto()


class CallsReader:
    """Reads calls one after the other, or a list of them. What stands between them and is no layout is said."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._call: CallReader | None = None
        self._is_prose = False  # until the next object begins

    def feed(self, text: str) -> None:
        """Read on."""
        while text:
            if self._call is not None:
                text = self._call.feed(text)
                if self._call.is_over:
                    self._is_prose, self._call = self._call.is_broken, None
                continue
            text = text if self._is_prose else text.lstrip(_BETWEEN)
            start = text.find("{")
            prose, text = (text[:start], text[start:]) if start >= 0 else (text, "")
            if prose:
                self._out.say(prose)
                self._is_prose = True
            if text:
                self._call = CallReader(self._out)

    def end(self) -> None:
        """Nothing follows."""
        if self._call is not None:
            self._call.end()
            self._call = None


class CallReader:
    """Reads exactly one call."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._at = _At.BEFORE
        self._key = ""
        self._token: list[str] = []  # the key or value under way
        self._streams = False  # the value under way is the arguments
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._name: str | None = None
        self._early: list[str] = []  # arguments that came before the name
        self._whole: list[str] = []  # all that was read, until the call is told
        self._length = 0
        self._broke = False

    @property
    def is_over(self) -> bool:
        """The object is closed, or was none: the next characters are not its own."""
        return self._at is _At.OVER

    @property
    def has_name(self) -> bool:
        """It is known what is called."""
        return self._name is not None

    @property
    def is_broken(self) -> bool:
        """It is over, and was not written to its end."""
        return self._broke

    def feed(self, text: str) -> str:
        """Read on. Returns what is not the call's."""
        at = 0
        while at < len(text) and not self.is_over:
            # While it may still turn out to be text it is read only as far as it may be held back.
            readable = text if self._name is not None else text[: at + HELD_MAX - self._length]
            start, at = at, self._take(readable, at)
            if self._name is None:
                self._whole.append(text[start:at])
                self._length += at - start
            if self._name is None and self._length >= HELD_MAX and not self.is_over:
                self._break()
        return text[at:]

    def end(self) -> None:
        """Nothing follows, in whatever state it is."""
        if not self.is_over:
            self._break()

    # One state each. They return how far they have read.

    def _take(self, text: str, at: int) -> int:
        character = text[at]
        match self._at:
            case _At.INSIDE:
                return self._take_value(text, at)
            case _At.KEY if self._token:
                return self._take_key(text, at)
            case _ if character in _BLANK:
                return at + 1
            case _At.BEFORE if character == "{":
                self._at = _At.KEY
            case _At.KEY if character == '"':
                self._token = [character]
            case _At.COLON if character == ":":
                self._at = _At.VALUE
            case _At.VALUE if character not in ",}]:":
                self._begin_value(character)
                return at
            case _At.AFTER if character == ",":
                self._at = _At.KEY
            case _At.KEY | _At.AFTER if character == "}":
                self._close(text[at])
            case _:
                self._break()
                return at
        return at + 1

    def _take_key(self, text: str, at: int) -> int:
        at, closed = self._take_string(text, at)
        if closed:
            self._key, self._token, self._at = str(loads("".join(self._token))), [], _At.COLON
        return at

    def _take_string(self, text: str, at: int) -> tuple[int, bool]:
        """Up to the string's end, if that is in `text`."""
        start = at
        while at < len(text):
            if self._escaped:
                self._escaped, at = False, at + 1
                continue
            stop = _STRING_STOPS.search(text, at)
            if stop is None:
                at = len(text)
                break
            at = stop.end()
            if stop[0] == '"':
                self._keep(text[start:at])
                return at, True
            self._escaped = True
        self._keep(text[start:at])
        return at, False

    def _begin_value(self, character: str) -> None:
        self._at, self._depth, self._in_string = _At.INSIDE, 0, False
        self._streams = self._key in _ARGUMENTS and character == "{"

    def _take_value(self, text: str, at: int) -> int:
        if self._in_string:
            at, closed = self._take_string(text, at)
            self._in_string = not closed
            if closed and self._depth == 0:
                self._close_value()
            return at
        stop = _VALUE_STOPS.search(text, at)
        if stop is None:
            self._keep(text[at:])
            return len(text)
        mark, before = stop[0], text[at : stop.start()]
        if self._depth == 0 and mark in ",}]":  # the end of a number, true, false or null
            self._keep(before)
            self._close_value()
            return stop.start()
        self._keep(before + mark)
        if mark == '"':
            self._in_string = True
        elif mark in "{[":
            self._depth += 1
        elif mark in "}]":
            self._depth -= 1
            if self._depth == 0:
                self._close_value()
        return stop.end()

    def _keep(self, text: str) -> None:
        if not self._streams:
            self._token.append(text)
        elif self._name is None:
            self._early.append(text)
        else:
            self._out.argue(text)

    def _close_value(self) -> None:
        value, self._token, self._at = "".join(self._token).strip(), [], _At.AFTER
        if self._streams:
            self._streams = False
        elif self._key in _NAMES and self._name is None:
            self._read_name(loads(value))
        elif self._key in _ARGUMENTS and value != "null":
            # Some models put the object into a string.
            inner = loads(value)
            self._argue(inner if isinstance(inner, str) else value)

    def _read_name(self, value: object) -> None:
        """Also of `{"function": {"name": …, "arguments": …}}`, as in the requests of OpenAI's interface."""
        if isinstance(value, dict):
            inner = cast("Mapping[str, object]", value)
            arguments = next((inner[key] for key in _ARGUMENTS if key in inner), None)
            if arguments is not None:
                self._early = [arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)]
            value = inner.get("name")
        if isinstance(value, str):
            self._begin(value)

    def _begin(self, name: str) -> None:
        self._name = name
        self._out.call(name)
        for piece in self._early:
            self._out.argue(piece)
        self._early, self._whole = [], []

    def _argue(self, arguments: str) -> None:
        if self._name is None:
            self._early.append(arguments)
        else:
            self._out.argue(arguments)

    # The end.

    def _close(self, last: str) -> None:
        self._at = _At.OVER
        if self._name is None:
            self._out.say("".join([*self._whole, last]))
        else:
            self._out.end_call()

    def _break(self) -> None:
        """It is no JSON, or not all of it came."""
        self._at, self._broke = _At.OVER, True
        if self._name is None:
            self._out.say("".join(self._whole))
        else:
            self._out.end_call(whole=False)
