"""Models as routing sees them: what each can do, where it answers, and what is known of it by measuring."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from paddock.vocabulary import Capabilities

LOCAL: Final = "local"  # the provider of the models on this machine
CAPABILITIES: Final = ("text", "vision", "embeddings", "tools", "streaming", "thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model that could answer."""

    name: str
    provider: str = LOCAL
    family: str = "unknown"
    context_window: int
    context_told: bool = True  # else it is what models have at the least
    capabilities: Capabilities = field(default_factory=Capabilities)
    aliases: tuple[str, ...] = ()
    builtin: bool = False  # came with the program; for trying, not for work
    automatic: bool = True  # `auto` may take it; what others run only if their provider says so
    measured: frozenset[str] = frozenset()  # capabilities that files or trials show; the others are told or guessed
    tokens_per_second: float | None = None  # measured, of late

    def can(self, capability: str) -> bool:
        """Unknown words are things that no model here can do."""
        return capability in CAPABILITIES and bool(getattr(self.capabilities, capability))

    def lacks(self, needed: Iterable[str]) -> tuple[str, ...]:
        """Those of `needed` that it cannot do, in order."""
        return tuple(each for each in needed if not self.can(each))


class Models:
    """All candidates, found by name. Build one when the models change, not for each request."""

    def __init__(self, candidates: Sequence[Candidate] = ()) -> None:
        self.all = tuple(candidates)
        self._local: dict[str, Candidate] = {}
        self._aliases: dict[str, Candidate] = {}
        self._remote: dict[str, list[Candidate]] = {}
        self._of_provider: dict[tuple[str, str], Candidate] = {}
        for candidate in candidates:
            self._of_provider.setdefault((candidate.provider, candidate.name), candidate)
            if candidate.provider == LOCAL:
                self._local.setdefault(candidate.name, candidate)
                for alias in candidate.aliases:
                    self._aliases.setdefault(alias, candidate)
            else:
                self._remote.setdefault(candidate.name, []).append(candidate)

    def local(self, name: str) -> Candidate | None:
        """The model on this machine of exactly this name or alias."""
        return self._local.get(name) or self._aliases.get(name)

    def elsewhere(self, name: str) -> Sequence[Candidate]:
        """Models of this name at providers, in the order of the providers."""
        return self._remote.get(name, ())

    def at(self, provider: str, name: str) -> Candidate | None:
        """What is known of a provider's model; None when its list does not have it, or was never read."""
        return self.local(name) if provider == LOCAL else self._of_provider.get((provider, name))

    def names(self) -> Mapping[str, Candidate]:
        """Local models by name."""
        return self._local
