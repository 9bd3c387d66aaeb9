"""One file at an address: HTTPS anywhere, plain HTTP on this machine, and whatever courtesies the server has.

A single request for the first bytes tells all there is to know: 206 has the whole size, 200 has a length or none, and
the bytes show a log-in page for what it is. `HEAD` is not asked: many servers refuse it or answer it wrongly.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

import httpx2

from paddock.catalog.reading import RangeReader
from paddock.errors import AccessDenied, InvalidFile, InvalidReference, ModelNotFound, PaddockError, TransferFailed
from paddock.hub.addresses import check_address, host_of
from paddock.hub.answers import remote_reader, unexpected
from paddock.hub.http import Answer, HttpClient, length_told
from paddock.hub.ranges import content_range
from paddock.hub.reference import ModelReference, parse_reference
from paddock.hub.source import Hit, Listing, RemoteFile
from paddock.store.names import check_file_path
from paddock.store.unpack import ARCHIVE_SUFFIXES, is_archive
from paddock.vocabulary import SourceKind

_FIRST_BYTES = 512
_NAME_CHARACTERS_MAX = 120
_HUB_FILE = re.compile(
    r"https://(?:huggingface\.co|hf\.co)/(?P<name>[^/?]+/[^/?]+)/(?:resolve|blob)/(?P<revision>[^/?]+)/(?P<path>[^?]+)(?:\?.*)?"
)
_DISPOSITION = re.compile(r"""filename\*?=(?:[\w-]+'[\w-]*')?"?(?P<name>[^";]+)"?""", re.IGNORECASE)


def hub_reference(reference: ModelReference) -> ModelReference | None:
    """The Hugging Face reference that a file's address on huggingface.co means, None for every other address.

    As that it gets hashes, tokens and the shared cache. An address with `#sha256=` stays what it is.
    """
    found = _HUB_FILE.fullmatch(reference.name)
    if reference.source is not SourceKind.URL or reference.sha256 or not found:
        return None
    try:
        return parse_reference(f"hf://{found['name']}@{unquote(found['revision'])}:{unquote(found['path'])}")
    except InvalidReference:
        return None


class UrlSource:
    """`https://…/file[#sha256=…]`. An archive is one file with `metadata["archive"]`, to be unpacked once it is here."""

    kind = SourceKind.URL

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def search(self, query: str, *, limit: int) -> Sequence[Hit]:
        """Nothing: the web is not searched."""
        return ()

    def list(self, reference: ModelReference) -> Listing:
        """The file at the address. Raises ModelNotFound, AccessDenied, InvalidFile, TransferFailed, HubUnreachable.

        The revision is the given SHA-256, else made of the ETag, else of the date and size and first bytes: the best
        that the server lets us know.
        """
        check_address(reference.name)
        first = {"range": f"bytes=0-{_FIRST_BYTES - 1}"}
        answer = self._client.get(reference.name, extra=first, read=_read_first)
        if answer.status not in (200, 206):
            raise _refusal(answer, reference)
        _refuse_pages(answer, reference)
        size = _size_told(answer)
        if size == 0 or (size is None and not answer.body):
            raise InvalidFile(f"`{reference.name}` is an empty file.", hint="Check the address.")
        path = _file_name(answer, reference)
        check_file_path(path, of=reference.name)
        revision = reference.sha256 or _revision(answer, size)
        key = f"sha256:{reference.sha256}" if reference.sha256 else revision
        return Listing(
            reference=reference,
            name=_model_name(path),
            source=SourceKind.URL,
            revision=revision,
            files=(RemoteFile(path=path, size=size, sha256=reference.sha256, key=key, location=reference.name),),
            metadata={"archive": path} if is_archive(path) else {},
        )

    def reader(self, listing: Listing, file: RemoteFile) -> RangeReader:
        return remote_reader(self._client, listing.name, file)

    def headers(self, url: str) -> Mapping[str, str]:
        """None: we hold no credentials for addresses that people type."""
        return {}

    def refresh(self, listing: Listing, file: RemoteFile) -> RemoteFile:
        """As it is: the address that was typed is the only one."""
        return file


def _read_first(response: httpx2.Response) -> bytes:
    """The first bytes, whatever the server sends; the rest is left unread."""
    first = b""
    for piece in response.iter_raw():
        first += piece
        if len(first) >= _FIRST_BYTES:
            break
    return first[:_FIRST_BYTES]


def _refuse_pages(answer: Answer, reference: ModelReference) -> None:
    """A page where a file should be is a log-in form, an error, or the page about the file."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if kind in ("text/html", "application/xhtml+xml") or start.startswith((b"<!doctype html", b"<html")):
        raise TransferFailed(
            f"`{reference.name}` is a web page, not a model file.",
            hint="Give the address of the file itself; a network's log-in page may also be in between.",
        )


def _size_told(answer: Answer) -> int | None:
    if answer.status == 206:
        told = content_range(answer.headers)
        return told.total if told and told.start == 0 else None
    return length_told(answer.headers)


def _revision(answer: Answer, size: int | None) -> str:
    etag = answer.headers.get("etag")
    marks = [etag] if etag else [answer.headers.get("last-modified", ""), answer.body.hex()]
    return hashlib.sha256("\0".join([answer.url.partition("?")[0], str(size), *marks]).encode()).hexdigest()


def _file_name(answer: Answer, reference: ModelReference) -> str:
    """The address's own last part if it looks like a file, else what the server calls it. Plain characters only."""
    disposition = _DISPOSITION.search(answer.headers.get("content-disposition", ""))
    candidates = [
        _last_part(reference.name),
        unquote(disposition["name"]) if disposition else "",
        _last_part(answer.url),
    ]
    plain = [_plain(name) for name in candidates]
    return next((name for name in plain if re.search(r"\.[A-Za-z]\w*$", name)), None) or plain[0] or "model"


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]


def _plain(name: str) -> str:
    """`name` without folders and without what a file name should not hold; the end, which tells the format, stays."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last)[-_NAME_CHARACTERS_MAX:].strip(".-")


def _model_name(path: str) -> str:
    """`Model` for `Model.mlpackage.zip`, `tiny.Q4_K_M` for `tiny.Q4_K_M.gguf`."""
    for suffix in (*ARCHIVE_SUFFIXES, ".gguf", ".mlpackage", ".mlmodel", ".safetensors", ".onnx", ".tflite"):
        if path.lower().endswith(suffix):
            path = path[: -len(suffix)]
    return path.strip(".-_") or "model"


def _refusal(answer: Answer, reference: ModelReference) -> PaddockError:
    if answer.status in (404, 410):
        return ModelNotFound(f"There is nothing at `{reference.name}`.", hint="Check the address in a browser.")
    if answer.status in (401, 403):
        return AccessDenied(
            f"`{host_of(answer.url)}` does not give `{_last_part(reference.name)}` to everyone.",
            hint="Fetch it in a browser and register the file: `file:///path`. A link may also have expired.",
        )
    if answer.status == 416:
        return InvalidFile(f"`{reference.name}` is an empty file.", hint="Check the address.")
    return unexpected(answer)
