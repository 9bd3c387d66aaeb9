"""Whether an answer is the bytes that a transfer asked for, and what to do when it is not.

A `Course` is what is known of one file on its way: which bytes are here, how many there are in all, which version they
belong to. Each answer is judged by it and may correct it.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2

from paddock.errors import PaddockError, RateLimited
from paddock.hub import transfer_errors
from paddock.hub.addresses import host_of
from paddock.hub.http import HttpClient, length_told, refused
from paddock.hub.partial_file import PartialFile
from paddock.hub.ranges import content_range
from paddock.hub.source import Listing, RemoteFile, Source
from paddock.store.checksum import Hasher, git_blob_hasher, sha256_hasher

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_DENIED = (401, 403, 404, 410)  # what an address says that has expired, or that never was ours to ask
_WEB_PAGES = (".html", ".htm", ".xhtml")


class TryAgain(Exception):
    """This try is over; another may do better. Says why, for the error when none did."""

    def __init__(self, why: PaddockError, *, wait_s: float | None = None) -> None:
        super().__init__(why.message)
        self.why = why
        self.wait_s = wait_s


class Course:
    """One file on its way."""

    def __init__(self, file: RemoteFile, partial: Path, report: Callable[[int], None]) -> None:
        self.file = file
        self.size = file.size  # learned from an answer when the listing did not tell
        self.partial = PartialFile(partial, name=file.path, size=file.size, new_hasher=_new_hasher(file))
        self._report = report
        self._version = version_beside(partial)
        self._ends_with_body = False  # nobody tells the size: a body that ends well is the whole file
        self.unframed_at: int | None = None  # where a body ended of which nobody said how long it is
        self.denied_at: int | None = None  # how far it was when the address was denied last

    @property
    def position(self) -> int:
        return self.partial.position

    @property
    def is_complete(self) -> bool:
        return self._ends_with_body or (self.size is not None and self.position >= self.size)

    def is_all(self) -> None:
        """There is no more to come, though nobody had told the size."""
        self._ends_with_body = True

    def restart(self) -> None:
        """Back to nothing."""
        self.partial.restart()
        self._ends_with_body = False
        self.unframed_at = None
        self._version.unlink(missing_ok=True)
        self._report(0)

    def range_headers(self) -> dict[str, str]:
        """The headers that ask for what is still missing."""
        if not self.position:
            return {}
        extra = {"range": f"bytes={self.position}-"}
        if not self.has_hash:
            if not self._version.exists():  # nobody can say whether the rest would belong to these bytes
                self.restart()
                return {}
            extra["if-range"] = self._version.read_text(encoding="utf-8")
        return extra

    @property
    def has_hash(self) -> bool:
        return self.partial.digest() is not None

    def body_ended(self, response: httpx2.Response) -> None:
        """When nobody told how long the file is: a body in chunks says where it ends; any other may have been cut off,
        so the server is asked for what follows, where that can be asked."""
        if self.size is not None:
            return
        may_ask = self.has_hash or self._version.exists()
        if "transfer-encoding" in response.headers or not may_ask or not self.position:
            self.is_all()
        else:
            self.unframed_at = self.position

    def bind(self, response: httpx2.Response) -> None:
        """Remember which version the bytes are of, when no hash will tell."""
        if self.has_hash:
            return
        etag = response.headers.get("etag", "")
        version = etag if etag and not etag.startswith("W/") else response.headers.get("last-modified", "")
        if version:
            self._version.write_text(version, encoding="utf-8")


class Judge:
    """Judges answers. Asks the source for a fresh address when one is denied."""

    def __init__(self, source: Source, listing: Listing, client: HttpClient) -> None:
        self._source = source
        self._listing = listing
        self._client = client

    def wants(self, response: httpx2.Response, course: Course) -> bool:
        """Whether the body is bytes that are missing; False when none are. Raises TryAgain or the error that ends it."""
        status, path, host = response.status_code, course.file.path, host_of(str(response.url))
        if status in _BUSY:
            raise self._busy(response)
        if status in _DENIED:
            raise self._denied(response, course)
        if status == 416:
            return self._out_of_range(response, course)
        if status not in (200, 206):
            raise transfer_errors.unexpected(path, host, status)
        if response.headers.get("content-type", "").lower().startswith("text/html") and not is_web_page(path):
            raise transfer_errors.web_page(path, host)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise TryAgain(transfer_errors.compressed(path, host))
        return self._part(response, course) if status == 206 else self._whole(response, course)

    def _whole(self, response: httpx2.Response, course: Course) -> bool:
        """A 200: the file from its start, whether or not we asked for a part."""
        if course.position and course.position == course.unframed_at:
            course.is_all()  # it knows no ranges, so nobody can tell more
            return False
        if course.position:
            course.restart()
        if course.file.size is None:
            course.size = length_told(response.headers)
        course.bind(response)
        return True

    def _part(self, response: httpx2.Response, course: Course) -> bool:
        told = content_range(response.headers)
        right = told is not None and told.start == course.position
        if told is None or not right or (None not in (told.total, course.file.size) and told.total != course.file.size):
            course.restart()  # asked from zero there is no range to get wrong
            raise TryAgain(transfer_errors.another_part(course.file.path, host_of(str(response.url))))
        if course.file.size is None:
            course.size = told.total
        return True

    def _out_of_range(self, response: httpx2.Response, course: Course) -> bool:
        """A 416: nothing follows what we have. Then it is all, or another and shorter file."""
        told = response.headers.get("content-range", "").removeprefix("bytes */")
        if course.size is None and (told == str(course.position) or course.position == course.unframed_at):
            course.is_all()
            return False
        course.restart()
        raise TryAgain(transfer_errors.shorter_than_before(course.file.path, host_of(str(response.url))))

    def _busy(self, response: httpx2.Response) -> Exception:
        wait_s = self._client.wait_s(response.status_code, response.headers, 1)
        error = refused(str(response.url), response.status_code, wait_s)
        limit_s = self._client.limits.retry_after_max_s
        if wait_s > limit_s and isinstance(error, RateLimited):
            return error
        asked = "retry-after" in response.headers
        return TryAgain(error, wait_s=min(wait_s, limit_s) if asked else None)

    def _denied(self, response: httpx2.Response, course: Course) -> Exception:
        """An address that expired gets a fresh one; when that is denied too, it is meant."""
        twice, course.denied_at = course.denied_at == course.position, course.position
        # Raises AccessDenied with the remedy where the source knows one.
        fresh = self._source.refresh(self._listing, course.file)
        course.file = replace(course.file, location=fresh.location)
        why = transfer_errors.denied(course.file.path, host_of(str(response.url)), response.status_code)
        return why if twice else TryAgain(why, wait_s=0.0)


def is_web_page(path: str) -> bool:
    """Whether a file of this name may be HTML."""
    return path.lower().endswith(_WEB_PAGES)


def version_beside(partial: Path) -> Path:
    """Beside a partial without a hash: the ETag or date of the version that its bytes belong to."""
    return partial.with_name(f"{partial.name}.version")


def _new_hasher(file: RemoteFile) -> Callable[[], Hasher] | None:
    if file.sha256:
        return sha256_hasher
    if file.git_oid and file.size is not None:
        size = file.size
        return lambda: git_blob_hasher(size)
    return None
