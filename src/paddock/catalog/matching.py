"""Glob patterns over names: `*` any run, `?` one character, `[abc]`, `[a-z]`, `[!abc]`.

Matching never backtracks further than the last `*`, so the work is bounded by pattern length times name length,
whatever the pattern: no pattern that a user writes or a hub sends can stall the process.
"""

from dataclasses import dataclass
from functools import lru_cache

from paddock.errors import UsageError

PATTERN_CHARACTERS_MAX = 512
_HINT = (
    "Use `*` for any run of characters, `?` for one, `[abc]`, `[a-z]` or `[!abc]` for one of a set; `[[]` is a bracket."
)


@dataclass(frozen=True, slots=True)
class _Set:
    """One character out of ranges, or out of everything else."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool

    def holds(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) != self.negated


class _Star:
    """Any run of characters, also an empty one."""


class _Any:
    """Exactly one character."""


_Token = str | _Set | type[_Star] | type[_Any]


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern that was checked and taken apart. Make one with `compile_glob`."""

    pattern: str
    ignore_case: bool
    _tokens: tuple[_Token, ...]
    # What a name must begin with and what it must hold: they reject most names before any token is looked at.
    _prefix: str
    _anchor: str

    def matches(self, name: str) -> bool:
        """True when the whole of `name` fits."""
        return self.matches_folded(name.lower() if self.ignore_case else name)

    def matches_folded(self, name: str) -> bool:
        """The same for a name that is in lower case already, for those who hold many patterns against one name."""
        return name.startswith(self._prefix) and self._anchor in name and _walk(self._tokens, name)


@lru_cache(maxsize=4096)
def compile_glob(pattern: str, *, ignore_case: bool = True) -> Glob:
    """Check `pattern` and take it apart. Raises UsageError that names the offending place."""
    if not pattern:
        raise UsageError("The pattern is empty.", hint=_HINT)
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise UsageError(
            f"The pattern `{pattern[:40]}…` is longer than {PATTERN_CHARACTERS_MAX} characters.", hint=_HINT
        )
    folded = pattern.lower() if ignore_case else pattern
    tokens: list[_Token] = []
    position = 0
    while position < len(folded):
        character = folded[position]
        if character == "[":
            token, position = _parse_set(pattern, folded, position)
            tokens.append(token)
            continue
        if character == "*":
            if not tokens or tokens[-1] is not _Star:
                tokens.append(_Star)
        else:
            tokens.append(_Any if character == "?" else character)
        position += 1
    runs = _literal_runs(tokens)
    return Glob(pattern, ignore_case, tuple(tokens), _prefix=runs[0], _anchor=max(runs, key=len))


def matches_pattern(name: str, pattern: str, *, ignore_case: bool = True) -> bool:
    """True when the whole of `name` fits `pattern`. Raises UsageError for a pattern that is none."""
    return compile_glob(pattern, ignore_case=ignore_case).matches(name)


def _parse_set(pattern: str, folded: str, start: int) -> tuple[_Set, int]:
    """The set that opens at `start`, and where it ends. A `]` that comes first is a member."""
    position = start + 1
    negated = folded[position : position + 1] in ("!", "^")
    position += negated
    ranges: list[tuple[str, str]] = []
    while position < len(folded) and (folded[position] != "]" or not ranges):
        low = high = folded[position]
        if folded[position + 1 : position + 2] == "-" and folded[position + 2 : position + 3] not in ("", "]"):
            high = folded[position + 2]
            position += 2
        if low > high:
            raise UsageError(f"The pattern `{pattern}` holds the range `{low}-{high}`, which is backwards.", hint=_HINT)
        ranges.append((low, high))
        position += 1
    if position >= len(folded):
        raise UsageError(f"The pattern `{pattern}` opens `[` at character {start + 1} and never closes it.", hint=_HINT)
    return _Set(tuple(ranges), negated), position + 1


def _literal_runs(tokens: list[_Token]) -> list[str]:
    """The stretches of plain characters; the first is what stands at the very beginning, and may be empty."""
    runs = [""]
    for token in tokens:
        if isinstance(token, str):
            runs[-1] += token
        else:
            runs.append("")
    return runs


def _walk(tokens: tuple[_Token, ...], name: str) -> bool:
    """Greedy match that remembers only the last star: when stuck, let that star take one character more."""
    token_index = name_index = 0
    star_token, star_name = -1, 0
    while name_index < len(name):
        token = tokens[token_index] if token_index < len(tokens) else None
        if token is _Star:
            star_token, star_name = token_index, name_index
            token_index += 1
        elif token is not None and _fits(token, name[name_index]):
            token_index += 1
            name_index += 1
        elif star_token >= 0:
            star_name += 1
            token_index, name_index = star_token + 1, star_name
        else:
            return False
    return all(token is _Star for token in tokens[token_index:])


def _fits(token: _Token, character: str) -> bool:
    if isinstance(token, str):
        return token == character
    return token is _Any or (isinstance(token, _Set) and token.holds(character))
