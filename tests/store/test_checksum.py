"""Hashes are what stands between a model and a flipped bit."""

import subprocess
from pathlib import Path

import pytest

from paddock.errors import Corrupt, Interrupted
from paddock.store.checksum import git_blob_id_of, sha256_of, verify_file

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_git_id_is_gits_own(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b'{"model_type": "qwen3"}\n')
    told = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True).stdout.strip()
    assert git_blob_id_of(path) == told


def test_an_empty_file_has_a_hash(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert sha256_of(path) == EMPTY_SHA256
    verify_file(path, size=0, sha256=EMPTY_SHA256.upper())


def test_what_is_wrong_is_named_with_both_values(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"x" * 3_000_000)
    right = sha256_of(path)
    verify_file(path, size=3_000_000, sha256=right, git_oid="ignored where there is a SHA-256")
    verify_file(path)
    with path.open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"y")
    with pytest.raises(Corrupt) as caught:
        verify_file(path, sha256=right)
    assert right in caught.value.message
    assert sha256_of(path) in caught.value.message
    with pytest.raises(Corrupt, match="3,000,000 bytes, 5 are right"):
        verify_file(path, size=5)
    with pytest.raises(Corrupt, match="hashes to"):
        verify_file(path, git_oid="0" * 40)
    with pytest.raises(Corrupt, match="missing"):
        verify_file(tmp_path / "gone", sha256=right)


def test_a_long_check_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(bytes(3_000_000))

    def stop() -> None:
        raise Interrupted("stopped", hint="go on")

    with pytest.raises(Interrupted):
        verify_file(path, sha256="0" * 64, check=stop)
