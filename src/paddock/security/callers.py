"""Who asks, and what they may. Pure values; the gate makes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from paddock.errors import ModelNotAllowed, OutOfScope, UsageError


class Scope(StrEnum):
    """What a key or a user may do."""

    CHAT = "chat"  # ask models for text
    EMBEDDINGS = "embeddings"  # ask them for vectors and scores
    LIBRARY = "library"  # fetch, load and remove models
    ADMIN = "admin"  # everything else: settings, users, keys, what was asked


ALL: Final = frozenset(Scope)
SPEAKING: Final = frozenset({Scope.CHAT, Scope.EMBEDDINGS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request."""

    id: str  # `key:…`, `user:…`, `admin`, `local`, `launch`, or empty where nobody needs a key; prefixes are its own
    name: str
    scopes: frozenset[Scope] = ALL
    models: tuple[str, ...] = ()  # patterns of names; none is every model
    key_id: str | None = None  # of a key with limits of its own
    session: str | None = None  # the digest of the session's token, where a browser asks

    @property
    def owner(self) -> str:
        """Whose what it keeps is; empty for whoever runs the server, by its own key or on this machine."""
        return "" if self.id in _OWNERS else self.id

    @property
    def sees_all(self) -> bool:
        """Also what others keep."""
        return Scope.ADMIN in self.scopes

    def check_scope(self, *scopes: Scope) -> None:
        """Raises OutOfScope when it may do none of that."""
        if self.scopes.isdisjoint(scopes):
            has = ", ".join(sorted(self.scopes)) or "nothing"
            wanted = " or ".join(f"`{scope}`" for scope in sorted(scopes))
            raise OutOfScope(
                f"This wants the scope {wanted}, and `{self.name}` has {has}.",
                hint="Use another key, or let whoever runs this server give it the scope.",
            )

    def may_use(self, model: str) -> bool:
        """Whether a model of that name is among those that it may use."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)

    def check_model(self, *names: str) -> None:
        """Raises ModelNotAllowed unless it may use one of these names of a model."""
        if not any(self.may_use(name) for name in names):
            raise ModelNotAllowed(
                f"`{self.name}` may not use the model `{names[0][:80]}`.",
                hint="`/v1/models` lists those that it may use.",
            )


ANYONE: Final = Caller(id="", name="anyone")  # no key was ever made: whoever reaches the loopback address
ADMIN: Final = Caller(id="admin", name="PADDOCK_ADMIN_KEY")
LOCAL: Final = Caller(id="local", name="this user's own programs")  # by the token in the state file
_OWNERS: Final = ("", "admin", "local")
LAUNCHED: Final = Caller(id="launch", name="a launched program", scopes=SPEAKING)


def scopes_of(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes by their names. Raises UsageError for one that is none, and when there are none."""
    found: set[Scope] = set()
    for name in names:
        try:
            found.add(Scope(name))
        except ValueError:
            raise UsageError(
                f"`{name[:40]}` is no scope.", hint=f"There are {', '.join(Scope)}.", param="scopes"
            ) from None
    if not found:
        raise UsageError("Without a scope it could do nothing.", hint=f"There are {', '.join(Scope)}.", param="scopes")
    return frozenset(found)
