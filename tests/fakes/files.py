"""A plain file server, as unhelpful as the web can be: each file says which courtesies it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fakes.content import Content, content_of
from tests.fakes.messages import Answer, Request
from tests.fakes.repository import FileValue
from tests.fakes.serving import FakeServer


@dataclass(frozen=True, slots=True)
class Page:
    """One file and how it is served."""

    content: Content
    etag: str | None
    ranges: bool
    length: bool
    head: bool
    content_type: str
    disposition: str | None


class FileServer(FakeServer):
    """Serves what it is given under `/`; `main` on 127.0.0.1, `other` on localhost."""

    listener_hosts: Mapping[str, str] = {"main": "127.0.0.1", "other": "localhost"}

    def __init__(self) -> None:
        super().__init__()
        self._pages: dict[str, Page] = {}
        self._redirects: dict[str, tuple[str, int]] = {}

    def add(
        self,
        path: str,
        value: FileValue,
        *,
        etag: str | None = None,
        ranges: bool = True,
        length: bool = True,
        head: bool = True,
        content_type: str = "application/octet-stream",
        disposition: str | None = None,
    ) -> str:
        """Serve `value` at `path`; returns its URL."""
        content = content_of(value)
        self._pages[f"/{path}"] = Page(content, etag, ranges, length, head, content_type, disposition)
        return f"{self.url}/{path}"

    def redirect(self, path: str, url: str, code: int = 302) -> str:
        """Send whoever asks for `path` to `url`; returns the URL that does."""
        self._redirects[f"/{path}"] = (url, code)
        return f"{self.url}/{path}"

    def answer(self, request: Request) -> Answer:
        if request.path in self._redirects:
            return Answer.redirect(*self._redirects[request.path])
        page = self._pages.get(request.path)
        if page is None:
            return Answer(404, {"Content-Type": "text/html"}, content_of(b"<html>Not Found</html>"))
        if request.method == "HEAD" and not page.head:
            return Answer(405, {"Allow": "GET"})
        headers = {"Content-Type": page.content_type}
        if page.etag:
            headers["ETag"] = page.etag
        if page.disposition:
            headers["Content-Disposition"] = page.disposition
        return Answer(200, headers, page.content, ranges=page.ranges, length_known=page.length)
