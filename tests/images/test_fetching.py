"""Pictures come from the internet and from nowhere else, whatever an address, a redirect or a server of names says."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from paddock.config.schema import Images
from paddock.errors import ImageUnreachable, InvalidImage, Overloaded, TooLarge
from paddock.images.addresses import LookUp, read_address
from paddock.images.fetching import Fetcher
from tests.images.network import Network, answering, dripping, endless, in_turn, listening, redirecting, silent
from tests.images.pictures import plain

PUBLIC, OTHER = "93.184.215.14", "93.184.215.15"
URL = "http://pictures.example/a.png"
PICTURE = plain()


async def at_public(host: str) -> Sequence[str]:
    return [PUBLIC]


async def fetched(
    url: str,
    hosts: dict[str, int],
    *,
    look_up: LookUp = at_public,
    room: int = 10**9,
    network: Network | None = None,
    **settings: Any,
) -> bytes:
    taken = 0

    def take(count: int) -> None:
        nonlocal taken
        taken += count
        if taken > room:
            raise Overloaded("There is no room.", hint="Wait.")

    fetcher = Fetcher(Images(**settings), look_up=look_up, transport=network or Network(hosts), jitter=lambda: 0.0)
    try:
        return await fetcher.fetch(url, take)
    finally:
        await fetcher.close()


async def test_a_picture_comes_from_the_address_that_its_host_has() -> None:
    """Asked for by its own name, and of nothing else: no cookies, no credentials, nothing that tells who asks."""
    with listening(answering(PICTURE)) as server:
        network = Network({PUBLIC: server.port})
        assert await fetched(f"{URL}?size=2&x=%20", {}, network=network) == PICTURE
    head, *lines = server.requests[0].decode().lower().split("\r\n")
    assert (head, network.asked) == ("get /a.png?size=2&x=%20 http/1.1", [PUBLIC])
    names = {line.partition(":")[0] for line in lines if line}
    assert "host: pictures.example" in lines
    assert names == {"host", "user-agent", "accept", "accept-encoding", "connection"}


async def test_redirects_are_followed_and_each_is_asked_by_its_own_name() -> None:
    async def look_up(host: str) -> Sequence[str]:
        return [{"pictures.example": PUBLIC, "store.example": OTHER}[host]]

    with listening(answering(PICTURE)) as store, listening(redirecting("//STORE.example./b.png")) as first:
        hosts = {PUBLIC: first.port, OTHER: store.port}
        assert await fetched(URL, hosts, look_up=look_up) == PICTURE
    assert b"host: store.example\r\n" in store.requests[0].lower()


SPELLINGS = (
    "http://127.0.0.1:{port}/x",
    "http://localhost:{port}/x",
    "http://LOCALHOST.:{port}/x",
    "http://127.1:{port}/x",
    "http://2130706433:{port}/x",
    "http://0x7f000001:{port}/x",
    "http://0x7f.0.0.0x1:{port}/x",
    "http://0177.0.0.1:{port}/x",
    "http://017700000001:{port}/x",
    "http://127.0.0.1.:{port}/x",
    "http://0:{port}/x",
    "http://0.0.0.0:{port}/x",
    "http://[::1]:{port}/x",
    "http://[::]:{port}/x",
    "http://[::ffff:127.0.0.1]:{port}/x",
    "http://[::ffff:7f00:1]:{port}/x",
    "http://[::127.0.0.1]:{port}/x",
    "http://[64:ff9b::7f00:1]:{port}/x",
    "http://[2002:7f00:1::]:{port}/x",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/x",
    "http://pictures.example@127.0.0.1:{port}/x",
    "http://pictures.example:80@127.0.0.1:{port}/x",
    "http://127.0.0.1:{port}\\@pictures.example/x",
    "http:\\\\127.0.0.1:{port}\\x",
    "http://pictures.example\\.127.0.0.1:{port}/x",
    "http://127.0.0.1%2f:{port}/x",
    "http://%31%32%37.0.0.1:{port}/x",
    "http://127。0。0。1:{port}/x",
    "http://①②⑦.0.0.1:{port}/x",
    "http://127.0.0.1\t:{port}/x",
    "http://127.0.0.1 :{port}/x",
    "http://[fe80::1%25lo]:{port}/x",
    "http://[fe80::1]:{port}/x",
    "http://[fc00::1]:{port}/x",
    "http://[fec0::1]:{port}/x",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/x",
    "http://172.16.0.1/x",
    "http://192.168.0.1/x",
    "http://100.64.0.1/x",
    "http://224.0.0.1/x",
    "http://[ff02::1]/x",
    "http://240.0.0.1/x",
    "http://255.255.255.255/x",
    "ftp://pictures.example/x",
    "gopher://127.0.0.1:{port}/x",
    "http:///x",
    "http://pictures.example:0/x",
    "http://pictures.example:99999/x",
    "http://999.1.1.1/x",
    "http://[::1/x",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_a_private_address_reaches_it(spelling: str) -> None:
    """Neither asked for at once, nor as where a redirect leads, nor through a name. A real connection would be counted."""
    with listening(answering(PICTURE)) as secret:
        url = spelling.format(port=secret.port)
        fetcher = Fetcher(Images(), look_up=at_public)
        with pytest.raises(InvalidImage) as error:
            await fetcher.fetch(url, lambda _: None)
        assert error.value.hint
        await fetcher.close()
        with listening(redirecting(url)) as public:
            network = Network({PUBLIC: public.port, "127.0.0.1": secret.port, "::1": secret.port})
            if url.isascii() and url.isprintable():  # others cannot stand in a header
                with pytest.raises((InvalidImage, ImageUnreachable)):
                    await fetched(URL, {}, network=network, redirects_max=1)
            assert set(network.asked) <= {PUBLIC}
        assert secret.requests == []


@pytest.mark.parametrize(
    "private", ["127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "fe80::1%eth0", "::ffff:10.0.0.1"]
)
async def test_a_name_that_leads_inside_is_refused_even_when_it_leads_outside_as_well(private: str) -> None:
    async def look_up(host: str) -> Sequence[str]:
        return [PUBLIC, private]

    network = Network({})
    with pytest.raises(InvalidImage, match="private network"):
        await fetched(URL, {}, look_up=look_up, network=network)
    assert network.asked == []


async def test_a_server_of_names_that_changes_its_answer_changes_nothing() -> None:
    """The address that was judged is the one that is asked: between the two nobody is asked for the name again."""
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])

    async def look_up(host: str) -> Sequence[str]:
        return next(answers)

    with listening(answering(PICTURE)) as secret, listening(answering(PICTURE)) as public:
        network = Network({PUBLIC: public.port, "127.0.0.1": secret.port})
        assert await fetched(URL, {}, look_up=look_up, network=network) == PICTURE
        with pytest.raises(InvalidImage):
            await fetched(URL, {}, look_up=look_up, network=network)
        assert (network.asked, secret.requests) == ([PUBLIC], [])


async def test_a_try_again_judges_the_name_again() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    async def look_up(host: str) -> Sequence[str]:
        return next(answers)

    with listening(answering(b"", status="503 Busy")) as public, listening(answering(PICTURE)) as secret:
        network = Network({PUBLIC: public.port, "127.0.0.1": secret.port})
        with pytest.raises(InvalidImage):
            await fetched(URL, {}, look_up=look_up, network=network)
        assert secret.requests == []


async def test_private_networks_are_asked_when_that_is_allowed() -> None:
    with listening(answering(PICTURE)) as server:
        fetcher = Fetcher(Images(allow_private=True))
        assert await fetcher.fetch(f"http://localhost:{server.port}/a.png", lambda _: None) == PICTURE
        await fetcher.close()


@pytest.mark.parametrize("status", ["503 Busy", "429 Slow down", "500 Broken"])
async def test_what_may_pass_is_tried_again(status: str) -> None:
    busy = answering(b"", status=status)
    with listening(in_turn(busy, busy, answering(PICTURE))) as server:
        assert await fetched(URL, {PUBLIC: server.port}) == PICTURE
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "tries"), [("404 Not Found", 1), ("403 Forbidden", 1), ("204 Nothing", 1), ("502 Bad", 3)]
)
async def test_what_does_not_pass_is_told_with_its_status(status: str, tries: int) -> None:
    with listening(answering(b"secret words", status=status)) as server:
        with pytest.raises(ImageUnreachable, match=status[:3]) as error:
            await fetched(URL, {PUBLIC: server.port})
        assert "secret" not in error.value.message
        assert len(server.requests) == tries


async def test_another_address_is_taken_for_another_try() -> None:
    async def look_up(host: str) -> Sequence[str]:
        return [OTHER, PUBLIC]

    with listening(answering(PICTURE)) as server:
        network = Network({PUBLIC: server.port})
        assert await fetched(URL, {}, look_up=look_up, network=network) == PICTURE
        assert network.asked == [OTHER, PUBLIC]


async def test_redirects_in_circles_end() -> None:
    with listening(redirecting(URL)) as server:
        with pytest.raises(InvalidImage, match="more than 3 times"):
            await fetched(URL, {PUBLIC: server.port})
        assert len(server.requests) == 4


async def test_a_body_without_end_is_left_at_its_limit() -> None:
    with listening(endless) as server, pytest.raises(TooLarge, match="larger than"):
        await fetched(URL, {PUBLIC: server.port}, bytes_max="1MB")


async def test_a_body_that_says_that_it_is_too_long_is_not_begun() -> None:
    with listening(answering(b"", content_length="99999999999")) as server, pytest.raises(TooLarge):
        await fetched(URL, {PUBLIC: server.port}, room=0)


async def test_a_body_for_which_there_is_no_room_is_refused_as_it_comes() -> None:
    with listening(endless) as server, pytest.raises(Overloaded):
        await fetched(URL, {PUBLIC: server.port}, room=100_000)


async def test_a_body_that_is_packed_once_more_is_refused() -> None:
    """A megabyte of zeros is a kilobyte on the way."""
    packed = answering(PICTURE, content_encoding="gzip")
    with listening(packed) as server, pytest.raises(InvalidImage, match="compressed"):
        await fetched(URL, {PUBLIC: server.port})


@pytest.mark.parametrize("serve", [dripping, silent])
async def test_a_slow_host_is_given_up(serve: Any) -> None:
    """A byte now and then keeps every read in time; only the whole has an end."""
    with listening(serve) as server, pytest.raises(ImageUnreachable):
        await fetched(URL, {PUBLIC: server.port}, timeout_s=0.4, read_timeout_s=0.3, retries=0)


async def test_a_body_that_breaks_off_is_asked_for_again_and_its_bytes_counted_once() -> None:
    half = answering(PICTURE[:50], content_length=str(len(PICTURE)))
    with listening(in_turn(half, answering(PICTURE))) as server:
        assert await fetched(URL, {PUBLIC: server.port}, room=len(PICTURE)) == PICTURE


async def test_no_more_are_fetched_at_once_than_may_be() -> None:
    """Ten slow hosts hold up two connections and no more."""
    with listening(silent) as server:
        fetcher = Fetcher(
            Images(fetches_max=2, timeout_s=0.5, retries=0), look_up=at_public, transport=Network({PUBLIC: server.port})
        )
        failures = await asyncio.gather(
            *(fetcher.fetch(URL, lambda _: None) for _ in range(10)), return_exceptions=True
        )
        await fetcher.close()
        assert all(isinstance(failure, ImageUnreachable) for failure in failures)
        # Whose time is up lets the next one go, whose time is up, too: one or two more may just come through.
        assert 1 <= len(server.requests) <= 4


async def test_a_name_that_nobody_knows() -> None:
    async def look_up(host: str) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(ImageUnreachable, match=r"pictures\.example"):
        await fetched(URL, {}, look_up=look_up)


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://Example.ORG", "example.org", "/"),
        ("https://example.org:443/a?b=c#d", "example.org", "/a?b=c"),
        ("https://example.org.:8443/%41", "example.org:8443", "/%41"),
        ("http://[2606:4700::1111]:8080/x", "[2606:4700::1111]:8080", "/x"),
        ("http://1.1.1.1/", "1.1.1.1", "/"),
        ("http://my_bucket.s3.example.org/x", "my_bucket.s3.example.org", "/x"),
        ("http://a-b.c1/", "a-b.c1", "/"),
    ],
)
def test_an_address_is_asked_for_as_it_was_written(url: str, authority: str, target: str) -> None:
    where = read_address(url)
    assert (where.authority, where.target) == (authority, target)
