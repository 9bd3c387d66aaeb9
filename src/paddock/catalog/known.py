"""The database of known models: limits, family and capabilities by glob over names.

Entries are data (`data/known.json`, and those of the user's configuration). A pattern may match a name as it stands
(`llama3.1:8b`), its last part (`Llama-3.1-8B-Instruct`), or its normalised spelling (`llama3.1:8b-instruct`); the
longest pattern wins. What the files of a model say always comes before what stands here.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from paddock.catalog.facts import CONTEXT_WINDOW_DEFAULT, MAX_OUTPUT_TOKENS_DEFAULT
from paddock.catalog.families import UNKNOWN, family_of_name
from paddock.catalog.matching import Glob, compile_glob
from paddock.catalog.spelling import spellings
from paddock.catalog.values import as_mapping, as_positive, as_text
from paddock.errors import InvalidConfig, UsageError
from paddock.vocabulary import Capabilities

_log = logging.getLogger(__name__)
_LOOKUPS_KEPT = 4096
_CAPABILITIES = tuple(item.name for item in fields(Capabilities))
_KEYS = ("pattern", "family", "context_window", "max_output_tokens", "capabilities", "profiles")
_ALIASES = {"contextWindow": "context_window", "maxOutputTokens": "max_output_tokens", "toolCalling": "tools"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """One entry. None means that it does not say."""

    pattern: str
    family: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: Mapping[str, bool] | None = None  # only the ones that are told
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    context_window: int
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class Match:
    """What a lookup found: the entry (None when no pattern fits) and what a person should know about it."""

    entry: KnownModel | None
    warnings: tuple[str, ...] = ()


class KnownModels:
    """Entries to look up by model name. Immutable; lookups are cached and safe from any thread."""

    def __init__(self, entries: Iterable[KnownModel]) -> None:
        """Earlier entries win ties. Raises InvalidConfig for a pattern that is none."""
        compiled = [(_compile(entry), entry) for entry in entries]
        # Longest first, so that the first hit is the most specific; the sort keeps the order of equals.
        self._entries = tuple(sorted(compiled, key=lambda pair: -len(pair[1].pattern)))
        self._find = lru_cache(maxsize=_LOOKUPS_KEPT)(self._search)

    @property
    def entries(self) -> Sequence[KnownModel]:
        """All entries, most specific first."""
        return tuple(entry for _, entry in self._entries)

    def match(self, name: str) -> Match:
        """The entry for `name`, with a warning when equally long patterns disagree about it."""
        return self._find(name)

    def lookup(self, name: str) -> KnownModel | None:
        return self._find(name).entry

    def limits(self, name: str) -> Limits:
        """Both limits, always: the defaults fill what no entry says."""
        entry = self.lookup(name)
        context = (entry and entry.context_window) or CONTEXT_WINDOW_DEFAULT
        output = (entry and entry.max_output_tokens) or MAX_OUTPUT_TOKENS_DEFAULT
        return Limits(context, min(output, context))

    def family(self, name: str) -> str:
        entry = self.lookup(name)
        return (entry and entry.family) or family_of_name(name) or UNKNOWN

    def capabilities(self, name: str) -> Capabilities:
        """What the model can do; a model that nobody knows generates text and no more."""
        entry = self.lookup(name)
        return Capabilities(**dict(entry.capabilities or {})) if entry else Capabilities()

    def profiles(self, name: str) -> tuple[str, ...]:
        entry = self.lookup(name)
        return entry.profiles if entry else ()

    def _search(self, name: str) -> Match:
        candidates = spellings(name)  # lower case
        best: KnownModel | None = None
        tied: list[str] = []
        for glob, entry in self._entries:
            if best is not None and len(entry.pattern) < len(best.pattern):
                break
            if any(glob.matches_folded(candidate) for candidate in candidates):
                if best is None:
                    best = entry
                elif entry != best:
                    tied.append(entry.pattern)
        if best is None or not tied:
            return Match(best)
        others = ", ".join(f"`{pattern}`" for pattern in tied)
        warning = f"`{name}` fits `{best.pattern}` and, equally specific, {others}; the first is used."
        _log.warning("catalog.tie model=%s pattern=%s others=%s", name, best.pattern, tied)
        return Match(best, (warning,))


@cache
def built_in_models() -> KnownModels:
    """The models that Paddock ships knowledge of."""
    return KnownModels(_built_in_entries())


def known_models(custom: Sequence[Mapping[str, Any]] = ()) -> KnownModels:
    """The built-in entries and `custom` ones, which win ties. Raises InvalidConfig naming entry, field and value."""
    if not custom:
        return built_in_models()
    mine = [parse_entry(row, where=f"entry {number}") for number, row in enumerate(custom, start=1)]
    return KnownModels([*mine, *_built_in_entries()])


def parse_entry(row: object, *, where: str) -> KnownModel:
    """Check one entry. `where` names it in errors, together with its pattern. Document D's camelCase is accepted."""
    told = {_ALIASES.get(key, key): value for key, value in as_mapping(row).items()}
    pattern = as_text(told.get("pattern"))
    if pattern is None:
        raise InvalidConfig(f"The known-model {where} has no `pattern`.", hint="Give it a glob such as `my-model:*`.")
    place = f"known-model {where} (`{pattern}`)"
    if unknown := sorted(set(told) - set(_KEYS)):
        raise InvalidConfig(f"The {place} has the unknown key `{unknown[0]}`.", hint=f"Known keys: {', '.join(_KEYS)}.")
    entry = KnownModel(
        pattern=pattern,
        family=_family(told, place),
        context_window=_limit(told, "context_window", place),
        max_output_tokens=_limit(told, "max_output_tokens", place),
        capabilities=_capabilities(told.get("capabilities"), place),
        profiles=_profiles(told.get("profiles", ()), place),
    )
    _compile(entry)
    return entry


@cache
def _built_in_entries() -> tuple[KnownModel, ...]:
    rows = json.loads(files("paddock.catalog").joinpath("data/known.json").read_text("utf-8"))["entries"]
    return tuple(parse_entry(row, where=f"entry {number} of data/known.json") for number, row in enumerate(rows, 1))


def _compile(entry: KnownModel) -> Glob:
    try:
        return compile_glob(entry.pattern)
    except UsageError as error:
        raise InvalidConfig(f"A known-model entry cannot be used: {error.message}", hint=error.hint) from error


def _family(told: Mapping[str, Any], place: str) -> str | None:
    family = told.get("family")
    if family is None or (isinstance(family, str) and family.strip()):
        return family
    raise InvalidConfig(f"The {place} has the family {family!r}.", hint="A family is a word, such as `llama`.")


def _limit(told: Mapping[str, Any], key: str, place: str) -> int | None:
    value = told.get(key)
    if value is None:
        return None
    number = as_positive(value)
    if number is None:
        raise InvalidConfig(f"The {place} has {value!r} as `{key}`.", hint=f"`{key}` is a whole number above 0.")
    return number


def _capabilities(value: object, place: str) -> Mapping[str, bool] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidConfig(
            f"The {place} has {value!r} as `capabilities`.", hint="Write `{tools: true, vision: false}`."
        )
    chosen: dict[str, bool] = {}
    for key, flag in as_mapping(value).items():  # pyright: ignore[reportUnknownArgumentType] (as_mapping checks the keys)
        key = _ALIASES.get(key, key)
        if key not in _CAPABILITIES:
            raise InvalidConfig(
                f"The {place} names the unknown capability `{key}`.", hint=f"Known: {', '.join(_CAPABILITIES)}."
            )
        if not isinstance(flag, bool):
            raise InvalidConfig(f"The {place} has {flag!r} as `capabilities.{key}`.", hint="Write true or false.")
        chosen[key] = flag
    return chosen


def _profiles(value: object, place: str) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) and item for item in value):  # pyright: ignore[reportUnknownVariableType]
        return tuple(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] (checked just above)
    raise InvalidConfig(f"The {place} has {value!r} as `profiles`.", hint="Write a list of names, such as `[general]`.")
