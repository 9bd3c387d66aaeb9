"""From any address to the store: with ranges or without, with a size or without, never a web page and never half."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.errors import Corrupt, PaddockError, TransferFailed
from paddock.hub.http import HttpClient
from paddock.hub.url import UrlSource
from tests.fakes.content import Generated
from tests.fakes.faults import Corrupt as Damage
from tests.fakes.faults import Drop, Fault, LoginPage, Reset, Short, Unavailable
from tests.fakes.files import FileServer
from tests.hub.pulling import pull, quick_client

MODEL = Generated(2_000_000, seed=23)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with quick_client() as client:
        yield client


@pytest.mark.parametrize(("ranges", "length"), [(True, True), (False, True), (False, False)])
@pytest.mark.parametrize("etag", ['"abc"', None])
@pytest.mark.parametrize("fault", [None, Unavailable(), Drop(after=700_000), Reset(after=700_000)])
def test_a_file_lands_whole_from_every_kind_of_server(
    server: FileServer, client: HttpClient, tmp_path: Path, ranges: bool, length: bool, etag: str | None, fault: Fault
) -> None:
    if isinstance(fault, Drop) and not length:
        fault = None  # a body without a length that ends is whole: nobody can tell
    url = server.add("m.gguf", MODEL, ranges=ranges, length=length, etag=etag)
    if fault:
        server.fail("m.gguf", fault, skip=1)
    _, folder = pull(UrlSource(client), url, client, tmp_path)
    assert (folder / "m.gguf").read_bytes() == MODEL.read()


def test_a_given_hash_is_checked(server: FileServer, client: HttpClient, tmp_path: Path) -> None:
    url = server.add("m.gguf", MODEL)
    _, folder = pull(UrlSource(client), f"{url}#sha256={MODEL.sha256}", client, tmp_path)
    assert (folder / "m.gguf").read_bytes() == MODEL.read()
    with pytest.raises(Corrupt, match="hash"):
        pull(UrlSource(client), f"{url}#sha256={'0' * 64}", client, tmp_path / "other")


@pytest.mark.parametrize(
    ("fault", "expected"), [(Damage(at=5), Corrupt), (LoginPage(), TransferFailed), (Short(by=3), PaddockError)]
)
def test_what_is_not_the_file_is_not_kept(
    server: FileServer, client: HttpClient, tmp_path: Path, fault: Fault, expected: type[PaddockError]
) -> None:
    url = f"{server.add('m.gguf', MODEL)}#sha256={MODEL.sha256}"
    server.fail("m.gguf", fault, skip=1, times=None)
    with pytest.raises(expected):
        pull(UrlSource(client), url, client, tmp_path)
    assert not list(tmp_path.rglob("m.gguf"))
