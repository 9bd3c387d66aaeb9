"""Rules: which names go to which provider and model. Pure; matching is made ready once, not for each request.

The rule with the highest priority that fits a name decides; among equals one for the exact name comes before a prefix, a
longer prefix before a shorter one, and both before a regular expression; then the one that was named first in the alphabet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from paddock.errors import UsageError
from paddock.gateway import patterns

RULES_MAX: Final = 10_000
PATTERN_CHARACTERS_MAX: Final = 512
TARGETS_MAX: Final = 16
OPTIONS_MAX: Final = 64
PRIORITY_MAX: Final = 1_000_000
_NAME_CHARACTERS_MAX: Final = 64
_MODEL_CHARACTERS_MAX: Final = 512
_PLACES: Final = (
    "`{model}` is the name that was asked, `{rest}` what follows a prefix, `{1}` the first group of a regex."
)


class Match(StrEnum):
    """How a rule's pattern is compared with a name."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"  # the whole name has to fit


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTarget:
    """Where a rule leads. Either may be empty, not both: the model as asked, or wherever that model is."""

    provider: str = ""
    model: str = ""  # may hold `{model}`, `{rest}`, `{1}`; may be `auto:code`
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])  # passed to the provider as they stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Names that fit go to the first target, and on to the others when it cannot answer."""

    name: str
    match: Match
    pattern: str
    targets: tuple[RuleTarget, ...]
    priority: int = 0  # higher goes first
    enabled: bool = True
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The rule that decides about a name, and what its pattern caught."""

    rule: Rule
    asked: str
    rest: str = ""
    groups: tuple[str, ...] = ()

    def model(self, target: RuleTarget) -> str:
        """The model that `target` means for the name that was asked."""
        if not target.model:
            return self.asked
        words = {"model": self.asked, "rest": self.rest}
        words |= {str(number): group for number, group in enumerate(self.groups, start=1)}
        return _filled(target.model, words)


class RuleSet:
    """Rules, ready to be matched: exact names and prefixes are looked up, all regular expressions go over a name together."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Rules are valid (`check_rule`); disabled ones never match."""
        self.rules = tuple(sorted(rules, key=_order))
        self._exact: dict[str, Rule] = {}
        self._prefixes: dict[str, Rule] = {}
        self._regexes: list[Rule] = []
        for rule in self.rules:
            if not rule.enabled:
                continue
            match rule.match:
                case Match.EXACT:
                    self._exact.setdefault(rule.pattern, rule)
                case Match.PREFIX:
                    self._prefixes.setdefault(rule.pattern, rule)
                case Match.REGEX:
                    self._regexes.append(rule)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._together = patterns.Together([rule.pattern for rule in self._regexes])

    def match(self, name: str) -> Matched | None:
        """The rule that decides about `name`."""
        rule = min((*self._looked_up(name), *self._tried(name)), key=_order, default=None)
        return None if rule is None else matched(rule, name)

    def _looked_up(self, name: str) -> Iterable[Rule]:
        if (rule := self._exact.get(name)) is not None:
            yield rule
        for length in self._lengths:
            if length <= len(name) and (rule := self._prefixes.get(name[:length])) is not None:
                yield rule

    def _tried(self, name: str) -> Iterable[Rule]:
        """The first in order of the regular expressions that fit."""
        if (first := self._together.first(name)) is not None:
            yield self._regexes[first]


def matched(rule: Rule, name: str) -> Matched | None:
    """What a rule's pattern catches of `name`, whoever decides in the end; None when it does not fit."""
    match rule.match:
        case Match.EXACT:
            return Matched(rule=rule, asked=name) if name == rule.pattern else None
        case Match.PREFIX:
            return (
                Matched(rule=rule, asked=name, rest=name[len(rule.pattern) :])
                if name.startswith(rule.pattern)
                else None
            )
        case Match.REGEX:
            groups = patterns.groups(rule.pattern, name)
            return None if groups is None else Matched(rule=rule, asked=name, groups=groups)


def check_rule(rule: Rule) -> None:
    """Raises UsageError that names the field which is wrong."""
    if not rule.name or len(rule.name) > _NAME_CHARACTERS_MAX or not set(rule.name) <= _NAME_LETTERS:
        raise _wrong(
            "name", f"`{rule.name[:80]}` is no name of a rule", "Use letters, digits, `-`, `_`, `.`; 64 at most."
        )
    if not rule.pattern or len(rule.pattern) > PATTERN_CHARACTERS_MAX or not rule.pattern.isprintable():
        raise _wrong("pattern", f"The rule `{rule.name}` has no pattern", "Give 1 to 512 printable characters.")
    if abs(rule.priority) > PRIORITY_MAX:
        raise _wrong("priority", f"{rule.priority} is no priority", f"Use up to {PRIORITY_MAX:,}, higher goes first.")
    groups = _check_regex(rule) if rule.match is Match.REGEX else 0
    if not 1 <= len(rule.targets) <= TARGETS_MAX:
        raise _wrong("targets", f"The rule `{rule.name}` leads nowhere", f"Give 1 to {TARGETS_MAX} targets.")
    for number, target in enumerate(rule.targets):
        _check_target(target, rule, f"targets[{number}]", groups)


_NAME_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_MATCH_ORDER: Final = {Match.EXACT: 0, Match.PREFIX: 1, Match.REGEX: 2}


def _order(rule: Rule) -> tuple[int, int, int, str]:
    longer_first = -len(rule.pattern) if rule.match is Match.PREFIX else 0
    return -rule.priority, _MATCH_ORDER[rule.match], longer_first, rule.name


def _check_regex(rule: Rule) -> int:
    """The number of its groups."""
    if (fault := patterns.fault(rule.pattern)) is not None:
        raise _wrong(
            "pattern",
            f"`{rule.pattern[:80]}` is no regular expression: {fault[:120]}",
            "It is RE2's syntax, without look-around and back-references; `gpt-.*` fits all names that begin so.",
        )
    return patterns.group_count(rule.pattern)


def _check_target(target: RuleTarget, rule: Rule, where: str, groups: int) -> None:
    if not target.provider and not target.model:
        raise _wrong(where, f"A target of `{rule.name}` names nothing", "Give `provider`, `model` or both.")
    if len(target.provider) > _NAME_CHARACTERS_MAX or len(target.model) > _MODEL_CHARACTERS_MAX:
        raise _wrong(where, f"A target of `{rule.name}` is too long", "See `paddock provider list`, `paddock list`.")
    if len(target.options) > OPTIONS_MAX:
        raise _wrong(f"{where}.options", "There are too many options", f"Send {OPTIONS_MAX} at most.")
    known = {"model", *(str(number) for number in range(1, groups + 1))}
    if rule.match is Match.PREFIX:
        known.add("rest")
    for place in _places(target.model):
        if place not in known:
            raise _wrong(f"{where}.model", f"`{{{place}}}` stands for nothing in a rule of this kind", _PLACES)


def _places(text: str) -> Sequence[str]:
    """What stands in braces."""
    return [piece.partition("}")[0] for piece in text.split("{")[1:] if "}" in piece]


def _filled(text: str, words: Mapping[str, str]) -> str:
    """One pass: what was put in is not looked at again, so a name with braces in it stays what it is."""
    first, *pieces = text.split("{")
    filled = [first]
    for piece in pieces:
        place, brace, rest = piece.partition("}")
        filled.append(words[place] + rest if brace and place in words else "{" + piece)
    return "".join(filled)


def _wrong(param: str, message: str, hint: str) -> UsageError:
    return UsageError(f"{message}.", hint=hint, param=param)
