"""Models come from Ollama's registry without Ollama, each layer under its own hash; a lying manifest goes nowhere."""

import json
from collections.abc import Iterator

import pytest

from paddock.errors import (
    AccessDenied,
    Corrupt,
    HubUnreachable,
    Incompatible,
    InvalidReference,
    ModelNotFound,
    PaddockError,
    RateLimited,
    TransferFailed,
)
from paddock.hub.http import HttpClient, HttpLimits
from paddock.hub.ollama import OllamaSource
from paddock.hub.reference import parse_reference
from paddock.hub.source import Listing, Source
from tests.fakes.content import Generated
from tests.fakes.faults import Corrupt as Damage
from tests.fakes.faults import EndlessJson, LoginPage, RedirectTo, Reset, Status, Unavailable
from tests.fakes.ollama import OllamaRegistry

WEIGHTS = Generated(300_000, seed=5)
MANIFEST = "manifests/8b"


@pytest.fixture
def registry() -> Iterator[OllamaRegistry]:
    with OllamaRegistry() as registry:
        layers = [
            ("model", WEIGHTS),
            ("template", "{{ .Prompt }}"),
            ("params", "{}"),
            ("license", "A"),
            ("license", "B"),
        ]
        registry.add_model("llama3:8b", layers)
        yield registry


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(sleep=lambda _: None, limits=HttpLimits(read_timeout_s=2, attempts_max=2)) as client:
        yield client


@pytest.fixture
def source(registry: OllamaRegistry, client: HttpClient) -> Source:
    return OllamaSource(client, registry=registry.url)


def listing_of(source: Source, text: str = "ollama://llama3:8b") -> Listing:
    return source.list(parse_reference(text))


def test_layers_become_files_with_plain_names_and_hashes(source: Source, registry: OllamaRegistry) -> None:
    listing = listing_of(source)
    assert [file.path for file in listing.files] == [
        "model.gguf",
        "template",
        "params.json",
        "license",
        "license-2",
    ]
    weights = listing.files[0]
    assert (weights.sha256, weights.key, weights.size) == (WEIGHTS.sha256, f"sha256:{WEIGHTS.sha256}", WEIGHTS.size)
    assert listing.name == "llama3:8b"
    assert listing.metadata["ollama"]["model_type"] == "8.0B"
    assert not source.headers(weights.location)
    assert source.refresh(listing, weights) == weights
    assert not source.search("llama", limit=5)


def test_the_revision_is_the_hash_of_the_manifest(source: Source, registry: OllamaRegistry) -> None:
    """A tag moves; the revision says which bytes it meant."""
    first = listing_of(source).revision
    assert first == listing_of(source).revision
    digest = registry.add_model("llama3:8b", {"model": b"other"})
    assert listing_of(source).revision == digest != first


def test_headers_are_read_from_the_blob_without_fetching_it(source: Source, registry: OllamaRegistry) -> None:
    listing = listing_of(source)
    reader = source.reader(listing, listing.files[0])
    assert (reader.size, reader.read(8, 16)) == (WEIGHTS.size, WEIGHTS.read()[8:24])
    assert registry.bytes_sent(WEIGHTS.sha256) < WEIGHTS.size


def test_projectors_adapters_and_users_have_their_places(source: Source, registry: OllamaRegistry) -> None:
    registry.add_model("me/llava:7b", {"model": b"m", "projector": b"p", "adapter": b"a", "system": b"s"})
    paths = [file.path for file in listing_of(source, "ollama://me/llava:7b").files]
    assert paths == ["model.gguf", "projector.gguf", "adapter.gguf", "system"]


def test_another_registry_may_be_named(registry: OllamaRegistry, client: HttpClient) -> None:
    """Here on loopback, where plain HTTP is fine; any other host is asked over HTTPS."""
    host = registry.url.removeprefix("http://")
    source = OllamaSource(client)
    listing = listing_of(source, f"ollama://{host}/llama3:8b")
    assert listing.name == f"{host}/llama3:8b"
    assert all(file.location.startswith(registry.url) for file in listing.files)
    with pytest.raises(HubUnreachable, match=r"registry\.invalid"):
        listing_of(source, "ollama://registry.invalid/llama3")


def test_strangers_cannot_choose_the_registry(registry: OllamaRegistry, client: HttpClient) -> None:
    """A pull over HTTP must not become a way to knock at doors inside the network."""
    source = OllamaSource(client, registry=registry.url, hosts_allowed=())
    assert listing_of(source).files
    before = len(registry.log)
    with pytest.raises(InvalidReference, match="not a registry"):
        listing_of(source, f"ollama://{registry.url.removeprefix('http://')}/llama3:8b")
    assert len(registry.log) == before


def test_what_is_not_there_is_not_found(source: Source) -> None:
    with pytest.raises(ModelNotFound, match="no model `llama3:9b`") as caught:
        listing_of(source, "ollama://llama3:9b")
    assert "ollama.com/library/llama3" in caught.value.hint


@pytest.mark.parametrize(
    "digest",
    ["sha256:../../../../etc/passwd", "sha256:" + "A" * 64, "sha256:" + "0" * 63, "md5:" + "0" * 64, "", "a\0b"],
)
def test_digests_that_are_none_are_refused_before_anything_is_fetched(
    source: Source, registry: OllamaRegistry, digest: str
) -> None:
    """Digests become file names."""
    registry.add_model("evil:1", {"model": b"m"}, annotations={"digest": digest})
    with pytest.raises(Corrupt, match="digest that is none"):
        listing_of(source, "ollama://evil:1")


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (b"{}", HubUnreachable),
        (b"[]", HubUnreachable),
        (b'{"layers": [{"digest": 5, "size": 1}]}', HubUnreachable),
        (b'{"layers": [{"digest": "x", "size": -1}]}', HubUnreachable),
        (b'{"layers": [{"digest": "x", "size": 9223372036854775808}]}', HubUnreachable),
        (b'{"layers": ' + b"[" * 100_000, HubUnreachable),
        (json.dumps({"layers": [{"digest": "x", "size": 1}] * 1001}).encode(), HubUnreachable),
        (json.dumps({"layers": [{"mediaType": "../x", "digest": "sha256:" + "0" * 64, "size": 1}]}).encode(), Corrupt),
        (b'{"layers": []}', Incompatible),
    ],
)
def test_manifests_that_lie_are_refused(
    source: Source, registry: OllamaRegistry, manifest: bytes, expected: type[PaddockError]
) -> None:
    registry.add_manifest("evil:1", manifest)
    with pytest.raises(expected):
        listing_of(source, "ollama://evil:1")


def test_models_that_only_ollama_runs_are_refused(source: Source, registry: OllamaRegistry) -> None:
    registry.add_model("big:cloud", {"template": b"t"})
    with pytest.raises(Incompatible, match="no weights"):
        listing_of(source, "ollama://big:cloud")
    registry.add_model("split:1", {"tensor; name=x": b"t"})
    with pytest.raises(Incompatible, match="tensor by tensor"):
        listing_of(source, "ollama://split:1")


def test_a_damaged_description_is_noticed(source: Source, registry: OllamaRegistry) -> None:
    """The only blob that a listing reads is checked like the others."""
    config = json.loads(registry.manifests["library/llama3:8b"])["config"]["digest"]
    registry.fail(config, Damage(at=3))
    with pytest.raises(Corrupt, match="hash"):
        listing_of(source)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (LoginPage(), HubUnreachable),
        (EndlessJson(), TransferFailed),
        (Status(401), AccessDenied),
        (Status(412, body=b'{"errors":[{"message":"requires a newer version"}]}'), Incompatible),
        (Status(418), HubUnreachable),
        (Unavailable(), HubUnreachable),
        (Status(429, {"Retry-After": "3600"}), RateLimited),
        (RedirectTo("http://registry.example/v2/x"), TransferFailed),
    ],
)
def test_each_failure_of_the_registry_has_its_own_error(
    source: Source, registry: OllamaRegistry, fault: Status, expected: type[PaddockError]
) -> None:
    registry.fail(MANIFEST, fault, times=None)
    with pytest.raises(expected) as caught:
        listing_of(source)
    assert caught.value.hint


def test_passing_failures_are_tried_again(source: Source, registry: OllamaRegistry) -> None:
    for fault in (Unavailable(), Reset(after=10)):
        registry.fail(MANIFEST, fault)
        assert listing_of(source).files


def test_a_registry_that_is_down_is_unreachable(source: Source, registry: OllamaRegistry) -> None:
    with registry.down(), pytest.raises(HubUnreachable, match="cannot be reached"):
        listing_of(source)
