"""Pictures that are meant to do harm: a clear 4xx each, no memory taken, nothing of this machine told, and it is well."""

import base64
import concurrent.futures
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.images.network import Listener, answering, dripping, endless, listening, redirecting
from tests.images.pictures import RED, data_uri, encoded, plain
from tests.server.running import Process, running

MODEL = "pony-vision"
PNG = plain(RED, 64)
ZIP = b"PK\x03\x04" + bytes(40)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
GROWTH_BYTES_MAX = 300 << 20
FORBIDDEN = ("Traceback", "site-packages", "/src/paddock", "127.0.0.1", "root:", "PIL", "0x7f")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Small times, so that slow hosts are given up soon. No model is ever loaded in it."""
    with running(tmp_path_factory.mktemp("server"), PADDOCK_IMAGES__TIMEOUT_S="1") as server:
        yield server


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One that may ask this machine, so that hosts on it can be as bad as they like."""
    folder = tmp_path_factory.mktemp("open")
    settings = {"ALLOW_PRIVATE": "on", "TIMEOUT_S": "1", "RETRIES": "0", "BYTES_MAX": "8MB"}
    with running(folder, **{f"PADDOCK_IMAGES__{name}": value for name, value in settings.items()}) as server:
        yield server


def ask(server: Process, url: str) -> Any:
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    return server.post("/v1/chat/completions", json={"model": MODEL, "messages": [message], "max_tokens": 1})


def memory_bytes(server: Process) -> int:
    """The most that it has ever held."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) << 10


def bomb() -> bytes:
    """30,000 x 30,000 pixels that are all there: 2.7 GB once decoded, 400 KB as they come."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer, rows = zlib.compressobj(9), io.BytesIO()
    row = bytes(1 + 30_000 // 8)
    for _ in range(30_000):
        rows.write(packer.compress(row))
    rows.write(packer.flush())
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    return PNG[:8] + chunk(b"IHDR", head) + chunk(b"IDAT", rows.getvalue()) + chunk(b"IEND", b"")


HOSTILE: dict[str, tuple[Callable[[], str], int, str]] = {
    "a bomb": (lambda: data_uri(bomb()), 413, "pixels"),
    "truncated": (lambda: data_uri(PNG[:-30]), 400, "end too early"),
    "wrong type": (lambda: data_uri(PNG, "image/jpeg"), 400, "is PNG"),
    "svg": (lambda: data_uri(SVG, "image/svg+xml"), 400, "SVG"),
    "svg called png": (lambda: data_uri(SVG), 400, "SVG"),
    "two in one": (lambda: data_uri(PNG + ZIP), 400, "Another file"),
    "no base64": (lambda: "data:image/png;base64,****", 400, "base64"),
    "loose base64": (lambda: data_uri(PNG).replace("iVBOR", "iVBO\n R"), 400, "base64"),
    "percent signs": (lambda: "data:image/png,%89PNG", 400, "another form"),
    "no picture at all": (lambda: "javascript:alert(1)", 400, "neither"),
    "another's file": (lambda: "file:///etc/passwd", 400, "folder"),
    "a file by its path": (lambda: "/etc/passwd", 400, "folder"),
    "a device": (lambda: "/dev/zero", 400, "folder"),
    "too many bytes": (lambda: data_uri(PNG + bytes(21_000_000)), 413, "larger than"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_each_is_refused_and_says_why(server: Process, case: str) -> None:
    make, status, said = HOSTILE[case]
    answer = ask(server, make())
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]
    assert not [word for word in FORBIDDEN if word in answer.text]
    assert server.get("/readyz").status_code == 200


def test_no_way_of_writing_this_machine_s_address_reaches_it(server: Process) -> None:
    with listening(answering(PNG)) as secret:
        hosts = ("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0", "[::1]", "localhost.",
                 "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "pictures.example@127.0.0.1")  # fmt: skip
        for host in hosts:
            answer = ask(server, f"http://{host}:{secret.port}/latest/meta-data")
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"]["code"] == "invalid_image"
        assert secret.requests == []


@pytest.mark.parametrize("serve", [dripping, endless], ids=["drips", "endless"])
def test_a_host_without_end_is_left(open_server: Process, serve: Any) -> None:
    with listening(serve) as host:
        answer = ask(open_server, f"http://127.0.0.1:{host.port}/a.png")
    assert answer.status_code in (400, 413), answer.text
    assert open_server.get("/readyz").status_code == 200


def test_what_a_host_says_is_not_said_again(open_server: Process) -> None:
    """An error that quoted it would read private pages to whoever asks."""
    with listening(answering(b"the password is swordfish")) as host:
        answer = ask(open_server, f"http://127.0.0.1:{host.port}/a.png")
    assert (answer.status_code, "swordfish" in answer.text) == (400, False)
    with listening(redirecting("http://127.0.0.1:1/never")) as host:
        assert ask(open_server, f"http://127.0.0.1:{host.port}/a.png").status_code == 400


def test_two_hundred_megabytes_are_refused_before_they_are_read(server: Process) -> None:
    before = memory_bytes(server)
    answer = ask(server, "data:image/png;base64," + "A" * 200_000_000)
    assert answer.status_code == 413
    assert memory_bytes(server) - before < GROWTH_BYTES_MAX


def test_many_at_once_take_no_more_memory_than_a_few(server: Process, open_server: Process) -> None:
    """Bombs, large pictures and endless hosts together: what waits for its turn has not been unpacked yet."""
    large = data_uri(encoded(Image.new("L", (6_000, 6_000), 200)))
    url = data_uri(bomb())

    def storm(server: Process, host: Listener) -> int:
        before = memory_bytes(server)
        asked = [url, large + "!", f"http://127.0.0.1:{host.port}/a.png"] * 10
        with concurrent.futures.ThreadPoolExecutor(15) as threads:
            codes = list(threads.map(lambda each: ask(server, each).status_code, asked))
        assert set(codes) <= {400, 413, 429}, codes
        return memory_bytes(server) - before

    with listening(endless) as host:
        grown = [storm(each, host) for each in (server, open_server)]
    assert max(grown) < GROWTH_BYTES_MAX, grown


def test_large_pictures_are_unpacked_one_after_the_other(server: Process) -> None:
    """36 million pixels each: eight at once would take two gigabytes. The last is none, so that no model is loaded."""
    greys = [encoded(Image.new("L", (6_000, 6_000), 30 * number)) for number in range(8)]
    images = [base64.b64encode(each).decode() for each in (*greys, SVG)]
    before = memory_bytes(server)
    body = {"model": MODEL, "messages": [{"role": "user", "images": images}], "stream": False}
    answer = server.post("/api/chat", json=body)  # a stream would begin while the pictures are being looked at
    assert answer.status_code == 400, answer.text
    assert "Picture 9 of 9" in answer.text
    grown = memory_bytes(server) - before
    assert grown < GROWTH_BYTES_MAX, grown
