"""What each address wants of who calls it, all in one place. What is not listed is for administrators."""

from enum import StrEnum
from typing import Final

from paddock.security.callers import Scope


class Open(StrEnum):
    """What wants no scope."""

    EVERYBODY = "everybody"  # no key either
    ANY_KEY = "any key"


Need = Scope | frozenset[Scope] | Open  # of several scopes any

_EXACT: Final[dict[str, Need]] = {
    "/healthz": Open.EVERYBODY,
    "/readyz": Open.EVERYBODY,
    "/": Open.ANY_KEY,
    "/openapi.json": Open.ANY_KEY,
    "/admin/session": Open.ANY_KEY,
    "/admin/session/ways": Open.EVERYBODY,
    "/v1/models": Open.ANY_KEY,
    "/v1/embeddings": Scope.EMBEDDINGS,
    "/v1/rerank": Scope.EMBEDDINGS,
    "/v2/rerank": Scope.EMBEDDINGS,
    "/api/embed": Scope.EMBEDDINGS,
    "/api/embeddings": Scope.EMBEDDINGS,
    "/api/tags": Open.ANY_KEY,
    "/api/ps": Open.ANY_KEY,
    "/api/show": Open.ANY_KEY,
    "/api/version": Open.ANY_KEY,
    "/api/pull": Scope.LIBRARY,
    "/api/delete": Scope.LIBRARY,
    "/api/copy": Scope.LIBRARY,
    "/admin/library/export": Scope.ADMIN,  # they read and write folders outside the store
    "/admin/library/import": Scope.ADMIN,
}
_BELOW: Final[tuple[tuple[str, Need], ...]] = (
    ("/v1/models/", Open.ANY_KEY),
    ("/v1/", Scope.CHAT),
    ("/api/", Scope.CHAT),
    ("/admin/chats", frozenset({Scope.CHAT, Scope.ADMIN})),
    ("/admin/models", Scope.LIBRARY),
    ("/admin/library", Scope.LIBRARY),
    ("/admin/pulls", Scope.LIBRARY),
    ("/admin/registry", Scope.LIBRARY),
    ("/admin/templates", Scope.LIBRARY),
)
# Signing in is how one comes by what other addresses want.
_SIGN_IN: Final = ("POST", "/admin/session")


def need_of(method: str, path: str) -> Need:
    """What a request wants, by its address before any of it is looked at."""
    if (method, path) == _SIGN_IN:
        return Open.EVERYBODY
    exact = _EXACT.get(path)
    if exact is not None:
        return exact
    return next((need for start, need in _BELOW if path.startswith(start)), Scope.ADMIN)
