"""From Kaggle to the store: the key stays at home, resuming works across its redirects, archives become folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.errors import TransferFailed
from paddock.hub.http import HttpClient
from paddock.hub.kaggle import KaggleSource
from paddock.store.unpack import unpack
from tests.fakes.content import Generated
from tests.fakes.faults import Drop, Fault, Reset, Short, Stall, Status, Unavailable
from tests.fakes.kaggle import KaggleApi
from tests.hub.pulling import pull, quick_client

HANDLE = "google/gemma/tfLite/2b"
NAME = f"kaggle://{HANDLE}"
WEIGHTS = Generated(3_000_000, seed=22)


@pytest.fixture
def api() -> Iterator[KaggleApi]:
    with KaggleApi() as api:
        api.add_model(HANDLE, {"model.tflite": WEIGHTS, "assets/vo cab.txt": b"a b c"}, needs_consent=True)
        api.add_token("secret", consented=[HANDLE])
        yield api


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with quick_client() as client:
        yield client


@pytest.fixture
def source(api: KaggleApi, client: HttpClient) -> KaggleSource:
    return KaggleSource(client, endpoint=api.url, token="secret")


def test_a_model_lands_whole_and_the_key_stays_with_kaggle(
    api: KaggleApi, source: KaggleSource, client: HttpClient, tmp_path: Path
) -> None:
    listing, folder = pull(source, NAME, client, tmp_path)
    assert (folder / "model.tflite").read_bytes() == WEIGHTS.read()
    assert (folder / "assets/vo cab.txt").read_bytes() == b"a b c"
    assert not any(entry.authorized for entry in api.requests(at="storage"))
    assert sum(file.size or 0 for file in listing.files) == 3_000_005


@pytest.mark.parametrize(
    "fault", [Drop(after=1_000_000), Reset(after=1_000_000), Short(by=1_000_000), Stall(after=1_000_000), Unavailable()]
)
def test_a_passing_fault_is_resumed_behind_the_redirect(
    api: KaggleApi, source: KaggleSource, client: HttpClient, tmp_path: Path, fault: Fault
) -> None:
    api.fail("model.tflite", fault, at="storage")
    _, folder = pull(source, NAME, client, tmp_path)
    assert (folder / "model.tflite").read_bytes() == WEIGHTS.read()
    assert api.bytes_sent("model.tflite") <= 3_000_000 + (1 << 20), "what arrived was not fetched again"


def test_a_file_of_the_wrong_length_is_refused(
    api: KaggleApi, source: KaggleSource, client: HttpClient, tmp_path: Path
) -> None:
    """Without a hash the size is all there is to check, and it is checked."""
    api.fail("model.tflite", Short(by=10), at="storage", times=None)
    with pytest.raises(TransferFailed, match=r"model\.tflite"):
        pull(source, NAME, client, tmp_path)
    assert not list(tmp_path.rglob("model.tflite"))


def test_an_archive_becomes_a_folder(api: KaggleApi, source: KaggleSource, client: HttpClient, tmp_path: Path) -> None:
    files = {"saved_model.pb": b"graph", "variables/variables.index": b"index"}
    api.add_model("o/packed/other/v", files)
    api.fail("1/files", Status(200, body=b'{"files": []}'), times=None)
    listing, folder = pull(source, "kaggle://o/packed/other/v", client, tmp_path / "store")
    unpack(folder / listing.metadata["archive"], tmp_path / "model")
    assert {path: (tmp_path / "model" / path).read_bytes() for path in files} == files
