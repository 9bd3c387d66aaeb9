"""What we put into the Hugging Face cache must look to its own library as if it had put it there itself."""

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import WeakFileLock

from paddock.errors import Corrupt, InUse, NotFound, StorageError
from paddock.hub.hub_cache import HubCachePlacement, preview_removal, remove_revision, repo_folder
from paddock.store.disk import Disk
from tests.store.mortal_disk import Killed, MortalDisk

FIRST, SECOND = "1" * 40, "2" * 40
SHARED, OLD, NEW = b"shared weights" * 100, b"old config", b"new config!"


def etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def place(
    cache: Path, commit: str, contents: dict[str, bytes], *, ref: str | None = "main", disk: Disk | None = None
) -> HubCachePlacement:
    keys = {path: etag(data) for path, data in contents.items()}
    return HubCachePlacement(cache, repo_id="org/name", commit=commit, files=keys, ref=ref, disk=disk)


def pull(
    cache: Path, commit: str, contents: dict[str, bytes], *, ref: str | None = "main", disk: Disk | None = None
) -> Path:
    """What a pull does with a placement, the network left out."""
    placement = place(cache, commit, contents, ref=ref, disk=disk)
    with placement.lock():
        for path, data in contents.items():
            key = etag(data)
            if not placement.holds(path, key, len(data)):
                placement.partial(key).write_bytes(data)
            placement.keep(path, key)
        return placement.finish()


def scanned(cache: Path):
    info = scan_cache_dir(cache)
    assert info.warnings == []
    assert info.incomplete_files == frozenset()
    return info


def test_the_library_finds_a_pulled_model_offline_and_its_scan_has_no_complaint(tmp_path: Path) -> None:
    contents = {"config.json": OLD, "model.safetensors": SHARED, "sub/deep/tokenizer.json": b"{}"}
    folder = pull(tmp_path, FIRST, contents)
    found = snapshot_download("org/name", cache_dir=tmp_path, local_files_only=True)
    assert Path(found) == folder
    for path, data in contents.items():
        assert (folder / path).read_bytes() == data
        assert (folder / path).is_symlink()
        assert not (folder / path).readlink().is_absolute(), "a cache may be moved"
    (repo,) = scanned(tmp_path).repos
    (revision,) = repo.revisions
    assert (repo.repo_id, revision.commit_hash, revision.refs) == ("org/name", FIRST, {"main"})
    assert (tmp_path / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_our_folder_names_are_the_librarys(tmp_path: Path) -> None:
    for repo_id in ("org/name", "name", "Org.x/Na-me_1.0"):
        assert repo_folder(tmp_path, repo_id).name == repo_folder_name(repo_id=repo_id, repo_type="model")


def test_a_pull_that_is_under_way_is_invisible_to_the_library(tmp_path: Path) -> None:
    """Neither a warning, nor an incomplete file that a clean-up would delete under us, nor half a snapshot."""
    placement = place(tmp_path, FIRST, {"a.json": OLD, "model.safetensors": SHARED})
    with placement.lock():
        placement.partial(etag(OLD)).write_bytes(OLD)
        placement.keep("a.json", etag(OLD))
        placement.partial(etag(SHARED)).write_bytes(SHARED[:10])
        (repo,) = scanned(tmp_path).repos
        assert repo.revisions == frozenset()
        with pytest.raises(LocalEntryNotFoundError):
            snapshot_download("org/name", cache_dir=tmp_path, local_files_only=True)


def test_a_new_revision_shares_what_did_not_change(tmp_path: Path) -> None:
    pull(tmp_path, FIRST, {"config.json": OLD, "model.safetensors": SHARED})
    placement = place(tmp_path, SECOND, {"config.json": NEW, "model.safetensors": SHARED})
    assert placement.holds("model.safetensors", etag(SHARED), len(SHARED))
    assert not placement.holds("config.json", etag(NEW), len(NEW))
    pull(tmp_path, SECOND, {"config.json": NEW, "model.safetensors": SHARED})
    assert len(list((tmp_path / "models--org--name" / "blobs").iterdir())) == 3
    assert Path(snapshot_download("org/name", cache_dir=tmp_path, local_files_only=True)).name == SECOND


def test_a_second_selection_of_the_same_commit_joins_the_first(tmp_path: Path) -> None:
    """`:Q4_K_M` today and `:Q8_0` tomorrow are one snapshot."""
    pull(tmp_path, FIRST, {"q4.gguf": OLD})
    folder = pull(tmp_path, FIRST, {"q8.gguf": NEW, "sub/README.md": b"hello"})
    assert (folder / "q4.gguf").read_bytes() == OLD
    assert (folder / "q8.gguf").read_bytes() == NEW
    assert (folder / "sub/README.md").read_bytes() == b"hello"
    scanned(tmp_path)


def test_a_commit_asked_for_by_its_id_gets_no_branch(tmp_path: Path) -> None:
    pull(tmp_path, FIRST, {"a.json": OLD}, ref=FIRST)
    assert not (tmp_path / "models--org--name" / "refs").exists()
    assert snapshot_download("org/name", revision=FIRST, cache_dir=tmp_path, local_files_only=True)


def test_a_branch_with_a_slash_in_its_name_is_found(tmp_path: Path) -> None:
    pull(tmp_path, FIRST, {"a.json": OLD}, ref="refs/pr/7")
    assert try_to_load_from_cache("org/name", "a.json", cache_dir=tmp_path, revision="refs/pr/7")
    scanned(tmp_path)


def test_what_the_library_itself_left_half_done_stays_where_it_is(tmp_path: Path) -> None:
    theirs = tmp_path / "models--org--name" / "blobs" / f"{etag(OLD)}.0123abcd.incomplete"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(OLD[:3])
    pull(tmp_path, FIRST, {"a.json": OLD})
    assert theirs.read_bytes() == OLD[:3]


def test_a_cancelled_pull_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    placement = place(tmp_path, FIRST, {"a.json": OLD})
    with placement.lock():
        placement.partial(etag(OLD)).write_bytes(OLD[:3])
        placement.partial(etag(OLD)).with_name(placement.partial(etag(OLD)).name + ".version").write_text("x")
        placement.discard()
    assert not (tmp_path / "models--org--name").exists()
    pull(tmp_path, SECOND, {"b.json": NEW})
    other = place(tmp_path, FIRST, {"a.json": OLD})
    with other.lock():
        other.discard()
    assert snapshot_download("org/name", cache_dir=tmp_path, local_files_only=True)


def test_two_pulls_of_one_model_do_not_write_into_each_other(tmp_path: Path) -> None:
    placement = place(tmp_path, FIRST, {"a.json": OLD})
    with placement.lock(), pytest.raises(InUse, match="org/name"), place(tmp_path, FIRST, {"a.json": OLD}).lock():
        pass
    other = place(tmp_path, FIRST, {"a.json": OLD, "b.json": NEW})
    with placement.lock(), other.lock():
        assert placement.partial(etag(OLD)) != other.partial(etag(OLD))


def test_the_librarys_lock_on_a_blob_is_honoured(tmp_path: Path) -> None:
    """A `hf download` in another terminal holds it while it writes the blob; we come when it is done."""
    pull(tmp_path, FIRST, {"a.json": OLD})
    lock = tmp_path / ".locks" / "models--org--name" / f"{etag(OLD)}.lock"
    assert lock.exists()
    with WeakFileLock(lock, timeout=1):
        pass


def test_removing_a_revision_leaves_what_another_one_shares(tmp_path: Path) -> None:
    pull(tmp_path, FIRST, {"config.json": OLD, "model.safetensors": SHARED})
    folder = pull(tmp_path, SECOND, {"config.json": NEW, "model.safetensors": SHARED})
    assert preview_removal(tmp_path, "org/name", FIRST).freed_bytes == len(OLD)
    assert remove_revision(tmp_path, "org/name", FIRST) == len(OLD)
    assert (folder / "model.safetensors").read_bytes() == SHARED
    (repo,) = scanned(tmp_path).repos
    assert {revision.commit_hash for revision in repo.revisions} == {SECOND}
    assert remove_revision(tmp_path, "org/name", SECOND) == len(NEW) + len(SHARED)
    assert scanned(tmp_path).repos == frozenset()


def test_a_copied_repository_with_the_same_commit_is_not_touched(tmp_path: Path) -> None:
    """The library deletes by commit, and a copy on the hub keeps its commits."""
    pull(tmp_path, FIRST, {"a.json": OLD})
    copy = HubCachePlacement(tmp_path, repo_id="other/name", commit=FIRST, files={"a.json": etag(OLD)}, ref="main")
    with copy.lock():
        copy.partial(etag(OLD)).write_bytes(OLD)
        copy.keep("a.json", etag(OLD))
        copy.finish()
    remove_revision(tmp_path, "org/name", FIRST)
    assert snapshot_download("other/name", cache_dir=tmp_path, local_files_only=True)


def test_a_model_that_is_being_pulled_cannot_be_removed(tmp_path: Path) -> None:
    pull(tmp_path, FIRST, {"a.json": OLD})
    with place(tmp_path, SECOND, {"a.json": NEW}).lock(), pytest.raises(InUse):
        remove_revision(tmp_path, "org/name", FIRST)


def test_removing_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        remove_revision(tmp_path / "nowhere", "org/name", FIRST)
    pull(tmp_path, FIRST, {"a.json": OLD})
    with pytest.raises(NotFound):
        remove_revision(tmp_path, "org/name", SECOND)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "a\\b", "C:x", "a\0b", "a//b", ".paddock.json"])
def test_a_path_that_climbs_out_never_gets_a_place(tmp_path: Path, path: str) -> None:
    with pytest.raises(Corrupt):
        HubCachePlacement(tmp_path, repo_id="org/name", commit=FIRST, files={path: etag(OLD)})


@pytest.mark.parametrize(
    ("repo", "commit", "key"), [("../x", FIRST, "a" * 64), ("org/n", "../", "a" * 64), ("org/n", FIRST, "../x")]
)
def test_no_other_name_from_the_hub_climbs_out_either(tmp_path: Path, repo: str, commit: str, key: str) -> None:
    with pytest.raises(StorageError):
        HubCachePlacement(tmp_path, repo_id=repo, commit=commit, files={"a": key})


def test_killed_at_any_step_the_cache_is_whole_and_the_next_pull_completes(tmp_path: Path) -> None:
    """At every step: the library's scan is clean, the old revision is whole, the branch names a whole revision."""
    before = {"config.json": OLD, "model.safetensors": SHARED}
    after = {"config.json": NEW, "model.safetensors": SHARED, "sub/x.json": b"{}"}
    steps = 0
    while True:
        cache = tmp_path / str(steps)
        pull(cache, FIRST, before)
        try:
            pull(cache, SECOND, after, disk=MortalDisk(steps))
        except Killed:
            pass
        else:
            break
        scanned(cache)
        folder = Path(snapshot_download("org/name", cache_dir=cache, local_files_only=True))
        expected = after if folder.name == SECOND else before
        assert {path: (folder / path).read_bytes() for path in expected} == expected
        folder = pull(cache, SECOND, after)
        assert {path: (folder / path).read_bytes() for path in after} == after
        assert [path for path in cache.rglob("*paddock*") if ".locks" not in path.parts] == []
        steps += 1
    assert steps > 15
