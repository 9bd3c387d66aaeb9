"""The dashboard's files, and the guards that they are sent with.

They are built from `web/` into a folder of the package and are the same for everybody: they hold no secrets, so they are
sent without a key; what they show they ask the API for. Without that folder one plain page says how to get them.
"""

import mimetypes
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from starlette.datastructures import Headers

ASSETS: Final = "/assets/"
PAGES: Final = (
    "/chat",
    "/models",
    "/memory",
    "/routing",
    "/providers",
    "/activity",
    "/settings",
)  # those below them, too
_INDEX: Final = "index.html"
_NONCE: Final = "%NONCE%"  # in the page's template; styles that the pages add while they run carry it
_MISSING: Final = """\
<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Paddock</title><h1>Paddock is running</h1>
<p>The dashboard was not built, because Node was not there. Install Node 20.19 or newer with npm, and start the server
again with <code>make serve</code>; a wheel brings the dashboard along.</p>
<p>OpenAI's clients take this address with <code>/v1</code> added. Here are its
<a href="/v1/models">models</a>, <a href="/readyz">state</a>, <a href="/metrics">metrics</a>
and the <a href="/openapi.json">description of every endpoint</a>.</p></html>
"""
_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser gets for an address."""

    text: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Pages:
    """The built dashboard. Read once: a server that runs keeps index and assets of one build."""

    index: str | None
    assets: dict[str, bytes]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What lies in `folder`; nothing when it was never built."""
        index = folder / _INDEX
        if not index.is_file():
            return cls(None, {})
        files = (folder / "assets").iterdir()
        return cls(index.read_text(encoding="utf-8"), {file.name: file.read_bytes() for file in files})

    def page(self) -> Page:
        """The one page, whatever part of it the address asks for."""
        nonce = secrets.token_urlsafe(16)
        policy = "default-src 'none'"
        if self.index is not None:
            policy += (
                f"; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'"
                "; connect-src 'self'"
            )
        policy += "; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        text = _MISSING if self.index is None else self.index.replace(_NONCE, nonce)
        return Page(
            text,
            {
                "content-security-policy": policy,
                "x-frame-options": "DENY",
                "referrer-policy": "no-referrer",
                "cross-origin-opener-policy": "same-origin",
                "cache-control": "no-store",
                "vary": "accept",
            },
        )

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """A file and its media type; None for a name that the build does not know. No path is made of it."""
        content = self.assets.get(name)
        if content is None:
            return None
        suffix = Path(name).suffix
        return content, _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")


def is_page(path: str, headers: Headers) -> bool:
    """Whether a browser asks for a page, which is sent without a key as files of the dashboard are."""
    if path.startswith(ASSETS):
        return True
    known = path == "/" or any(path == page or path.startswith(page + "/") for page in PAGES)
    return known and "text/html" in headers.get("accept", "")
