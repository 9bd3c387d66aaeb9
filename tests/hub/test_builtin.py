"""Pony must be there with no network, and its revision must say which bytes it is."""

import hashlib
from pathlib import Path

import pytest

import paddock
from paddock.errors import ModelNotFound, StorageError
from paddock.hub.builtin import BuiltinSource
from paddock.hub.reference import parse_reference
from paddock.hub.source import Source
from paddock.vocabulary import SourceKind

FOLDER = Path(paddock.__file__).with_name("builtin_models")


@pytest.fixture
def source() -> BuiltinSource:
    return BuiltinSource(FOLDER)


def test_pony_is_listed_with_its_hashes(source: Source) -> None:
    listing = source.list(parse_reference("builtin://pony"))
    assert (listing.name, listing.source, listing.license) == ("pony", SourceKind.BUILTIN, "apache-2.0")
    weights = next(file for file in listing.files if file.path == "model.safetensors")
    data = (FOLDER / "pony" / "model.safetensors").read_bytes()
    assert (weights.sha256, weights.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert listing.metadata["config"]["model_type"] == "qwen3"
    assert source.reader(listing, weights).read(0, 8) == data[:8]
    assert source.refresh(listing, weights) == weights
    assert not source.headers(weights.location)


def test_every_model_of_the_package_can_be_listed(source: BuiltinSource) -> None:
    assert set(source.names()) >= {"pony", "foal", "pony-embed", "pony-vision"}
    revisions = {source.list(parse_reference(f"builtin://{name}")).revision for name in source.names()}
    assert len(revisions) == len(source.names())


def test_search_looks_at_names_and_tags(source: BuiltinSource) -> None:
    assert [hit.name for hit in source.search("pony vision", limit=9)] == ["pony-vision"]
    assert len(source.search("mlx", limit=2)) == 2
    assert not source.search("llama", limit=9)


def test_an_unknown_name_gets_the_near_one(source: BuiltinSource) -> None:
    with pytest.raises(ModelNotFound) as caught:
        source.list(parse_reference("builtin://ponny"))
    assert "`pony`" in caught.value.hint
    with pytest.raises(ModelNotFound) as caught:
        source.list(parse_reference("builtin://zebra"))
    assert "`foal`" in caught.value.hint


def test_the_revision_is_the_bytes(tmp_path: Path) -> None:
    """The same files elsewhere are the same revision; one changed byte is another."""
    for place in ("one", "two", "three"):
        (tmp_path / place / "m").mkdir(parents=True)
        (tmp_path / place / "m" / "config.json").write_text("{}" if place != "three" else "{ }")
    first, second, third = (
        BuiltinSource(tmp_path / place).list(parse_reference("builtin://m")).revision
        for place in ("one", "two", "three")
    )
    assert first == second != third


def test_a_package_without_its_models_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="built-in models are missing"):
        BuiltinSource(tmp_path / "none").names()
