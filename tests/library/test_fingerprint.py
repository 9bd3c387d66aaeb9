"""A fingerprint changes when a file does, and at nothing else."""

import os
from pathlib import Path

import pytest

from paddock.errors import StorageError
from paddock.library.fingerprint import fingerprint, fingerprint_files


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "weights.safetensors").write_text("weights")
    return folder


@pytest.mark.parametrize("change", ["rewrite", "grow", "add", "remove", "rename"])
def test_each_change_of_the_files_changes_it(change: str, model: Path):
    """Otherwise `list` would go on showing facts of a file that is no longer there."""
    before = fingerprint(model)
    weights = model / "sub" / "weights.safetensors"
    match change:
        case "rewrite":
            times = weights.stat()
            weights.write_text("WEIGHTS")
            os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
        case "grow":
            weights.write_text("weights and more")
        case "add":
            (model / "tokenizer.json").touch()
        case "remove":
            weights.unlink()
        case _:
            weights.rename(model / "sub" / "other.safetensors")
    assert fingerprint(model) != before


def test_looking_into_the_folder_changes_nothing(model: Path):
    """A file manager's own files and the time of the folder itself say nothing about the model."""
    before = fingerprint(model)
    (model / ".DS_Store").write_text("view settings")
    (model / "sub" / "weights.safetensors").read_text()
    os.utime(model, (1, 1))
    assert fingerprint(model) == before


def test_files_may_be_named_in_any_order(model: Path):
    names = ["sub/weights.safetensors", "config.json"]
    assert fingerprint_files(model, names) == fingerprint_files(model, names[::-1]) == fingerprint(model)


def test_what_a_link_leads_to_counts(model: Path, tmp_path: Path):
    """In the Hugging Face cache every file is a link; the blob behind it is what may change."""
    blob = tmp_path / "blob"
    blob.write_text("one")
    (model / "linked").symlink_to(blob)
    before = fingerprint(model)
    blob.write_text("three")
    assert fingerprint(model) != before
    assert fingerprint(model / "linked") != fingerprint(model / "config.json")


def test_a_missing_model_is_an_error_that_says_what_to_do(model: Path):
    with pytest.raises(StorageError, match="gone") as caught:
        fingerprint(model / "gone")
    assert "paddock rm" in caught.value.hint
