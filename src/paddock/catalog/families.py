"""Which family a model belongs to, from its name and its architecture.

Families are a naming matter: codellama and vicuna have llama's architecture. So a name decides, most specific family
first, unless the files show an architecture that this family never had; then the architecture does.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Family:
    """One family: the words that name it, the architectures it brought up and those of others that it uses."""

    name: str
    pattern: re.Pattern[str]
    architectures: frozenset[str]
    borrowed: frozenset[str]


def family_of_name(name: str) -> str:
    """The most specific family that `name` names, or "unknown". Upper and lower case are the same."""
    found = _by_name(name)
    return found.name if found else UNKNOWN


def family_of_architecture(architecture: str) -> str:
    """The family that brought up `architecture`, or "unknown"."""
    return _owners().get(_normalised(architecture), UNKNOWN)


def family_of(name: str, architecture: str | None) -> str:
    """The family of a model called `name` whose files say `architecture` (None when they are not known)."""
    named = _by_name(name)
    if architecture is None:
        return named.name if named else UNKNOWN
    owner = family_of_architecture(architecture)
    if named is None:
        return owner
    fits = _normalised(architecture) in named.architectures | named.borrowed
    return named.name if fits or owner == UNKNOWN else owner


def _by_name(name: str) -> Family | None:
    # An organisation is not the model: `deepseek-ai/…` and `mistralai/…` would otherwise name a family.
    short = name.rsplit("/", 1)[-1].lower()
    for family in _families():
        if family.pattern.search(short):
            return family
    return None


def _normalised(architecture: str) -> str:
    return architecture.lower().replace("-", "_")


@cache
def _families() -> tuple[Family, ...]:
    entries = json.loads(files("paddock.catalog").joinpath("data/families.json").read_text("utf-8"))["families"]
    return tuple(
        Family(
            entry["name"],
            re.compile("|".join(_word_pattern(word) for word in entry["words"])),
            frozenset(entry["architectures"]),
            frozenset(entry.get("borrowed", ())),
        )
        for entry in entries
    )


def _word_pattern(word: str) -> str:
    """Long words count anywhere (`codellama` in `TheBlokeCodeLlama`); short ones only where no letter touches them.

    `phi` is in `dolphin` and `yi` in `studying`, but `phi3` and `phi-4` are phi.
    """
    escaped = re.escape(word)
    return escaped if len(word) > 4 else rf"(?<![a-z]){escaped}(?![a-z])"


@cache
def _owners() -> Mapping[str, str]:
    return {architecture: family.name for family in _families() for architecture in family.architectures}
