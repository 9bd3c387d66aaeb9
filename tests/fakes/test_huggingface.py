"""The fake hub is honest: the real client works against it, unpatched, and each fault is what it says on the wire."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.fakes.content import Generated
from tests.fakes.faults import (
    Compressed,
    Corrupt,
    Do,
    Drop,
    EndlessJson,
    Expired,
    IgnoreRange,
    LoginPage,
    Long,
    RateLimited,
    RedirectTo,
    Reset,
    Short,
    Slow,
    Stall,
    Unavailable,
    WrongContentRange,
)
from tests.fakes.huggingface import HuggingFaceHub

NAME = "org/tiny"
WEIGHTS = Generated(3_000_000, seed=7)
CONFIG = b'{"model_type": "qwen3"}'


@pytest.fixture
def hub() -> Iterator[HuggingFaceHub]:
    with HuggingFaceHub() as hub:
        hub.add_repo(
            NAME,
            {"config.json": CONFIG, "model.safetensors": WEIGHTS, "onnx/model.onnx": b"graph", "onnx/README.md": b"#"},
            tags=("mlx", "text-generation"),
            license="apache-2.0",
            pipeline_tag="text-generation",
            library_name="mlx",
            config={"model_type": "qwen3"},
            safetensors={"parameters": {"F32": 750_000}, "total": 750_000},
            downloads=12,
        )
        yield hub


@pytest.fixture
def api(hub: HuggingFaceHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


def file_url(hub: HuggingFaceHub, path: str) -> str:
    return f"{hub.url}/{NAME}/resolve/main/{path}"


def fetch(url: str, **headers: str) -> httpx2.Response:
    return httpx2.get(url, headers={"Accept-Encoding": "identity", **headers}, follow_redirects=True, timeout=5)


# The real client -----------------------------------------------------------------------------------------------------


def run_client(hub: HuggingFaceHub, code: str, tmp_path: Path, token: str = "") -> dict[str, Any]:
    """The client reads its endpoint from the environment once, so each question is a process of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **({"HF_TOKEN": token} if token else {}),
    }
    script = f"import json\nfrom huggingface_hub import *\nprint(json.dumps({code}))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_real_client_downloads_a_snapshot(hub: HuggingFaceHub, tmp_path: Path) -> None:
    """If this works, our own client meets the protocol that the real hub speaks."""
    folder = Path(str(run_client(hub, f"snapshot_download({NAME!r})", tmp_path)))
    assert (folder / "config.json").read_bytes() == CONFIG
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == WEIGHTS.sha256
    assert folder.name == hub.repositories[NAME].sha
    assert (folder / "model.safetensors").resolve().name == WEIGHTS.sha256, "the blob is named by X-Linked-Etag"


def test_the_token_stays_on_the_hub(hub: HuggingFaceHub, tmp_path: Path) -> None:
    """The storage is another host: the fake refuses a request that brings a token there, as S3 does."""
    hub.add_token("hf_good", may={"org/closed"})
    hub.add_repo("org/closed", {"model.safetensors": b"weights"}, gated="manual")
    run_client(hub, "hf_hub_download('org/closed', 'model.safetensors')", tmp_path, token="hf_good")
    assert [entry.authorized for entry in hub.requests("model.safetensors", at="storage")] == [False]
    assert all(entry.authorized for entry in hub.requests("model.safetensors", at="hub"))


def test_the_real_client_lists_and_searches(hub: HuggingFaceHub, api: HfApi) -> None:
    for number in range(5):
        hub.add_repo(f"org/other-{number}", {"config.json": b"{}"}, tags=("mlx",), downloads=number)
    found = list(api.list_models(search="other", limit=3, full=True))
    assert [model.id for model in found] == ["org/other-4", "org/other-3", "org/other-2"]
    assert found[0].sha
    assert len(list(api.list_models(filter="mlx"))) == 6
    assert api.list_repo_refs(NAME).branches[0].target_commit == hub.repositories[NAME].sha
    assert {path.path for path in api.get_paths_info(NAME, ["config.json", "none"])} == {"config.json"}


def test_the_real_client_reads_model_info(hub: HuggingFaceHub, api: HfApi) -> None:
    info = api.model_info(NAME, files_metadata=True)
    assert info.sha == hub.repositories[NAME].sha
    assert info.safetensors is not None
    assert info.safetensors.total == 750_000
    assert (info.pipeline_tag, info.library_name, info.gated) == ("text-generation", "mlx", False)
    assert info.card_data is not None
    assert info.card_data.license == "apache-2.0"
    weights = next(file for file in info.siblings or [] if file.rfilename == "model.safetensors")
    assert weights.lfs is not None
    assert (weights.lfs.sha256, weights.size) == (WEIGHTS.sha256, WEIGHTS.size)
    assert set(vars(api.model_info(NAME, expand=["gated", "sha"]))) >= {"gated", "sha"}


def test_the_real_client_walks_every_page_of_the_tree(hub: HuggingFaceHub, api: HfApi) -> None:
    hub.tree_page_entries = 2
    paths = [entry.path for entry in api.list_repo_tree(NAME, recursive=True)]
    assert sorted(paths) == ["config.json", "model.safetensors", "onnx", "onnx/README.md", "onnx/model.onnx"]
    assert len(hub.requests("tree/main")) == 3
    assert [entry.path for entry in api.list_repo_tree(NAME, "onnx")] == ["onnx/README.md", "onnx/model.onnx"]


def test_the_real_client_understands_the_refusals(hub: HuggingFaceHub, api: HfApi, tmp_path: Path) -> None:
    hub.add_token("hf_stranger")
    hub.add_repo("org/closed", {"config.json": b"{}"}, gated="auto")
    hub.add_repo("org/secret", {"config.json": b"{}"}, private=True)
    with pytest.raises(GatedRepoError, match="401"):
        api.auth_check("org/closed")
    with pytest.raises(GatedRepoError, match="403"):
        HfApi(endpoint=hub.url, token="hf_stranger").auth_check("org/closed")
    for token in (False, "hf_stranger"):
        with pytest.raises(RepositoryNotFoundError):
            HfApi(endpoint=hub.url, token=token).model_info("org/secret")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("org/none")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(NAME, revision="nowhere")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(NAME, "none.json", endpoint=hub.url, cache_dir=tmp_path)


def test_a_renamed_repository_is_followed(hub: HuggingFaceHub, api: HfApi) -> None:
    hub.rename(NAME, "org/grown")
    assert api.model_info(NAME).id == "org/grown"


def test_branches_tags_and_commits_keep_apart(hub: HuggingFaceHub, api: HfApi) -> None:
    """A commit never changes; a branch is moved by whoever owns it."""
    first = hub.repositories[NAME].sha
    second = hub.commit(NAME, {"config.json": b"{}"}, delete=["onnx/README.md"])
    hub.move_branch(NAME, "old", first)
    assert api.model_info(NAME).sha == second
    assert api.model_info(NAME, revision="old").sha == first
    assert fetch(f"{hub.url}/{NAME}/resolve/{first}/config.json").content == CONFIG
    assert fetch(f"{hub.url}/{NAME}/resolve/refs%2Fheads%2Fold/config.json").content == CONFIG


# Ranges and signatures -----------------------------------------------------------------------------------------------


def test_ranges_are_answered_with_exactly_those_bytes(hub: HuggingFaceHub) -> None:
    whole = WEIGHTS.read()
    url = file_url(hub, "model.safetensors")
    for asked, expected in {
        "bytes=0-0": whole[:1],
        "bytes=1048574-1048590": whole[1048574:1048591],
        "bytes=2999999-": whole[-1:],
        "bytes=-5": whole[-5:],
    }.items():
        answer = fetch(url, Range=asked)
        assert (answer.status_code, answer.content) == (206, expected)
        assert answer.headers["Content-Range"].endswith("/3000000")
    assert fetch(url, Range="bytes=3000000-").status_code == 416


def test_if_range_gives_the_whole_file_when_it_changed(hub: HuggingFaceHub) -> None:
    url = file_url(hub, "config.json")
    etag = fetch(url).headers["ETag"]
    assert fetch(url, Range="bytes=1-", **{"If-Range": etag}).status_code == 206
    assert fetch(url, Range="bytes=1-", **{"If-Range": '"other"'}).status_code == 200


def test_signed_urls_expire_by_the_clock() -> None:
    now = [1_000_000.0]
    with HuggingFaceHub(clock=lambda: now[0]) as hub:
        hub.add_repo(NAME, {"model.safetensors": b"weights"})
        location = httpx2.get(file_url(hub, "model.safetensors")).headers["Location"]
        assert httpx2.get(location).content == b"weights"
        now[0] += hub.signature_lifetime_s
        assert httpx2.get(location).status_code == 403
        assert httpx2.get(location.replace("Expires=1", "Expires=2")).status_code == 403, "forged"


# Faults --------------------------------------------------------------------------------------------------------------


def test_faults_strike_as_often_as_they_were_scripted(hub: HuggingFaceHub) -> None:
    hub.fail("config.json", Unavailable(retry_after=3), times=2, skip=1)
    url = file_url(hub, "config.json")
    assert [fetch(url).status_code for _ in range(4)] == [503, 503, 200, 200], "the redirect was the good one"
    hub.fail(f"api/models/{NAME}", RateLimited(retry_after=7))
    answer = fetch(f"{hub.url}/api/models/{NAME}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    hub.fail("model.safetensors", Expired())
    assert fetch(file_url(hub, "model.safetensors")).status_code == 403


@pytest.mark.parametrize("fault", [Drop(after=1000), Reset(after=1000)])
def test_broken_connections_break_after_those_bytes(hub: HuggingFaceHub, fault: Drop | Reset) -> None:
    hub.fail("model.safetensors", fault)
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        fetch(file_url(hub, "model.safetensors"))
    assert hub.requests("model.safetensors", at="storage")[0].bytes_sent == 1000


def test_wrong_bodies_are_well_formed(hub: HuggingFaceHub) -> None:
    """What the transport cannot notice, the client must: short, long, damaged, someone else's page."""
    url, whole = file_url(hub, "model.safetensors"), WEIGHTS.read()
    hub.fail("model.safetensors", Short(by=10))
    assert fetch(url).content == whole[:-10]
    hub.fail("model.safetensors", Long(by=10))
    assert len(fetch(url).content) == len(whole) + 10
    hub.fail("model.safetensors", Corrupt(at=1_500_000))
    damaged = fetch(url).content
    assert [at for at in (1_499_999, 1_500_000, 1_500_001) if damaged[at] != whole[at]] == [1_500_000]
    hub.fail("model.safetensors", LoginPage())
    assert b"<html>" in fetch(url).content
    hub.fail("config.json", Compressed(), at="hub")
    packed = httpx2.get(file_url(hub, "config.json"), headers={"Accept-Encoding": "gzip"}, follow_redirects=True)
    assert packed.content == CONFIG
    assert "Content-Length" not in packed.headers
    assert fetch(url).content == whole, "and afterwards all is well"


def test_ranges_can_be_ignored_or_wrong(hub: HuggingFaceHub) -> None:
    url = file_url(hub, "model.safetensors")
    hub.fail("model.safetensors", IgnoreRange())
    assert fetch(url, Range="bytes=5-9").status_code == 200
    hub.fail("model.safetensors", WrongContentRange(shift=2))
    assert fetch(url, Range="bytes=5-9").headers["Content-Range"] == "bytes 7-9/3000000"


def test_slow_and_stalled_bodies(hub: HuggingFaceHub) -> None:
    url = file_url(hub, "config.json")
    hub.fail("config.json", Slow(bytes_per_s=100), at="hub")
    began = time.monotonic()
    assert fetch(url).content == CONFIG
    assert time.monotonic() - began > 0.15
    hub.fail("config.json", Stall(after=3))
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.get(url, follow_redirects=True, timeout=0.2)


def test_a_branch_can_move_between_two_requests(hub: HuggingFaceHub, api: HfApi) -> None:
    first = hub.repositories[NAME].sha
    hub.fail(f"api/models/{NAME}", Do(lambda: hub.commit(NAME, {"config.json": b"{}"})), skip=1)
    assert api.model_info(NAME).sha == first
    assert api.model_info(NAME).sha != first


def test_hostile_listings_and_endless_answers(hub: HuggingFaceHub) -> None:
    hub.list_also(NAME, "../../etc/passwd")
    listed = fetch(f"{hub.url}/api/models/{NAME}/tree/main?recursive=true").json()
    assert "../../etc/passwd" in [entry["path"] for entry in listed]
    hub.fail("tree/main", EndlessJson())
    received = 0
    with httpx2.stream("GET", f"{hub.url}/api/models/{NAME}/tree/main") as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
            if received > 10 << 20:
                break
    hub.fail("config.json", RedirectTo("http://hub.example/config.json"))
    assert httpx2.get(file_url(hub, "config.json")).headers["Location"] == "http://hub.example/config.json"


def test_a_hub_that_is_down_comes_back_at_its_address(hub: HuggingFaceHub) -> None:
    with hub.down(), pytest.raises(httpx2.ConnectError):
        fetch(file_url(hub, "config.json"))
    assert fetch(file_url(hub, "config.json")).content == CONFIG


def test_the_hub_runs_as_a_process_of_its_own() -> None:
    """Benchmarks and kill tests want a server that shares no interpreter with the client."""
    command = [sys.executable, "-m", "tests.fakes.huggingface", "--big", "3MB", "--files", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        weights = fetch(f"{url}/bench/big/resolve/main/model-00001-of-00002.safetensors").content
        assert len(weights) == 1_500_000
        assert fetch(f"{url}/_log").json()[-1]["bytes_sent"] == 1_500_000
        process.communicate(timeout=10)
    assert process.returncode == 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
