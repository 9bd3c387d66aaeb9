"""An address is all we have: servers differ in every courtesy, and what arrives must still be one model file."""

from collections.abc import Iterator

import pytest

from paddock.errors import (
    AccessDenied,
    HubUnreachable,
    InvalidFile,
    ModelNotFound,
    PaddockError,
    RateLimited,
    TransferFailed,
)
from paddock.hub.http import HttpClient, HttpLimits
from paddock.hub.reference import ModelReference, parse_reference
from paddock.hub.source import Listing, Source
from paddock.hub.url import UrlSource, hub_reference
from tests.fakes.content import Generated
from tests.fakes.faults import Fault, IgnoreRange, LoginPage, RedirectTo, Reset, Status, Unavailable
from tests.fakes.files import FileServer

MODEL = Generated(200_000, seed=11)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def source() -> Iterator[Source]:
    with HttpClient(sleep=lambda _: None, limits=HttpLimits(read_timeout_s=2, attempts_max=2)) as client:
        yield UrlSource(client)


def listing_of(source: Source, url: str) -> Listing:
    return source.list(parse_reference(url))


def test_a_file_is_listed_from_its_first_bytes(server: FileServer, source: Source) -> None:
    url = server.add("models/tiny.Q4_K_M.gguf", MODEL, etag='"abc"')
    listing = listing_of(source, url)
    file = listing.files[0]
    assert (listing.name, file.path, file.size, file.location) == ("tiny.Q4_K_M", "tiny.Q4_K_M.gguf", 200_000, url)
    assert (file.sha256, file.key) == (None, listing.revision)
    assert server.bytes_sent() == 512, "and from nothing more"
    assert source.reader(listing, file).read(1000, 10) == MODEL.read()[1000:1010]
    assert source.refresh(listing, file) == file
    assert not source.headers(url)
    assert not source.search("tiny", limit=3)


def test_a_given_hash_is_the_revision_and_will_be_checked(server: FileServer, source: Source) -> None:
    url = server.add("m.gguf", MODEL)
    listing = listing_of(source, f"{url}#sha256={MODEL.sha256.upper()}")
    assert listing.revision == listing.files[0].sha256 == MODEL.sha256
    assert listing.files[0].key == f"sha256:{MODEL.sha256}", "content is shared by hash"


@pytest.mark.parametrize(
    ("ranges", "length", "size"), [(True, True, 200_000), (False, True, 200_000), (False, False, None)]
)
def test_servers_without_ranges_or_lengths_work(
    server: FileServer, source: Source, ranges: bool, length: bool, size: int | None
) -> None:
    url = server.add("m.gguf", MODEL, ranges=ranges, length=length, head=False)
    listing = listing_of(source, url)
    assert listing.files[0].size == size
    if size is None:
        with pytest.raises(TransferFailed, match="does not tell its size"):
            source.reader(listing, listing.files[0])
    else:
        assert source.reader(listing, listing.files[0]).read(5, 5) == MODEL.read()[5:10]


def test_the_revision_follows_the_best_mark_that_the_server_gives(server: FileServer, source: Source) -> None:
    """An ETag where there is one; else what can be seen of the content."""
    tagged = [listing_of(source, server.add("a.gguf", MODEL, etag=etag)).revision for etag in ('"1"', '"1"', '"2"')]
    assert tagged[0] == tagged[1] != tagged[2]
    untagged = [
        listing_of(source, server.add("b.gguf", content)).revision
        for content in (b"GGUF one", b"GGUF one", b"GGUF two", b"GGUF three")
    ]
    assert untagged[0] == untagged[1]
    assert len(set(untagged)) == 3


@pytest.mark.parametrize(
    ("path", "disposition", "expected", "name"),
    [
        ("a/Model.mlpackage.zip", None, "Model.mlpackage.zip", "Model"),
        ("a/net.onnx", 'attachment; filename="other.onnx"', "net.onnx", "net"),
        ("download", 'attachment; filename="my model.gguf"', "my-model.gguf", "my-model"),
        ("download", "attachment; filename*=UTF-8''m%C3%A9.gguf", "m-.gguf", "m"),
        ("download", 'attachment; filename="../../etc/cron.d/x.gguf"', "x.gguf", "x"),
        ("download", None, "download", "download"),
        ("a/..%2f..%2fpasswd.gguf", None, "passwd.gguf", "passwd"),
        ("a/.gguf", None, "gguf", "gguf"),
        ("a/" + "x" * 300 + ".gguf", None, "x" * 115 + ".gguf", "x" * 115),
    ],
)
def test_names_are_plain_whatever_the_server_says(
    server: FileServer, source: Source, path: str, disposition: str | None, expected: str, name: str
) -> None:
    """The name becomes a file on this disk."""
    server.add(path.replace("%2f", "/"), b"GGUF", disposition=disposition)
    listing = listing_of(source, f"{server.url}/{path}")
    assert (listing.files[0].path, listing.name) == (expected, name)


def test_archives_are_marked_for_unpacking(server: FileServer, source: Source) -> None:
    listing = listing_of(source, server.add("Model.mlpackage.zip", b"PK\3\4"))
    assert listing.metadata == {"archive": "Model.mlpackage.zip"}
    assert not listing_of(source, server.add("m.gguf", b"GGUF")).metadata


def test_redirects_are_followed_to_the_file(server: FileServer, source: Source) -> None:
    target = server.add("real.gguf", MODEL).replace(server.url, server.address("other"))
    listing = listing_of(source, server.redirect("latest", target))
    assert (listing.files[0].path, listing.files[0].location) == ("real.gguf", f"{server.url}/latest")


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_pages_are_refused(server: FileServer, source: Source, kind: str) -> None:
    """A hotel's log-in page must not be kept as a model."""
    url = server.add("m.gguf", b"\n<!DOCTYPE HTML><html>Sign in</html>", content_type=kind)
    with pytest.raises(TransferFailed, match="web page"):
        listing_of(source, url)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Status(404), ModelNotFound),
        (Status(410), ModelNotFound),
        (Status(401), AccessDenied),
        (Status(403), AccessDenied),
        (Status(416), InvalidFile),
        (Status(418), HubUnreachable),
        (Unavailable(), HubUnreachable),
        (Status(429, {"Retry-After": "3600"}), RateLimited),
        (LoginPage(), TransferFailed),
        (RedirectTo("http://files.example/m.gguf"), TransferFailed),
        (RedirectTo("/m.gguf"), TransferFailed),
        (RedirectTo("file:///etc/passwd"), TransferFailed),
    ],
)
def test_each_failure_has_its_own_error(
    server: FileServer, source: Source, fault: Fault, expected: type[PaddockError]
) -> None:
    url = server.add("m.gguf", MODEL)
    server.fail("m.gguf", fault, times=None)
    with pytest.raises(expected) as caught:
        listing_of(source, url)
    assert caught.value.hint


def test_plain_http_is_for_this_machine_only(source: Source) -> None:
    with pytest.raises(TransferFailed, match="anyone can read"):
        listing_of(source, "http://files.example/m.gguf")


def test_empty_files_are_refused(server: FileServer, source: Source) -> None:
    for ranges, length in ((True, True), (False, True), (False, False)):
        with pytest.raises(InvalidFile, match="empty"):
            listing_of(source, server.add("m.gguf", b"", ranges=ranges, length=length))


def test_passing_failures_are_tried_again(server: FileServer, source: Source) -> None:
    url = server.add("m.gguf", MODEL)
    for fault in (Unavailable(), Reset(after=3), IgnoreRange()):
        server.fail("m.gguf", fault)
        assert listing_of(source, url).files[0].size == MODEL.size


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://huggingface.co/org/name/resolve/main/m.gguf", "org/name@main:m.gguf"),
        ("https://hf.co/org/name/blob/main/sub/m.gguf?download=true", "org/name@main:sub/m.gguf"),
        ("https://huggingface.co/org/name/resolve/refs%2Fpr%2F1/m.gguf", "org/name@refs/pr/1:m.gguf"),
        ("https://huggingface.co/org/name", None),
        ("https://huggingface.co/datasets/org/name/resolve/main/m.gguf", None),
        ("https://huggingface.co/org/name/resolve/main/..%2f..%2fm.gguf", None),
        ("https://huggingface.co.evil.org/org/name/resolve/main/m.gguf", None),
        ("https://example.org/org/name/resolve/main/m.gguf", None),
        (f"https://huggingface.co/org/name/resolve/main/m.gguf#sha256={'0' * 64}", None),
    ],
)
def test_a_files_address_on_the_hub_is_the_hubs_file(url: str, expected: str | None) -> None:
    """People paste what the browser shows; as a hub reference it gets hashes and the shared cache."""
    found = hub_reference(parse_reference(url))
    assert found == (parse_reference(expected) if expected else None)
    assert hub_reference(ModelReference(None, "pony")) is None
