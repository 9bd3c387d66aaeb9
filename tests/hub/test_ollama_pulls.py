"""From Ollama's registry to the store: broken connections are resumed, damaged blobs never get a name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.errors import Corrupt, PaddockError, TransferFailed
from paddock.hub.http import HttpClient
from paddock.hub.ollama import OllamaSource
from tests.fakes.content import Generated
from tests.fakes.faults import Corrupt as Damage
from tests.fakes.faults import (
    Drop,
    Fault,
    IgnoreRange,
    LoginPage,
    Long,
    RateLimited,
    Reset,
    Short,
    Stall,
    Unavailable,
    WrongContentRange,
)
from tests.fakes.ollama import OllamaRegistry
from tests.hub.pulling import pull, quick_client

WEIGHTS = Generated(3_000_000, seed=21)
BLOB = f"sha256:{WEIGHTS.sha256}"
NAME = "ollama://llama3:8b"


@pytest.fixture
def registry() -> Iterator[OllamaRegistry]:
    with OllamaRegistry() as registry:
        registry.add_model("llama3:8b", {"model": WEIGHTS, "template": b"{{ .Prompt }}", "license": b"MIT"})
        yield registry


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with quick_client() as client:
        yield client


def test_a_model_lands_whole(registry: OllamaRegistry, client: HttpClient, tmp_path: Path) -> None:
    source = OllamaSource(client, registry=registry.url)
    listing, folder = pull(source, NAME, client, tmp_path)
    assert (folder / "model.gguf").read_bytes() == WEIGHTS.read()
    assert (folder / "template").read_bytes() == b"{{ .Prompt }}"
    for file in listing.files:
        assert registry.bytes_sent(file.key) == file.size, "the listing promised what arrived"


def test_tags_that_share_weights_fetch_them_once(registry: OllamaRegistry, client: HttpClient, tmp_path: Path) -> None:
    registry.add_model("llama3:latest", {"model": WEIGHTS, "template": b"other"})
    source = OllamaSource(client, registry=registry.url)
    pull(source, NAME, client, tmp_path)
    _, folder = pull(source, "ollama://llama3:latest", client, tmp_path)
    assert (folder / "model.gguf").read_bytes() == WEIGHTS.read()
    assert len(registry.requests(BLOB, at="storage")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Drop(after=1_000_000),
        Reset(after=1_000_000),
        Short(by=1_000_000),
        Long(by=10),
        Stall(after=1_000_000),
        Damage(at=1_500_000),
        Unavailable(),
        RateLimited(retry_after=0),
    ],
)
def test_a_passing_fault_costs_time_and_not_the_model(
    registry: OllamaRegistry, client: HttpClient, tmp_path: Path, fault: Fault
) -> None:
    registry.fail(BLOB, fault, at="storage")
    _, folder = pull(OllamaSource(client, registry=registry.url), NAME, client, tmp_path)
    assert (folder / "model.gguf").read_bytes() == WEIGHTS.read()


@pytest.mark.parametrize("fault", [IgnoreRange(), WrongContentRange(shift=5)])
def test_a_wrong_answer_to_a_resumed_range_is_not_believed(
    registry: OllamaRegistry, client: HttpClient, tmp_path: Path, fault: Fault
) -> None:
    registry.fail(BLOB, Drop(after=1_000_000), at="storage")
    registry.fail(BLOB, fault, at="storage")
    _, folder = pull(OllamaSource(client, registry=registry.url), NAME, client, tmp_path)
    assert (folder / "model.gguf").read_bytes() == WEIGHTS.read()


@pytest.mark.parametrize(("fault", "expected"), [(Damage(at=0), Corrupt), (LoginPage(), TransferFailed)])
def test_a_lasting_fault_leaves_no_model(
    registry: OllamaRegistry, client: HttpClient, tmp_path: Path, fault: Fault, expected: type[PaddockError]
) -> None:
    registry.fail(BLOB, fault, at="storage", times=None)
    with pytest.raises(expected):
        pull(OllamaSource(client, registry=registry.url), NAME, client, tmp_path)
    assert not list((tmp_path / "models").rglob("*"))
    assert not list(tmp_path.rglob("model.gguf"))
