"""Files from plain servers: no hash, perhaps no size, perhaps no ranges. What they tell is held on to; nothing is mixed."""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import pytest

from paddock.catalog.reading import RangeReader
from paddock.errors import Corrupt, HubUnreachable, StorageError, TransferFailed
from paddock.hub.http import HttpClient, HttpLimits
from paddock.hub.ranges import HttpRangeReader
from paddock.hub.reference import ModelReference
from paddock.hub.source import Hit, Listing, RemoteFile
from paddock.hub.stopping import Stop
from paddock.hub.transfer import TransferLimits, fetch
from paddock.store.layout import ModelStore
from paddock.store.model_placement import StorePlacement
from paddock.vocabulary import SourceKind
from tests.fakes import faults
from tests.fakes.content import Generated
from tests.fakes.files import FileServer
from tests.hub.pull_once import Silent

MIB = 1 << 20
FIRST, SECOND = Generated(2 * MIB + 5, seed=1), Generated(2 * MIB + 5, seed=2)
LISTING = Listing(
    reference=ModelReference(SourceKind.URL, "x"), name="x", source=SourceKind.URL, revision="1", files=()
)


class PlainSource:
    """A place that knows nothing but where a file is."""

    kind = SourceKind.URL

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def search(self, query: str, *, limit: int) -> Sequence[Hit]:
        return ()

    def list(self, reference: ModelReference) -> Listing:
        return LISTING

    def reader(self, listing: Listing, file: RemoteFile) -> RangeReader:
        return HttpRangeReader(self._client, file.location, name=file.path, size=file.size or 0)

    def headers(self, url: str) -> Mapping[str, str]:
        return {}

    def refresh(self, listing: Listing, file: RemoteFile) -> RemoteFile:
        return file


class Pull:
    """One file on its way into our own store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.client = HttpClient(limits=HttpLimits(backoff_s=0.001, attempts_max=2), sleep=lambda seconds: None)

    def placement(self) -> StorePlacement:
        return ModelStore(self.root).placement("x", "1", {"model.gguf": "key"})

    def fetch(self, location: str, *, size: int | None = None, sha256: str | None = None) -> None:
        placement = self.placement()
        with placement.lock():
            fetch(
                RemoteFile(path="model.gguf", size=size, sha256=sha256, key="key", location=location),
                listing=LISTING,
                source=PlainSource(self.client),
                placement=placement,
                client=self.client,
                progress=Silent(),
                stop=Stop(),
                limits=TransferLimits(stall_timeout_s=1, attempts_max=2),
            )
            self.folder = placement.finish()

    def interrupted(self, server: FileServer, location: str, size: int | None = None) -> None:
        """A first process that got 1 MiB and then met a hub that went down."""
        server.fail("model.gguf", faults.Drop(after=MIB))
        server.fail("model.gguf", faults.Unavailable(), times=None, skip=1)
        with pytest.raises(HubUnreachable):
            self.fetch(location, size=size)
        server.heal()
        server.forget()

    def assert_is(self, content: Generated) -> None:
        assert hashlib.sha256((self.folder / "model.gguf").read_bytes()).hexdigest() == content.sha256
        assert not (self.root / "parts").exists() or not list((self.root / "parts").rglob("*"))


@pytest.fixture
def server() -> Generator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def pull(tmp_path: Path) -> Generator[Pull]:
    pull = Pull(tmp_path)
    with pull.client:
        yield pull


@pytest.mark.parametrize(("length", "ranges"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("fault", [None, faults.Drop(after=MIB), faults.Unavailable()])
def test_a_file_of_unknown_size_arrives_whole(
    server: FileServer, pull: Pull, length: bool, ranges: bool, fault: faults.Fault | None
) -> None:
    """A server that tells neither size nor ranges gives no way to notice a cut, but with a hash it is noticed."""
    url = server.add("model.gguf", FIRST, length=length, ranges=ranges, etag='"one"')
    if fault is not None:
        server.fail("model.gguf", fault)
    pull.fetch(url, sha256=None if length or ranges else FIRST.sha256)
    pull.assert_is(FIRST)


def test_without_a_hash_the_etag_binds_what_is_here_to_what_is_there(server: FileServer, pull: Pull) -> None:
    url = server.add("model.gguf", FIRST, etag='"one"')
    pull.interrupted(server, url)
    pull.fetch(url)
    pull.assert_is(FIRST)
    (request,) = server.requests("model.gguf")
    assert (request.range, request.if_range) == (f"bytes={MIB}-", '"one"')


def test_a_file_that_changed_in_between_is_fetched_anew_and_not_mixed(server: FileServer, pull: Pull) -> None:
    """Same size, other bytes: nobody would notice a file of two halves."""
    url = server.add("model.gguf", FIRST, etag='"one"')
    pull.interrupted(server, url)
    server.add("model.gguf", SECOND, etag='"two"')
    pull.fetch(url)
    pull.assert_is(SECOND)


def test_without_hash_and_etag_a_resumed_file_starts_from_zero(server: FileServer, pull: Pull) -> None:
    """Nothing says whether the rest would belong to these bytes."""
    url = server.add("model.gguf", FIRST)
    pull.interrupted(server, url)
    server.add("model.gguf", SECOND)
    pull.fetch(url)
    pull.assert_is(SECOND)
    assert [request.range for request in server.requests("model.gguf")] == [None]


def test_a_hash_needs_no_etag_to_resume(server: FileServer, pull: Pull) -> None:
    url = server.add("model.gguf", FIRST)
    server.fail("model.gguf", faults.Drop(after=MIB))
    pull.fetch(url, sha256=FIRST.sha256)
    pull.assert_is(FIRST)
    assert [request.range for request in server.requests("model.gguf")] == [None, f"bytes={MIB}-"]


def test_a_wrong_hash_in_the_address_is_told_with_the_right_one(server: FileServer, pull: Pull) -> None:
    url = server.add("model.gguf", FIRST)
    with pytest.raises(Corrupt) as caught:
        pull.fetch(url, sha256=SECOND.sha256)
    assert FIRST.sha256 in caught.value.message
    assert SECOND.sha256 in caught.value.message
    assert not pull.placement().final("model.gguf").exists()


def test_a_file_that_shrank_is_fetched_anew(server: FileServer, pull: Pull) -> None:
    """The server answers 416: what is here is longer than what is there."""
    url = server.add("model.gguf", FIRST, etag='"one"')
    pull.interrupted(server, url)
    small = Generated(1000, seed=3)
    server.add("model.gguf", small, etag='"one"')
    pull.fetch(url)
    pull.assert_is(small)


def test_a_web_page_in_place_of_a_model_is_named(server: FileServer, pull: Pull) -> None:
    url = server.add("model.gguf", b"<html>Sign in</html>", content_type="text/html")
    with pytest.raises(TransferFailed, match="login page"):
        pull.fetch(url)


def test_a_file_on_this_machine_is_copied_and_checked(tmp_path: Path, pull: Pull) -> None:
    """Built-in and local sources give a path for a location."""
    path = tmp_path / "here.gguf"
    path.write_bytes(FIRST.read())
    pull.fetch(str(path), size=FIRST.size, sha256=FIRST.sha256)
    pull.assert_is(FIRST)
    with pytest.raises(Corrupt):
        Pull(tmp_path / "other").fetch(str(path), size=FIRST.size, sha256=SECOND.sha256)
    with pytest.raises(StorageError, match=r"gone\.gguf"):
        Pull(tmp_path / "third").fetch(str(tmp_path / "gone.gguf"))


def test_an_empty_file_needs_no_request(server: FileServer, pull: Pull) -> None:
    url = server.add("model.gguf", b"")
    pull.fetch(url, size=0)
    assert (pull.folder / "model.gguf").read_bytes() == b""
    assert server.log == []


def test_a_listing_that_lies_about_an_empty_file_is_told(server: FileServer, pull: Pull) -> None:
    url = server.add("model.gguf", b"")
    with pytest.raises(Corrupt, match=FIRST.sha256):
        pull.fetch(url, size=0, sha256=FIRST.sha256)


def test_a_whole_partial_of_unknown_size_is_not_fetched_again(server: FileServer, pull: Pull) -> None:
    """Killed between the last byte and the rename."""
    url = server.add("model.gguf", FIRST, etag='"one"')
    pull.interrupted(server, url)
    placement = pull.placement()
    with placement.lock():
        placement.partial("key").write_bytes(FIRST.read())
    pull.fetch(url)
    pull.assert_is(FIRST)
    assert server.bytes_sent("model.gguf") < 1000
