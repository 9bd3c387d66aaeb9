"""The fake Kaggle is honest: the real kagglehub downloads from it, unpatched."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from kagglesdk.models.types.model_api_service import (
    ApiDownloadModelInstanceVersionRequest,
    ApiGetModelInstanceRequest,
    ApiListModelInstanceVersionFilesRequest,
)
from kagglesdk.models.types.model_enums import ModelFramework

from tests.fakes.content import Generated
from tests.fakes.kaggle import KaggleApi

HANDLE = "google/gemma/tfLite/2b"
WEIGHTS = Generated(1_500_000, seed=3)


@pytest.fixture
def api() -> Iterator[KaggleApi]:
    with KaggleApi() as api:
        api.add_model(HANDLE, {"model.tflite": b"old"})
        api.add_model(HANDLE, {"model.tflite": WEIGHTS, "assets/vocab.txt": b"a b c"})
        api.add_account("tester", "secret")
        yield api


def download(
    api: KaggleApi, handle: str, tmp_path: Path, credentials: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """kagglehub knows its endpoints by name only; with the fake as its HTTP proxy, `http://localhost` is the fake."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "KAGGLEHUB_CACHE": str(tmp_path / "cache"),
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "HTTP_PROXY": api.url,
        **credentials,
    }
    script = f"import kagglehub; print(kagglehub.model_download({handle!r}))"
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_real_client_downloads_the_newest_version(api: KaggleApi, tmp_path: Path) -> None:
    done = download(api, HANDLE, tmp_path, {"KAGGLE_USERNAME": "tester", "KAGGLE_KEY": "secret"})
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip().splitlines()[-1])
    assert folder.name == "2"
    assert (folder / "model.tflite").read_bytes() == WEIGHTS.read()
    assert (folder / "assets/vocab.txt").read_bytes() == b"a b c"
    assert not any(entry.authorized for entry in api.requests(at="storage")), "the key stays with the API"
    assert all(entry.authorized for entry in api.requests(at="api"))


def test_the_real_client_takes_the_archive_of_many_files(api: KaggleApi, tmp_path: Path) -> None:
    """Above 25 files kagglehub fetches one tar.gz. (It cannot unpack it with Debian 12's Python, whose tarfile is older
    than kagglehub expects; that it fetched it whole is what shows the protocol.)"""
    handle = "owner/many/other/parts"
    api.add_model(handle, {f"part-{number:02}.bin": b"x" * number for number in range(30)})
    api.add_token("KGAT_token")
    done = download(api, handle, tmp_path, {"KAGGLE_API_TOKEN": "KGAT_token"})
    if hasattr(tarfile, "data_filter"):
        assert done.returncode == 0, done.stderr
        assert len(list(Path(done.stdout.strip().splitlines()[-1]).iterdir())) == 30
    else:
        assert "unexpected keyword argument 'filter'" in done.stderr, done.stderr
    assert len(api.requests("archive.tar.gz", at="storage")) == 1


def test_the_real_client_understands_the_refusals(api: KaggleApi, tmp_path: Path) -> None:
    gated = "google/closed/tfLite/2b"
    api.add_model(gated, {"model.tflite": b"x"}, needs_consent=True)
    keys = {"KAGGLE_USERNAME": "tester", "KAGGLE_KEY": "secret"}
    for handle, credentials, expected in (
        (gated, keys, "403 Client Error"),
        (gated, {}, "401 Client Error"),
        (HANDLE, keys | {"KAGGLE_KEY": "wrong"}, "401 Client Error"),
        ("google/none/tfLite/2b", keys, "404 Client Error"),
    ):
        done = download(api, handle, tmp_path, credentials)
        assert done.returncode != 0
        assert expected in done.stderr


def test_the_rest_form_is_the_one_that_the_sdk_names(api: KaggleApi) -> None:
    """Our own source asks by GET, so that a download can be resumed; the paths are those of the sdk's requests."""
    about, files, download = (
        ApiGetModelInstanceRequest(),
        ApiListModelInstanceVersionFilesRequest(),
        ApiDownloadModelInstanceVersionRequest(),
    )
    for request in (about, files, download):
        request.owner_slug, request.model_slug, request.instance_slug = "google", "gemma", "2b"
        request.framework = ModelFramework.MODEL_FRAMEWORK_TF_LITE
    files.version_number = download.version_number = 2
    download.path = "assets/vocab.txt"
    assert httpx2.get(api.url + about.endpoint()).json()["versionNumber"] == 2
    listed = httpx2.get(api.url + files.endpoint(), params={"pageSize": 1}).json()
    assert [file["name"] for file in listed["files"]] == ["assets/vocab.txt"]
    following = {"pageToken": listed["nextPageToken"]}
    assert httpx2.get(api.url + files.endpoint(), params=following).json()["files"][0]["size"] == WEIGHTS.size
    assert httpx2.get(api.url + download.endpoint(), follow_redirects=True).content == b"a b c"
