"""Kaggle's models come with sizes and a licence to accept; whoever lacks a key or a click must be told where to go."""

import base64
import io
import tarfile
from collections.abc import Iterator

import pytest

from paddock.errors import (
    AccessDenied,
    Corrupt,
    HubUnreachable,
    ModelNotFound,
    PaddockError,
    RateLimited,
    TransferFailed,
)
from paddock.hub.http import HttpClient, HttpLimits
from paddock.hub.kaggle import KaggleSource
from paddock.hub.reference import parse_reference
from paddock.hub.source import Listing, Source
from tests.fakes.content import Generated
from tests.fakes.faults import EndlessJson, LoginPage, RedirectTo, Reset, Status, Unavailable
from tests.fakes.kaggle import KaggleApi

HANDLE = "google/gemma/tfLite/2b"
WEIGHTS = Generated(300_000, seed=9)


@pytest.fixture
def api() -> Iterator[KaggleApi]:
    with KaggleApi() as api:
        api.add_model(HANDLE, {"old.tflite": b"old"})
        api.add_model(HANDLE, {"model.tflite": WEIGHTS, "assets/vo cab.txt": b"a b c"})
        api.add_account("tester", "secret")
        yield api


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(sleep=lambda _: None, limits=HttpLimits(read_timeout_s=2, attempts_max=2)) as client:
        yield client


@pytest.fixture
def source(api: KaggleApi, client: HttpClient) -> Source:
    return KaggleSource(client, endpoint=api.url, username="tester", key="secret")


def listing_of(source: Source, text: str = f"kaggle://{HANDLE}") -> Listing:
    return source.list(parse_reference(text))


def test_the_newest_version_is_listed_with_sizes(source: Source) -> None:
    listing = listing_of(source)
    assert {file.path: file.size for file in listing.files} == {"model.tflite": 300_000, "assets/vo cab.txt": 5}
    assert (listing.name, listing.revision, listing.license) == (HANDLE, "2", "Apache 2.0")
    assert listing.modified_at is not None
    assert len({file.key for file in listing.files}) == 2
    assert not listing.metadata


def test_an_older_version_can_be_named(source: Source) -> None:
    listing = listing_of(source, f"kaggle://{HANDLE}/1")
    assert (listing.revision, [file.path for file in listing.files]) == ("1", ["old.tflite"])
    with pytest.raises(ModelNotFound):
        listing_of(source, f"kaggle://{HANDLE}/7")


def test_every_page_of_the_list_is_read(api: KaggleApi, source: Source) -> None:
    api.page_files_max = 10
    api.add_model("o/many/other/parts", {f"{number:03}": b"x" for number in range(35)})
    assert len(listing_of(source, "kaggle://o/many/other/parts").files) == 35


def test_files_are_read_where_the_listing_says_without_telling_the_key_to_the_storage(
    api: KaggleApi, source: Source
) -> None:
    listing = listing_of(source)
    weights = next(file for file in listing.files if file.path == "model.tflite")
    assert source.reader(listing, weights).read(100, 50) == WEIGHTS.read()[100:150]
    assert source.refresh(listing, weights) == weights
    spaced = next(file for file in listing.files if file.path != "model.tflite")
    assert source.reader(listing, spaced).read(0, 5) == b"a b c"
    assert not any(entry.authorized for entry in api.requests(at="storage"))
    assert all(entry.authorized for entry in api.requests(at="api"))


def test_credentials_go_to_kaggle_only(client: HttpClient) -> None:
    basic = KaggleSource(client, username="me", key="k")
    bearer = KaggleSource(client, username="me", key="k", token="t")
    url = "https://www.kaggle.com/api/v1/models/x"
    assert basic.headers(url) == {"authorization": f"Basic {base64.b64encode(b'me:k').decode()}"}
    assert bearer.headers("https://www.kaggle.com:443/x") == {"authorization": "Bearer t"}
    for other in ("http://www.kaggle.com/x", "https://storage.googleapis.com/x", "https://www.kaggle.com.evil.org/x"):
        assert not basic.headers(other)
    assert not KaggleSource(client).headers(url)


def test_public_models_need_no_key(api: KaggleApi, client: HttpClient) -> None:
    assert listing_of(KaggleSource(client, endpoint=api.url)).files


def test_whoever_has_no_key_is_told_where_to_get_one(api: KaggleApi, client: HttpClient) -> None:
    api.add_model("o/secret/other/v", {"m": b"x"}, private=True)
    api.add_model("o/gated/other/v", {"m": b"x"}, needs_consent=True)
    for handle in ("o/secret/other/v", "o/gated/other/v"):
        with pytest.raises(AccessDenied, match="account only") as caught:
            listing_of(KaggleSource(client, endpoint=api.url), f"kaggle://{handle}")
        assert "KAGGLE_USERNAME" in caught.value.hint
        assert "https://www.kaggle.com/settings" in caught.value.hint
    with pytest.raises(AccessDenied, match="does not accept the key"):
        listing_of(KaggleSource(client, endpoint=api.url, token="wrong"))


def test_a_licence_that_was_not_accepted_is_known_before_the_pull(api: KaggleApi, client: HttpClient) -> None:
    """The list is open to everyone, the files are not: a plan must not promise what the pull cannot keep."""
    gated = "google/closed/tfLite/2b"
    api.add_model(gated, {"m.tflite": b"x"}, needs_consent=True)
    api.add_token("stranger")
    api.add_token("friend", consented=[gated])
    with pytest.raises(AccessDenied, match="consent") as caught:
        listing_of(KaggleSource(client, endpoint=api.url, token="stranger"), f"kaggle://{gated}")
    assert f"https://www.kaggle.com/models/{gated}" in caught.value.hint
    assert listing_of(KaggleSource(client, endpoint=api.url, token="friend"), f"kaggle://{gated}").files


def test_a_single_archive_is_marked_for_unpacking(api: KaggleApi, source: Source) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("model.tflite"))
    api.add_model("o/packed/other/v", {"model.tar.gz": buffer.getvalue()})
    listing = listing_of(source, "kaggle://o/packed/other/v")
    assert listing.metadata["archive"] == "model.tar.gz"
    assert listing.files[0].size == len(buffer.getvalue())


def test_a_version_without_a_list_comes_as_one_archive(api: KaggleApi, source: Source) -> None:
    """Old versions have no list; the download of all of them still works, and tells its size."""
    api.add_model("o/old/other/v", {})
    listing = listing_of(source, "kaggle://o/old/other/v")
    assert listing.metadata["archive"] == listing.files[0].path == "archive.tar.gz"
    assert listing.files[0].size is not None
    assert source.reader(listing, listing.files[0]).read(0, 2) == b"\x1f\x8b"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\b", "a\0b", "x" * 300, ""])
def test_hostile_names_are_refused_before_anything_is_fetched(api: KaggleApi, source: Source, name: str) -> None:
    api.add_model("o/evil/other/v", {name: b"x", "good": b"y"})
    with pytest.raises(Corrupt, match="lists a file named"):
        listing_of(source, "kaggle://o/evil/other/v")
    assert not api.requests(at="storage")


def test_search_names_what_can_be_pulled(api: KaggleApi, source: Source) -> None:
    api.votes["google/gemma"] = 12
    hits = source.search("gemma", limit=5)
    assert [(hit.name, hit.likes, hit.license) for hit in hits] == [(f"kaggle://{HANDLE}", 12, "Apache 2.0")]
    assert parse_reference(hits[0].name).name == HANDLE
    assert not source.search("none", limit=5)


def test_frameworks_are_spelled_as_people_write_them(api: KaggleApi, source: Source) -> None:
    """The sdk's long enumeration names come back too."""
    api.add_model("o/long/MODEL_FRAMEWORK_TF_LITE/v", {"m": b"x"})
    assert [hit.name for hit in source.search("long", limit=5)] == ["kaggle://o/long/tfLite/v"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (LoginPage(), HubUnreachable),
        (EndlessJson(), TransferFailed),
        (Status(418), HubUnreachable),
        (Status(200, {}, b'{"files": [{"name": 1}]}'), HubUnreachable),
        (Status(200, {}, b'{"files": [], "nextPageToken": "1"}'), Corrupt),
        (Unavailable(), HubUnreachable),
        (Status(429, {"Retry-After": "3600"}), RateLimited),
        (RedirectTo("http://kaggle.example/x"), TransferFailed),
    ],
)
def test_each_failure_of_the_list_has_its_own_error(
    api: KaggleApi, source: Source, fault: Status, expected: type[PaddockError]
) -> None:
    api.fail("2/files", fault, times=None)
    with pytest.raises(expected) as caught:
        listing_of(source)
    assert caught.value.hint


def test_passing_failures_are_tried_again(api: KaggleApi, source: Source) -> None:
    for fault in (Unavailable(), Reset(after=3)):
        api.fail("2/files", fault)
        assert listing_of(source).files


def test_no_credential_shows_in_an_error(api: KaggleApi, source: Source) -> None:
    with api.down(), pytest.raises(HubUnreachable) as caught:
        listing_of(source)
    assert "secret" not in caught.value.message + caught.value.hint
