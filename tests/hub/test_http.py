"""Asking the network: only where we may, only so much, only so often."""

import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from paddock.errors import HubUnreachable, RateLimited, TransferFailed
from paddock.hub.addresses import check_address, is_loopback, redirect_target
from paddock.hub.http import HttpClient, HttpLimits, retry_after_s
from paddock.hub.ranges import content_range
from tests.fakes import faults
from tests.fakes.files import FileServer

ADDRESSES = {
    "hub.example": ["93.184.215.14"],
    "cdn.example": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "router.example": ["192.168.1.1"],
    "half.example": ["93.184.215.14", "10.0.0.1"],
    "intranet.example": ["10.1.2.3"],
}


def resolve(host: str) -> Sequence[str]:
    if host not in ADDRESSES:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return ADDRESSES[host]


@pytest.fixture
def server() -> Generator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(waits: list[float]) -> Generator[HttpClient]:
    limits = HttpLimits(backoff_s=1, attempts_max=4, retry_after_max_s=30, metadata_bytes_max=1000, redirects_max=3)
    with HttpClient(limits=limits, sleep=waits.append, jitter=lambda: 1.0) as client:
        yield client


@pytest.mark.parametrize(
    "url", ["https://hub.example/x", "http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]/"]
)
def test_https_and_this_machine_may_be_asked(url: str) -> None:
    check_address(url)


@pytest.mark.parametrize(
    "url", ["http://hub.example/x", "ftp://hub.example", "file:///etc/passwd", "http://10.0.0.1/", "//x"]
)
def test_nothing_else_may(url: str) -> None:
    with pytest.raises(TransferFailed):
        check_address(url)


def test_a_redirect_within_the_internet_is_followed() -> None:
    assert redirect_target("https://hub.example/a/b", "../c?d=1", resolve=resolve) == "https://hub.example/c?d=1"
    assert redirect_target("https://hub.example/a", "https://cdn.example/x", resolve=resolve) == "https://cdn.example/x"


@pytest.mark.parametrize(
    "location",
    [
        "http://cdn.example/x",
        "https://router.example/x",
        "https://half.example/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1/x",
        "http://localhost:8484/admin",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[64:ff9b::a00:1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://0x7f.1/x",
        "https://2130706433/x",
        "https://0/x",
        "https://user:password@cdn.example/x",
        "https://cdn.example\\@router.example/x",
        "https://cdn.example/a b",
        "ftp://cdn.example/x",
        "https://[broken/x",
        "https://cdn.example:port/x",
        "https://１２７.0.0.1/x",
    ],
)
def test_a_redirect_from_the_internet_to_the_inside_is_not(location: str) -> None:
    """Each spelling of a private address has let somebody in somewhere."""
    with pytest.raises(TransferFailed):
        redirect_target("https://hub.example/a", location, resolve=resolve)


def test_a_hub_on_a_private_network_may_redirect_within_it() -> None:
    target = redirect_target("https://intranet.example/a", "https://router.example/x", resolve=resolve)
    assert target == "https://router.example/x"


def test_a_name_that_cannot_be_looked_up_is_told() -> None:
    with pytest.raises(HubUnreachable, match=r"nowhere\.example"):
        redirect_target("https://hub.example/a", "https://nowhere.example/x", resolve=resolve)


def test_loopback_is_known_in_all_spellings() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "2130706433"))
    assert not any(is_loopback(host) for host in ("hub.example", "localhost.example", "10.0.0.1", ""))


def test_each_hop_gets_its_own_headers(server: FileServer, client: HttpClient) -> None:
    """A token goes to its own host, and nowhere a redirect leads."""
    other = server.address("other")
    server.add("file", b"data")
    url = server.redirect("start", f"{other}/file")
    asked: list[str] = []

    def headers(hop: str) -> Mapping[str, str]:
        asked.append(hop)
        return {"authorization": "Bearer secret"} if hop.startswith(server.url) else {}

    assert client.get(url, headers=headers).body == b"data"
    assert asked == [url, f"{other}/file"]
    assert [entry.authorized for entry in server.log] == [True, False]


def test_redirects_in_circles_end(server: FileServer, client: HttpClient) -> None:
    url = server.redirect("a", "/b")
    server.redirect("b", "/a")
    with pytest.raises(TransferFailed, match="circles"):
        client.get(url)
    assert len(server.log) == 4


def test_this_machine_is_asked_directly_whatever_proxy_is_set(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a proxy of the environment nor the one that was configured may see what goes to a hub on loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    url = server.add("file", b"data")
    for proxy in (None, "http://127.0.0.1:1"):
        with HttpClient(limits=HttpLimits(attempts_max=1), proxy=proxy) as client:
            assert client.get(url).body == b"data"


def test_cookies_are_not_kept(server: FileServer, client: HttpClient) -> None:
    url = server.add("file", b"data")
    server.fail("file", faults.Status(200, {"Set-Cookie": "id=1"}))
    client.get(url)
    client.get(url)
    assert not any(entry.authorized for entry in server.log)


@pytest.mark.parametrize("length", [True, False])
def test_an_answer_that_is_too_large_is_refused_told_or_not(
    server: FileServer, client: HttpClient, length: bool
) -> None:
    url = server.add("big", bytes(5_000_000), length=length)
    with pytest.raises(TransferFailed, match="more than 1,000 bytes"):
        client.get(url)
    assert len(client.get(url, bytes_max=5_000_000).body) == 5_000_000


def test_headers_without_end_are_refused(server: FileServer, client: HttpClient) -> None:
    url = server.add("file", b"data")
    server.fail("file", faults.Status(200, {"X-Long": "x" * 2_000_000}), times=None)
    with pytest.raises(HubUnreachable):
        client.get(url)


@pytest.mark.parametrize(
    "fault", [faults.Unavailable(), faults.Drop(after=0), faults.Reset(after=0), faults.Status(500)]
)
def test_what_may_pass_is_asked_again_with_growing_waits(
    server: FileServer, client: HttpClient, waits: list[float], fault: faults.Fault
) -> None:
    url = server.add("file", b"data")
    server.fail("file", fault, times=3)
    assert client.get(url).body == b"data"
    assert waits == [1, 2, 4]


def test_what_will_not_pass_is_asked_once(server: FileServer, client: HttpClient, waits: list[float]) -> None:
    assert client.get(f"{server.url}/nothing").status == 404
    assert (len(server.log), waits) == (1, [])


def test_the_wait_is_the_hubs_when_it_names_one(server: FileServer, client: HttpClient, waits: list[float]) -> None:
    url = server.add("file", b"data")
    server.fail("file", faults.RateLimited(retry_after=7))
    assert client.get(url).body == b"data"
    assert waits == [7]
    server.fail("file", faults.RateLimited(retry_after=3600))
    with pytest.raises(RateLimited) as caught:
        client.get(url)
    assert "3600 seconds" in caught.value.hint
    assert waits == [7], "nobody waits an hour in silence"


def test_a_connection_that_stays_refused_ends_as_unreachable(
    server: FileServer, client: HttpClient, waits: list[float]
) -> None:
    url = server.add("file", b"data")
    with server.down(), pytest.raises(HubUnreachable, match="cannot be reached"):
        client.get(url)
    assert len(waits) == 3


def test_a_silent_server_is_given_up(server: FileServer) -> None:
    url = server.add("file", b"data")
    server.fail("file", faults.Stall(after=0, seconds=5), times=None)
    with (
        HttpClient(limits=HttpLimits(read_timeout_s=0.05, attempts_max=2), sleep=lambda seconds: None) as client,
        pytest.raises(HubUnreachable, match="in time"),
    ):
        client.get(url)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 00:01:00 GMT"}, 60),
        ({"retry-after": "Sat, 21 Nov 2020 00:01:00 GMT"}, 0),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"ratelimit": '"api";r=10;t=55'}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: Mapping[str, str], seconds: float | None) -> None:
    now: Callable[[], datetime] = lambda: datetime(2026, 11, 21, tzinfo=UTC)  # noqa: E731
    assert retry_after_s(headers, now) == seconds


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("bytes 0-9/10", True),
        ("bytes 5-9/*", True),
        ("bytes 9-5/10", False),
        ("bytes 0-10/10", False),
        ("bytes */10", False),
        ("items 0-9/10", False),
        ("bytes 0-99999999999999999999999/1", False),
        ("", False),
    ],
)
def test_a_content_range_must_make_sense(text: str, right: bool) -> None:
    assert (content_range({"content-range": text}) is not None) is right
