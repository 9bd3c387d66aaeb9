"""What a request shows of who sends it: a key in a header, or a browser's cookie with the token of its page."""

import hmac
from typing import Final

from starlette.datastructures import Headers

from paddock.errors import TokenMissing
from paddock.security.users import page_token

COOKIE: Final = "paddock_session"
PAGE_TOKEN: Final = "x-paddock-page-token"  # noqa: S105 (the name of a header)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def key_in(headers: Headers) -> str | None:
    """The key, in whichever header a client sends it."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return headers.get("x-api-key")


def cookie_in(headers: Headers) -> str | None:
    """The token of a session. Of several the first: a browser sends the most specific one first."""
    for pair in headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None


def check_page(method: str, headers: Headers, cookie: str) -> None:
    """Raises TokenMissing when a request that changes something, and comes with a cookie, is not of our own page."""
    shown = headers.get(PAGE_TOKEN, "").encode("latin-1", "replace")
    if method not in _SAFE and not hmac.compare_digest(page_token(cookie).encode(), shown):
        raise TokenMissing(
            "A page that changes something shows the token that it got with its session.",
            hint=f"Send it as `{PAGE_TOKEN}`; `GET /admin/session` tells it.",
        )


def cookie_header(token: str, *, seconds: int, secure: bool) -> str:
    """Sets the cookie, for so many seconds; none at all takes it away. Scripts and pages of others never see it."""
    parts = [f"{COOKIE}={token}", "Path=/", f"Max-Age={seconds}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*parts, "Secure"] if secure else parts)
