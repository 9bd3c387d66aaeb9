"""People point at folders that they got from anywhere; a listing neither follows links out of one nor changes it."""

import os
from pathlib import Path

import pytest

from paddock.errors import InvalidFile, ModelNotFound, StorageError
from paddock.hub.local import LocalSource
from paddock.hub.reference import ModelReference, parse_reference
from paddock.hub.source import Listing, Source
from paddock.vocabulary import SourceKind


def listing_of(path: Path) -> Listing:
    return LocalSource().list(ModelReference(SourceKind.LOCAL, str(path)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "My Model (v2)"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "sub" / "extra.txt").write_text("extra")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    return folder


def test_a_folder_is_listed_where_it_is(folder: Path) -> None:
    source: Source = LocalSource()
    listing = source.list(parse_reference(f"file://{folder}"))
    assert listing.name == "My-Model-v2"
    assert [file.path for file in listing.files] == ["config.json", "model.safetensors", "sub/extra.txt"]
    assert listing.metadata["config"] == {"model_type": "qwen3"}
    weights = listing.files[1]
    assert (weights.size, weights.location) == (7, str(folder / "model.safetensors"))
    assert source.reader(listing, weights).read(1, 3) == b"eig"
    assert source.refresh(listing, weights) == weights
    assert not source.headers(weights.location)
    assert not source.search("model", limit=5)


def test_a_single_file_is_a_model(tmp_path: Path) -> None:
    path = tmp_path / "tiny.Q4_K_M.gguf"
    path.write_bytes(b"GGUF")
    listing = listing_of(path)
    assert (listing.name, [file.path for file in listing.files]) == ("tiny.Q4_K_M", ["tiny.Q4_K_M.gguf"])


def test_the_revision_changes_with_the_files_and_only_then(folder: Path) -> None:
    """The library notices an edited folder, without reading gigabytes at each start."""
    first = listing_of(folder).revision
    assert listing_of(folder).revision == first
    os.utime(folder / "model.safetensors", ns=(0, 0))
    second = listing_of(folder).revision
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert len({first, second, listing_of(folder).revision}) == 3


def test_links_within_the_folder_count_as_files(folder: Path) -> None:
    (folder / "alias.safetensors").symlink_to("model.safetensors")
    (folder / "again").symlink_to("sub")
    files = {file.path: file for file in listing_of(folder).files}
    assert files["alias.safetensors"].location == str(folder / "model.safetensors")
    assert "again" not in files


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "/etc", "missing", "loop"])
def test_links_that_leave_the_folder_or_lead_nowhere_are_refused(folder: Path, target: str) -> None:
    """A downloaded folder must not pull someone's private files into a model, or a listing into a circle."""
    (folder.parent / "secret").write_text("secret")
    (folder / "loop").symlink_to(target)
    with pytest.raises(InvalidFile, match="link `loop` leads"):
        listing_of(folder)


def test_a_snapshot_of_the_hugging_face_cache_keeps_its_links(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--name"
    (repository / "blobs").mkdir(parents=True)
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "blobs" / "abc").write_bytes(b"weights")
    (snapshot / "model.safetensors").symlink_to("../../blobs/abc")
    assert listing_of(snapshot).files[0].location == str(repository / "blobs" / "abc")
    (snapshot / "other").symlink_to("../../refs")
    with pytest.raises(InvalidFile):
        listing_of(snapshot)


def test_pickles_are_noticed(folder: Path) -> None:
    """They run code when loaded; whoever plans a load must know."""
    assert "pickles" not in listing_of(folder).metadata
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert listing_of(folder).metadata["pickles"] == ["pytorch_model.bin"]


def test_a_missing_path_names_near_ones(folder: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        listing_of(folder.parent / "My Model (v3)")
    assert "My Model (v2)" in caught.value.hint
    with pytest.raises(ModelNotFound, match="no file or folder"):
        listing_of(folder / "none" / "none")
    with pytest.raises(ModelNotFound):
        listing_of(folder / "config.json" / "inside")


def test_what_is_no_model_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(folder / "pipe")
    with pytest.raises(InvalidFile, match="no files"):
        listing_of(tmp_path / "empty")
    with pytest.raises(InvalidFile, match="neither a file nor a folder"):
        listing_of(folder / "pipe")
    with pytest.raises(InvalidFile, match="not a plain file"):
        listing_of(folder)
    with pytest.raises(StorageError):
        listing_of(Path("/x" * 5000))


def test_a_folder_far_too_large_is_refused(tmp_path: Path) -> None:
    """Someone registers their home folder by mistake."""
    for number in range(11):
        (tmp_path / f"{number}").touch()
    with pytest.raises(InvalidFile, match="more than 10 files"):
        LocalSource(files_max=10).list(ModelReference(SourceKind.LOCAL, str(tmp_path)))


def test_a_broken_config_is_left_to_the_catalog(folder: Path) -> None:
    for text in ("{", "[1]", "[" * 100_000):
        (folder / "config.json").write_text(text)
        assert "config" not in listing_of(folder).metadata


def test_a_file_that_vanished_is_said_so(folder: Path) -> None:
    listing = listing_of(folder)
    (folder / "config.json").unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        LocalSource().reader(listing, listing.files[0])
