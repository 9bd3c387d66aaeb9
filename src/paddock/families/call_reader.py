"""One tool call in JSON, read as it comes: `{"name": "weather", "arguments": {"city": "Rome"}}`.

The name goes out when it is complete and the arguments character by character from then on, as the model writes them.
"""

import json
from enum import Enum, auto
from typing import Final

from paddock.families.speech import Out

_NAMES: Final = ("name", "function", "tool_name")
_ARGUMENTS: Final = ("arguments", "parameters", "args")
_BLANK: Final = " \t\r\n"


class _At(Enum):
    """Where in the object we are."""

    BEFORE = auto()
    KEY = auto()
    COLON = auto()
    VALUE = auto()  # before its first character
    INSIDE = auto()
    AFTER = auto()  # after a value: comma or the end
    DONE = auto()
    BROKEN = auto()


class CallReader:
    """Reads exactly one call. `whole` is all that was read, for whoever finds that it was no call."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._at = _At.BEFORE
        self._key = ""
        self._token = ""  # the key or value under way
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._name: str | None = None
        self._arguments = ""
        self._sent = 0  # of the arguments, characters
        self._index: int | None = None
        self.whole = ""

    @property
    def is_done(self) -> bool:
        """The object is closed."""
        return self._at is _At.DONE

    @property
    def is_broken(self) -> bool:
        """It is no JSON object."""
        return self._at is _At.BROKEN

    @property
    def has_begun(self) -> bool:
        """The call was told: there is no way back to text."""
        return self._index is not None

    def feed(self, text: str) -> str:
        """Read on. Returns what comes after the object."""
        for position, character in enumerate(text):
            if self._at is _At.DONE:
                self._tell()
                return text[position:]
            self.whole += character
            self._take(character)
        self._tell()
        return ""

    def end(self) -> None:
        """Nothing follows. Says in the answer when the arguments are no JSON object; what was no call at all stays untold."""
        if self._name is not None and self._index is None:
            self._index = self._out.call(self._name)
        if self._index is None:
            return
        if not self._arguments:
            self._arguments = "{}"
        self._tell()
        if not is_object(self._arguments):
            self._out.say(f"\n[The arguments of the call of `{self._name}` are not valid JSON.]")

    def _take(self, character: str) -> None:
        match self._at:
            case _At.BEFORE:
                if character not in _BLANK:
                    self._at = _At.KEY if character == "{" else _At.BROKEN
            case _At.KEY:
                self._take_key(character)
            case _At.COLON:
                if character not in _BLANK:
                    self._at = _At.VALUE if character == ":" else _At.BROKEN
            case _At.VALUE:
                if character not in _BLANK:
                    self._begin_value(character)
            case _At.INSIDE:
                self._take_value(character)
            case _At.AFTER:
                if character not in _BLANK:
                    self._at = {",": _At.KEY, "}": _At.DONE}.get(character, _At.BROKEN)
            case _At.DONE | _At.BROKEN:
                pass

    def _take_key(self, character: str) -> None:
        if not self._token:
            if character == '"':
                self._token = character
            elif character == "}":
                self._at = _At.DONE
            elif character not in _BLANK:
                self._at = _At.BROKEN
            return
        self._token += character
        if self._closes_string(character):
            self._key, self._token, self._at = str(_loads(self._token)), "", _At.COLON

    def _begin_value(self, character: str) -> None:
        self._at, self._depth, self._in_string, self._escaped = _At.INSIDE, 0, False, False
        self._take_value(character)

    def _take_value(self, character: str) -> None:
        if not self._in_string and self._depth == 0 and character in ",}" and self._token:
            self._close_value()  # of a number, true, false or null
            self._take(character)
            return
        self._token += character
        if self._in_string:
            if self._closes_string(character):
                self._in_string = False
        elif character == '"':
            self._in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
        if self._key in _ARGUMENTS and self._token[0] == "{":
            self._arguments = self._token
        if not self._in_string and self._depth == 0 and self._token[0] in '"{[':
            self._close_value()

    def _closes_string(self, character: str) -> bool:
        """Whether this quotation mark is the end of the string."""
        if self._escaped:
            self._escaped = False
            return False
        if character == "\\":
            self._escaped = True
        return character == '"'

    def _close_value(self) -> None:
        value, self._token, self._at = self._token, "", _At.AFTER
        if self._key in _NAMES and value.startswith('"'):
            self._name = str(_loads(value))
        elif self._key in _NAMES and value.startswith("{"):
            self._read_function(value)
        elif self._key in _ARGUMENTS:
            # Some models put the object into a string.
            self._arguments = str(_loads(value)) if value.startswith('"') else value

    def _read_function(self, value: str) -> None:
        """`{"function": {"name": …, "arguments": …}}`, as in the requests of OpenAI's interface."""
        inner = CallReader(Out())
        inner.feed(value)
        self._name = inner._name
        self._arguments = inner._arguments or self._arguments

    def _tell(self) -> None:
        if self._index is None:
            if self._name is None:
                return
            self._index = self._out.call(self._name)
        self._out.argue(self._index, self._arguments[self._sent :])
        self._sent = len(self._arguments)


def is_object(text: str) -> bool:
    """Whether `text` is a JSON object."""
    return isinstance(_loads(text), dict)


def _loads(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
