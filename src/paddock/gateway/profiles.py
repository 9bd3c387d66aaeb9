"""Profiles: what a kind of work wants of a model, and which of the models here suits it best. Pure.

A model is chosen in six steps: what the user set for the profile; else the models whose context is large enough; of those the
ones that can do what is needed; of those the preferred families in order; when none is left, the profile to fall back on;
when there is none, nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from paddock.errors import NotFound
from paddock.gateway.candidates import Candidate

FALLBACKS_MAX: Final = 16  # profiles that fall back on each other, in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one kind of work wants."""

    name: str
    description: str = ""
    preferred_families: tuple[str, ...] = ()  # the first is liked best
    min_context_window: int = 0
    required_capabilities: tuple[str, ...] = ("streaming",)
    fallback_profile: str | None = None
    own: bool = False  # from the settings, not from the program


BUILT_IN: Final = (
    Profile(
        name="fast",
        description="Quick responses with smaller models",
        preferred_families=("phi", "gemma", "mistral"),
        min_context_window=4096,
        fallback_profile="general",
    ),
    Profile(
        name="general",
        description="Balanced performance for most tasks",
        preferred_families=("llama", "mistral", "qwen"),
        min_context_window=8192,
    ),
    Profile(
        name="code",
        description="Optimized for code generation",
        preferred_families=("codellama", "deepseek-coder", "starcoder"),
        min_context_window=16384,
        fallback_profile="general",
    ),
    Profile(
        name="creative",
        description="Creative writing and storytelling",
        preferred_families=("llama", "mistral"),
        min_context_window=8192,
        fallback_profile="general",
    ),
)


class Profiles:
    """All profiles by name; one of the settings hides the program's own of that name."""

    def __init__(self, own: Iterable[Profile] = ()) -> None:
        self._by_name: Mapping[str, Profile] = {profile.name: profile for profile in (*BUILT_IN, *own)}

    def all(self) -> Sequence[Profile]:
        return tuple(self._by_name.values())

    def get(self, name: str) -> Profile:
        """Raises NotFound with the names that there are."""
        profile = self._by_name.get(name)
        if profile is None:
            raise NotFound(
                f"There is no routing profile `{name[:60]}`.",
                hint=f"There are {', '.join(self._by_name)}. `paddock profile add` makes another.",
            )
        return profile

    def chain(self, name: str) -> Sequence[Profile]:
        """The profile, the one that it falls back on, and so on; each once. Raises NotFound for the first only."""
        chain = [self.get(name)]
        while len(chain) < FALLBACKS_MAX:
            following = self._by_name.get(chain[-1].fallback_profile or "")
            if following is None or following in chain:
                break
            chain.append(following)
        return chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One model against one profile."""

    candidate: Candidate
    refused: str = ""  # why not; empty when it fits
    family: str | None = None  # the preferred family that it is of


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The models that fit a profile, best first, and what was found of the others."""

    profile: Profile
    fits: tuple[Candidate, ...]
    judged: tuple[Judged, ...] = field(default=())


def select(profile: Profile, candidates: Iterable[Candidate], *, needed: Sequence[str] = ()) -> Selection:
    """Steps two to four. `needed`: what this very request needs beyond the profile, such as `vision`."""
    capabilities = tuple(dict.fromkeys((*profile.required_capabilities, *needed)))
    judged = [_judge(candidate, profile, capabilities) for candidate in candidates]
    fitting = sorted((one for one in judged if not one.refused), key=lambda one: _order(one, profile, capabilities))
    return Selection(profile=profile, fits=tuple(one.candidate for one in fitting), judged=tuple(judged))


def matches_profile(candidate: Candidate, profile: Profile) -> bool:
    """Whether a model has what the profile requires; which family it is of is only a preference."""
    return not _judge(candidate, profile, profile.required_capabilities).refused


def preferred_family(family: str, preferred: Sequence[str]) -> str | None:
    """The one of `preferred` that `family` is of: they are parts of its name, the longest says most about it."""
    lowered = family.lower()
    found = [each for each in preferred if each and each.lower() in lowered]
    return max(found, key=len) if found else None


def _judge(candidate: Candidate, profile: Profile, capabilities: Sequence[str]) -> Judged:
    if candidate.context_window < profile.min_context_window:
        return Judged(
            candidate=candidate,
            refused=f"its context of {candidate.context_window:,} is below {profile.min_context_window:,}",
        )
    if not candidate.capabilities.text:
        return Judged(candidate=candidate, refused="it makes no text")
    if lacking := candidate.lacks(capabilities):
        return Judged(candidate=candidate, refused=f"it lacks {', '.join(lacking)}")
    return Judged(candidate=candidate, family=preferred_family(candidate.family, profile.preferred_families))


def _order(
    judged: Judged, profile: Profile, capabilities: Sequence[str]
) -> tuple[bool, int, bool, int, float, int, str, str]:
    """Family first; among equals what was measured decides, and at last the name, so that the choice is always the same."""
    one = judged.candidate
    rank = (
        profile.preferred_families.index(judged.family)
        if judged.family is not None
        else len(profile.preferred_families)
    )
    by_part_of_a_word = judged.family is not None and judged.family.lower() != one.family.lower()
    guessed = sum(each not in one.measured for each in capabilities)
    speed = one.tokens_per_second or 0.0
    return one.builtin, rank, by_part_of_a_word, guessed, -speed, -one.context_window, one.provider, one.name
