"""The hub as a source, asked through its own library: what it says arrives checked, what it refuses arrives explained."""

import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from paddock.errors import (
    AccessDenied,
    Corrupt,
    HubUnreachable,
    InvalidReference,
    ModelNotFound,
    NotFound,
    PaddockError,
    RateLimited,
    TransferFailed,
)
from paddock.hub.http import HttpClient, HttpLimits
from paddock.hub.huggingface import HuggingFaceSource
from paddock.hub.ranges import read_text
from paddock.hub.reference import ModelReference, parse_reference
from paddock.hub.source import Listing
from paddock.vocabulary import SourceKind
from tests.fakes import faults
from tests.fakes.content import Generated
from tests.fakes.huggingface import HuggingFaceHub

WEIGHTS = Generated(300_000, seed=3)
CONFIG = b'{"model_type": "qwen3"}\n'


@pytest.fixture
def hub() -> Generator[HuggingFaceHub]:
    with HuggingFaceHub(tree_page_entries=2) as hub:
        hub.add_repo(
            "org/Qwen3-8B",
            {"config.json": CONFIG, "model.safetensors": WEIGHTS, "sub/deep/tokenizer.json": b"{}", "README.md": b"#"},
            tags=("mlx", "text-generation"),
            license="apache-2.0",
            downloads=10,
            likes=3,
            pipeline_tag="text-generation",
            library_name="mlx",
            config={"model_type": "qwen3"},
            safetensors={"parameters": {"BF16": 150_000}, "total": 150_000},
        )
        hub.add_repo("org/Qwen3-4B", {"config.json": CONFIG}, downloads=99)
        yield hub


@pytest.fixture
def client() -> Generator[HttpClient]:
    limits = HttpLimits(backoff_s=0.001, attempts_max=3, retry_after_max_s=5, metadata_bytes_max=1 << 20)
    with HttpClient(limits=limits, sleep=lambda seconds: None) as client:
        yield client


@pytest.fixture
def source(hub: HuggingFaceHub, client: HttpClient) -> HuggingFaceSource:
    return HuggingFaceSource(client, endpoint=hub.url)


def listed(source: HuggingFaceSource, text: str = "org/Qwen3-8B") -> Listing:
    return source.list(parse_reference(text))


def test_a_listing_pins_the_commit_and_knows_every_file_with_its_hash(
    hub: HuggingFaceHub, source: HuggingFaceSource
) -> None:
    """Four files over two pages: the tree is followed to its end."""
    listing = listed(source)
    repository = hub.repositories["org/Qwen3-8B"]
    assert (listing.name, listing.revision) == ("org/Qwen3-8B", repository.sha)
    files = {file.path: file for file in listing.files}
    assert sorted(files) == ["README.md", "config.json", "model.safetensors", "sub/deep/tokenizer.json"]
    weights, config = files["model.safetensors"], files["config.json"]
    assert (weights.size, weights.sha256, weights.git_oid) == (WEIGHTS.size, WEIGHTS.sha256, None)
    assert weights.key == WEIGHTS.sha256
    assert (config.size, config.sha256, config.git_oid) == (
        len(CONFIG),
        None,
        repository.commits[listing.revision]["config.json"].git_oid,
    )
    assert listing.revision in config.location
    assert (listing.license, listing.gated, listing.library_name) == ("apache-2.0", False, "mlx")
    assert listing.metadata["config"] == {"model_type": "qwen3"}
    assert listing.metadata["safetensors"] == {"parameters": {"BF16": 150_000}, "total": 150_000}


def test_a_branch_that_moves_between_two_questions_does_not_mix_revisions(
    hub: HuggingFaceHub, source: HuggingFaceSource
) -> None:
    before = hub.repositories["org/Qwen3-8B"].sha
    hub.fail("*/tree/*", faults.Do(lambda: hub.commit("org/Qwen3-8B", {"config.json": b"{}"})))
    listing = listed(source)
    assert listing.revision == before
    config = next(file for file in listing.files if file.path == "config.json")
    assert config.size == len(CONFIG)
    reader = source.reader(listing, config)
    assert reader.read(0, reader.size) == CONFIG


def test_a_revision_may_be_named(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    first = hub.repositories["org/Qwen3-8B"].sha
    hub.commit("org/Qwen3-8B", {"config.json": b"{}"})
    assert listed(source, f"org/Qwen3-8B@{first}").revision == first
    with pytest.raises(ModelNotFound, match="no revision `nope`"):
        listed(source, "org/Qwen3-8B@nope")


def test_search_tells_what_a_person_chooses_by(source: HuggingFaceSource) -> None:
    hits = source.search("qwen3", limit=5)
    assert [hit.name for hit in hits] == ["org/Qwen3-4B", "org/Qwen3-8B"]
    hit = hits[1]
    assert (hit.downloads, hit.likes, hit.license, hit.gated) == (10, 3, "apache-2.0", False)
    assert (hit.pipeline_tag, hit.library_name, hit.source) == ("text-generation", "mlx", SourceKind.HUGGINGFACE)
    assert "mlx" in hit.tags
    assert hit.modified_at is not None
    assert source.search("nothing like it", limit=5) == []


def test_a_misspelt_name_gets_near_ones(source: HuggingFaceSource) -> None:
    with pytest.raises(ModelNotFound) as caught:
        listed(source, "org/Qwen-8B")
    assert "org/Qwen3-8B" in caught.value.hint


def test_a_name_like_no_other_is_simply_not_there(source: HuggingFaceSource) -> None:
    with pytest.raises(ModelNotFound) as caught:
        listed(source, "zzz/yyyyyy")
    assert "HF_TOKEN" in caught.value.hint, "a private model looks the same to a stranger"


def test_a_name_that_no_hub_would_take_is_refused_before_asking(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    hub.forget()
    with pytest.raises(InvalidReference):
        source.list(ModelReference(SourceKind.HUGGINGFACE, "a--b/c..d"))
    assert hub.log == []


def test_a_gate_says_page_and_setting_without_a_token_and_page_with_one(
    hub: HuggingFaceHub, client: HttpClient, source: HuggingFaceSource
) -> None:
    hub.repositories["org/Qwen3-8B"].gated = "manual"
    listing = listed(source)
    assert listing.gated, "that it is gated is public; its files are not"
    with pytest.raises(AccessDenied) as caught:
        source.reader(listing, listing.files[0]).read(0, 1)
    assert f"{hub.url}/org/Qwen3-8B" in caught.value.hint
    assert "HF_TOKEN" in caught.value.hint
    hub.add_token("hf_other")
    stranger = HuggingFaceSource(client, endpoint=hub.url, token="hf_other")
    with pytest.raises(AccessDenied, match="gated"):
        stranger.refresh(listing, listing.files[0])
    hub.add_token("hf_mine", may=["org/Qwen3-8B"])
    owner = HuggingFaceSource(client, endpoint=hub.url, token="hf_mine")
    assert owner.refresh(listing, listing.files[0]) == listing.files[0]


def test_a_private_model_opens_with_its_token_only(hub: HuggingFaceHub, client: HttpClient) -> None:
    hub.repositories["org/Qwen3-8B"].private = True
    hub.add_token("hf_mine", may=["org/Qwen3-8B"])
    assert listed(HuggingFaceSource(client, endpoint=hub.url, token="hf_mine")).private
    with pytest.raises(ModelNotFound):
        listed(HuggingFaceSource(client, endpoint=hub.url))


def test_an_expired_token_is_named_as_the_cause(hub: HuggingFaceHub, client: HttpClient) -> None:
    with pytest.raises(AccessDenied, match="expired"):
        listed(HuggingFaceSource(client, endpoint=hub.url, token="hf_expired"))


def test_the_token_of_the_environment_is_not_read(
    hub: HuggingFaceHub, source: HuggingFaceSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which token is used is decided in one place, which is not this library."""
    monkeypatch.setenv("HF_TOKEN", "hf_from_environment")
    listed(source)
    assert not any(entry.authorized for entry in hub.log)


def test_the_token_stays_on_its_own_host(client: HttpClient) -> None:
    source = HuggingFaceSource(client, endpoint="https://hub.example", token="hf_secret")
    assert source.headers("https://hub.example/api/x") == {"authorization": "Bearer hf_secret"}
    for other in (
        "https://cdn.example/x",
        "http://hub.example/x",
        "https://hub.example:8443/x",
        "https://hub.example.evil.com/",
    ):
        assert source.headers(other) == {}


def test_a_renamed_model_gives_its_new_name(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    hub.rename("org/Qwen3-8B", "new/Qwen3-8B")
    assert listed(source).name == "new/Qwen3-8B"


def test_a_busy_hub_is_asked_again(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    """huggingface_hub gives up on the first 429 of the model's page."""
    hub.fail("/api/models/*", faults.RateLimited(retry_after=1))
    hub.fail("/api/models/*", faults.Unavailable(), skip=1)
    assert listed(source).name == "org/Qwen3-8B"


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (faults.RateLimited(retry_after=900), RateLimited, "fewer requests"),
        (faults.Unavailable(), HubUnreachable, "503"),
        (faults.Drop(after=0), HubUnreachable, "cannot be reached"),
        (faults.EndlessJson(), TransferFailed, "more than"),
        (faults.LoginPage(), Corrupt, "no Hugging Face hub"),
        (faults.Status(200, {"Content-Type": "application/json"}, b"[1, 2]"), Corrupt, "no Hugging Face hub"),
        (faults.Status(200, {"Content-Type": "application/json"}, b'{"id": "../x"}'), Corrupt, "no Hugging Face hub"),
        (faults.RedirectTo("http://example.com/"), TransferFailed, "plain HTTP"),
        (faults.Status(500), HubUnreachable, "500"),
        (faults.Status(403), AccessDenied, "403"),
        (faults.Status(451), HubUnreachable, "451"),
    ],
)
def test_every_way_a_hub_fails_has_its_own_error(
    hub: HuggingFaceHub, source: HuggingFaceSource, fault: faults.Fault, kind: type[PaddockError], said: str
) -> None:
    hub.fail("/api/models/*", fault, times=None)
    with pytest.raises(kind, match=said) as caught:
        listed(source)
    assert type(caught.value) is kind
    assert caught.value.hint


def test_the_wait_that_the_hub_asks_for_is_told(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    hub.fail("/api/models/*", faults.RateLimited(retry_after=900), times=None)
    with pytest.raises(RateLimited) as caught:
        listed(source)
    assert "900 seconds" in caught.value.hint


def test_a_hub_that_is_down_is_unreachable(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    with hub.down(), pytest.raises(HubUnreachable, match="cannot be reached"):
        listed(source)


def test_offline_opens_no_socket(hub: HuggingFaceHub, client: HttpClient, source: HuggingFaceSource) -> None:
    client.offline = True
    hub.forget()
    for ask in (lambda: listed(source), lambda: source.search("x", limit=1)):
        with pytest.raises(HubUnreachable, match="offline"):
            ask()
    assert hub.log == []


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "a\\..\\b",
        "C:/windows",
        "a/./b",
        "a//b",
        "nul\0byte",
        "bell\x07",
        "right\u202eto-left",
        "CON",
        "x/aux.txt",
        "trailing.",
        "n" * 300,
        "CONFIG.json",
        "sub",
        ".paddock.json",
    ],
)
def test_a_hostile_path_is_refused_before_any_file_is_fetched(
    hub: HuggingFaceHub, source: HuggingFaceSource, path: str
) -> None:
    hub.list_also("org/Qwen3-8B", path)
    with pytest.raises(Corrupt, match="Nothing was fetched"):
        listed(source)
    assert hub.requests(method="GET", at="storage") == []


def test_a_listing_that_goes_on_at_another_host_is_not_followed(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    """The next page's address comes from the hub's answer."""
    link = '<http://localhost:1/api/models/org/Qwen3-8B/tree/main>; rel="next"'
    hub.fail("*/tree/*", faults.Status(200, {"Content-Type": "application/json", "Link": link}, b"[]"))
    with pytest.raises(TransferFailed, match="another host"):
        listed(source)


def test_a_reader_reads_parts_and_few_requests(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    """The length of a header and the header itself are one question."""
    listing = listed(source)
    weights = next(file for file in listing.files if file.path == "model.safetensors")
    reader = source.reader(listing, weights)
    data = WEIGHTS.read()
    assert reader.size == len(data)
    assert reader.read(0, 8) == data[:8]
    assert reader.read(8, 5000) == data[8:5008]
    assert reader.read(200_000, 90_000) == data[200_000:290_000]
    assert reader.read(299_990, 100) == data[299_990:]
    assert reader.read(400_000, 1) == b""
    assert len(hub.requests("model.safetensors", at="storage")) == 3
    assert hub.bytes_sent("model.safetensors") < 160_000


@pytest.mark.parametrize(
    "fault", [faults.IgnoreRange(), faults.Drop(after=100), faults.Unavailable(), faults.Short(by=9)]
)
def test_a_reader_copes_with_what_files_meet(
    hub: HuggingFaceHub, source: HuggingFaceSource, fault: faults.Fault
) -> None:
    listing = listed(source)
    weights = next(file for file in listing.files if file.path == "model.safetensors")
    hub.fail("model.safetensors", fault, at="storage")
    try:
        assert source.reader(listing, weights).read(1000, 50) == WEIGHTS.read()[1000:1050]
    except TransferFailed:
        assert isinstance(fault, faults.Short), "a well-formed answer that is too short is not asked for again"


def test_small_texts_are_bounded(source: HuggingFaceSource) -> None:
    listing = listed(source)
    files = {file.path: file for file in listing.files}
    reader = source.reader(listing, files["config.json"])
    assert read_text(reader, name="config.json") == CONFIG.decode()
    with pytest.raises(Corrupt, match="too many"):
        read_text(reader, name="config.json", bytes_max=5)
    with pytest.raises(Corrupt, match="no text"):
        read_text(source.reader(listing, files["model.safetensors"]), name="model.safetensors")


def test_a_file_that_is_gone_says_so(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    listing = listed(source)
    del hub.repositories["org/Qwen3-8B"].commits[listing.revision]["config.json"]
    config = next(file for file in listing.files if file.path == "config.json")
    with pytest.raises(NotFound, match="no longer"):
        source.refresh(listing, config)


def test_two_sources_in_one_process_do_not_share_address_or_token(client: HttpClient, hub: HuggingFaceHub) -> None:
    """The library's client is one for the whole process."""
    with HuggingFaceHub() as other:
        other.add_repo("org/elsewhere", {"config.json": CONFIG})
        other.add_token("hf_other")
        there = HuggingFaceSource(client, endpoint=other.url, token="hf_other")
        here = HuggingFaceSource(client, endpoint=hub.url)
        assert listed(there, "org/elsewhere").name == "org/elsewhere"
        assert listed(here).name == "org/Qwen3-8B"
        assert all(entry.authorized for entry in other.log)
        assert not any(entry.authorized for entry in hub.log)


def test_the_library_still_goes_its_own_way_for_others(hub: HuggingFaceHub, source: HuggingFaceSource) -> None:
    """Somebody else in this process may use it, too."""
    from huggingface_hub import HfApi

    listed(source)
    assert HfApi(endpoint=hub.url, token=False).model_info("org/Qwen3-8B").id == "org/Qwen3-8B"


def test_making_a_source_does_not_import_the_library() -> None:
    """`paddock list` must not pay for what only a pull needs."""
    program = "import sys, paddock.hub.huggingface as h, paddock.hub.hub_cache; print('huggingface_hub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_nothing_listens_where_nobody_should(tmp_path: Path, client: HttpClient) -> None:
    """A port that is closed: the error names the host, and no address of memory or trace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HubUnreachable) as caught:
        listed(HuggingFaceSource(client, endpoint=f"http://127.0.0.1:{port}"))
    assert f"127.0.0.1:{port}" in caught.value.message
