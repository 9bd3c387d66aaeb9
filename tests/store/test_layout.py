"""Paddock's own store: what models share is kept once, and every state that a crash can leave is a whole one."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from paddock.errors import Corrupt, InUse, NotEnoughDisk, NotFound, StorageError
from paddock.store.checksum import verify_file
from paddock.store.disk import Disk
from paddock.store.layout import ModelStore, ProblemKind
from paddock.store.store_paths import MANIFEST
from tests.store.mortal_disk import Killed, MortalDisk

WEIGHTS, OLD, NEW = b"weights" * 1000, b"old", b"newer"


def key(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def pull(root: Path, name: str, revision: str, contents: dict[str, bytes], *, disk: Disk | None = None) -> Path:
    """What a pull does with a placement, the network left out."""
    placement = ModelStore(root, disk=disk).placement(
        name, revision, {path: key(data) for path, data in contents.items()}
    )
    with placement.lock():
        for path, data in contents.items():
            if not placement.holds(path, key(data), len(data)):
                placement.partial(key(data)).write_bytes(data)
            placement.keep(path, key(data))
        return placement.finish()


def blobs(root: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (root / "blobs").iterdir())


def test_a_pulled_model_is_a_plain_folder_with_its_files(tmp_path: Path) -> None:
    folder = pull(tmp_path, "llama3.2:1b", "abc", {"model.gguf": WEIGHTS, "sub/params.json": OLD})
    store = ModelStore(tmp_path)
    assert folder == store.folder("llama3.2:1b", "abc")
    assert (folder / "model.gguf").read_bytes() == WEIGHTS
    assert (folder / "sub/params.json").read_bytes() == OLD
    (manifest,) = store.manifests()
    assert (manifest.name, manifest.revision) == ("llama3.2:1b", "abc")
    assert [file.path for file in manifest.files] == ["model.gguf", "sub/params.json"]
    assert store.problems() == []
    assert not (tmp_path / "parts" / "llama3.2-1b").exists()
    assert store.stray_parts() == []


def test_models_share_content_and_removing_one_leaves_the_other_whole(tmp_path: Path) -> None:
    pull(tmp_path, "one", "1", {"model.gguf": WEIGHTS, "a.json": OLD})
    other = pull(tmp_path, "two", "1", {"weights.gguf": WEIGHTS, "a.json": NEW})
    store = ModelStore(tmp_path)
    assert store.usage().models_bytes < 2 * len(WEIGHTS), "counted once"
    assert store.removable_bytes("one", "1") == len(OLD) + (store.folder("one", "1") / MANIFEST).stat().st_size
    freed = store.remove("one", "1")
    assert freed < len(WEIGHTS)
    assert (other / "weights.gguf").read_bytes() == WEIGHTS
    assert blobs(tmp_path) == sorted([WEIGHTS, NEW])
    assert store.problems() == []
    assert store.remove("two", "1") > len(WEIGHTS)
    assert blobs(tmp_path) == []
    assert store.usage().models_bytes == 0


def test_the_same_content_twice_in_one_model_is_freed_with_it(tmp_path: Path) -> None:
    pull(tmp_path, "one", "1", {"a": WEIGHTS, "b": WEIGHTS})
    store = ModelStore(tmp_path)
    assert store.remove("one", "1") >= len(WEIGHTS)
    assert blobs(tmp_path) == []


def test_content_that_is_here_is_known_before_it_is_fetched(tmp_path: Path) -> None:
    pull(tmp_path, "one", "1", {"a": WEIGHTS})
    placement = ModelStore(tmp_path).placement("two", "9", {"b": key(WEIGHTS)})
    assert placement.holds("b", key(WEIGHTS), len(WEIGHTS))
    assert not placement.holds("b", key(WEIGHTS), len(WEIGHTS) + 1)


def test_a_key_that_is_no_digest_is_not_shared(tmp_path: Path) -> None:
    """An ETag of one server may be another file's on the next."""
    store = ModelStore(tmp_path)
    first = store.placement("one", "1", {"a": '"etag"'})
    with first.lock():
        first.partial('"etag"').write_bytes(OLD)
        first.keep("a", '"etag"')
        first.finish()
    assert not store.placement("two", "1", {"a": '"etag"'}).holds("a", '"etag"', None)
    assert not store.placement("one", "2", {"a": '"etag"'}).holds("a", '"etag"', None)


def test_a_second_pull_of_a_revision_adds_to_it(tmp_path: Path) -> None:
    pull(tmp_path, "one", "1", {"a": OLD})
    folder = pull(tmp_path, "one", "1", {"b": NEW, "a": OLD})
    (manifest,) = ModelStore(tmp_path).manifests()
    assert [file.path for file in manifest.files] == ["a", "b"]
    assert (folder / "b").read_bytes() == NEW
    assert ModelStore(tmp_path).problems() == []


def test_a_cancelled_pull_leaves_nothing_but_what_others_have(tmp_path: Path) -> None:
    pull(tmp_path, "one", "1", {"a": WEIGHTS})
    placement = ModelStore(tmp_path).placement("two", "1", {"b": key(WEIGHTS), "c": key(OLD), "d": key(NEW)})
    with placement.lock():
        placement.keep("b", key(WEIGHTS))
        placement.partial(key(OLD)).write_bytes(OLD)
        placement.keep("c", key(OLD))
        placement.partial(key(NEW)).write_bytes(NEW[:2])
        placement.discard()
    assert blobs(tmp_path) == [WEIGHTS]
    assert ModelStore(tmp_path).stray_parts() == []
    assert list((tmp_path / "parts").iterdir()) == []


def test_an_unfinished_pull_is_listed_as_a_stray_part(tmp_path: Path) -> None:
    placement = ModelStore(tmp_path).placement("one", "1", {"a": key(OLD)})
    with placement.lock():
        placement.partial(key(OLD)).write_bytes(OLD[:2])
    (part,) = ModelStore(tmp_path).stray_parts()
    assert part.size == 2
    assert ModelStore(tmp_path).usage().parts_bytes == 2


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a/b", "a-b"),
        ("Model", "model"),
        ("x:y", "x/y"),
        ("..", "."),
        ("é", "e\u0301"),
        ("a" * 300, "a" * 301),
        ("", " "),
    ],
)
def test_two_names_never_share_a_folder_and_none_leaves_the_store(tmp_path: Path, one: str, two: str) -> None:
    store = ModelStore(tmp_path)
    first, second = store.folder(one, "1"), store.folder(two, "1")
    assert str(first).lower() != str(second).lower(), "on a disk that does not tell case apart, either"
    for folder in (first, second):
        assert folder.resolve().is_relative_to(tmp_path.resolve())
        assert all(len(part.encode()) < 255 for part in folder.parts)


@pytest.mark.parametrize("path", ["../x", "/x", "a\\b", "a/../../x", "", "a\0", "CON", MANIFEST])
def test_a_path_that_climbs_out_gets_no_place(tmp_path: Path, path: str) -> None:
    with pytest.raises(Corrupt):
        ModelStore(tmp_path).placement("one", "1", {path: key(OLD)})


def test_a_model_that_is_being_pulled_is_neither_pulled_twice_nor_removed(tmp_path: Path) -> None:
    pull(tmp_path, "one", "1", {"a": OLD})
    store = ModelStore(tmp_path)
    placement = store.placement("one", "1", {"b": key(NEW)})
    with placement.lock():
        with pytest.raises(InUse, match=f"process {os.getpid()}|this process"), placement.lock():
            pass
        with pytest.raises(InUse):
            store.remove("one", "1")


def test_what_is_wrong_with_the_store_is_found_without_reading_it(tmp_path: Path) -> None:
    folder = pull(tmp_path, "one", "1", {"a": OLD, "b": NEW})
    store = ModelStore(tmp_path)
    (folder / "a").unlink()
    (folder / "b").unlink()
    (folder / "b").write_bytes(b"x")
    (tmp_path / "trash").mkdir()
    (tmp_path / "trash" / "left").mkdir()
    kinds = sorted(problem.kind for problem in store.problems())
    assert kinds == sorted(
        [
            ProblemKind.MISSING,
            ProblemKind.WRONG_SIZE,
            ProblemKind.UNUSED,
            ProblemKind.UNUSED,
            ProblemKind.UNFINISHED,
        ]
    )
    assert store.sweep() == len(OLD) + len(NEW)
    assert {problem.kind for problem in store.problems()} == {ProblemKind.MISSING, ProblemKind.WRONG_SIZE}
    (folder / MANIFEST).write_text("{")
    assert [problem.kind for problem in store.problems()] == [ProblemKind.UNREADABLE]


def test_a_sweep_spares_what_a_running_pull_has_kept(tmp_path: Path) -> None:
    placement = ModelStore(tmp_path).placement("one", "1", {"a": key(OLD)})
    with placement.lock():
        placement.partial(key(OLD)).write_bytes(OLD)
        placement.keep("a", key(OLD))
        assert ModelStore(tmp_path).sweep() == 0
        assert (placement.finish() / "a").read_bytes() == OLD


def test_removing_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        ModelStore(tmp_path).remove("one", "1")


def test_an_empty_store_has_nothing_to_say(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "nowhere")
    assert (store.manifests(), store.problems(), store.stray_parts(), store.sweep()) == ([], [], [], 0)


class NoLinks(Disk):
    """A file system without hard links, such as exFAT."""

    def link(self, source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no links here")


def test_without_hard_links_models_are_whole_and_share_nothing(tmp_path: Path) -> None:
    folder = pull(tmp_path, "one", "1", {"a": OLD, "b": NEW}, disk=NoLinks())
    assert (folder / "a").read_bytes() == OLD
    again = pull(tmp_path, "one", "1", {"a": OLD, "b": NEW}, disk=NoLinks())
    assert (again / "b").read_bytes() == NEW
    store = ModelStore(tmp_path, disk=NoLinks())
    assert store.problems() == []
    assert store.remove("one", "1") >= len(OLD) + len(NEW)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, NotEnoughDisk), (errno.EACCES, StorageError), (errno.EROFS, StorageError)]
)
def test_a_disk_that_refuses_is_told_with_its_remedy(tmp_path: Path, number: int, kind: type[StorageError]) -> None:
    for steps in range(3):
        with pytest.raises(kind) as caught:
            pull(tmp_path, "one", "1", {"a": OLD}, disk=MortalDisk(steps, lambda: OSError(number, os.strerror(number))))
        assert caught.value.hint


def assert_whole(store: ModelStore, expected: dict[str, dict[str, bytes]]) -> None:
    """Every model that shows is complete and right."""
    for manifest in store.manifests():
        folder = store.folder(manifest.name, manifest.revision)
        assert {file.path for file in manifest.files} <= {
            path for (_, contents) in expected.items() for path in contents
        }
        for file in manifest.files:
            verify_file(folder / file.path, size=file.size, sha256=file.key.removeprefix("sha256:"))
    assert {problem.kind for problem in store.problems()} <= {ProblemKind.UNUSED, ProblemKind.UNFINISHED}


def test_killed_at_any_step_of_a_pull_the_store_is_whole_and_the_next_one_completes(tmp_path: Path) -> None:
    first, second = {"a": WEIGHTS, "b": OLD}, {"a": WEIGHTS, "sub/c": NEW}
    steps = 0
    while True:
        root = tmp_path / str(steps)
        pull(root, "one", "1", first)
        try:
            pull(root, "two", "1", second, disk=MortalDisk(steps))
        except Killed:
            pass
        else:
            break
        store = ModelStore(root)
        assert_whole(store, {"one": first, "two": second})
        folder = pull(root, "two", "1", second)
        assert {path: (folder / path).read_bytes() for path in second} == second
        assert store.stray_parts() == []
        store.sweep()
        assert store.problems() == []
        assert len(blobs(root)) == 3
        steps += 1
    assert steps > 15


def test_killed_at_any_step_of_a_removal_the_other_model_is_whole_and_a_sweep_ends_it(tmp_path: Path) -> None:
    first, second = {"a": WEIGHTS, "b": OLD}, {"a": WEIGHTS, "sub/c": NEW}
    steps = 0
    while True:
        root = tmp_path / str(steps)
        pull(root, "one", "1", first)
        folder = pull(root, "two", "1", second)
        try:
            ModelStore(root, disk=MortalDisk(steps)).remove("one", "1")
        except Killed:
            pass
        else:
            break
        store = ModelStore(root)
        assert_whole(store, {"one": first, "two": second})
        store.sweep()
        assert store.problems() == []
        assert {path: (folder / path).read_bytes() for path in second} == second
        if not store.folder("one", "1").exists():
            assert blobs(root) == sorted([WEIGHTS, NEW])
        steps += 1
    assert steps >= 5


def test_killed_at_any_step_of_a_merge_the_old_files_stay_whole(tmp_path: Path) -> None:
    steps = 0
    while True:
        root = tmp_path / str(steps)
        pull(root, "one", "1", {"a": OLD})
        try:
            pull(root, "one", "1", {"a": OLD, "b": NEW}, disk=MortalDisk(steps))
        except Killed:
            pass
        else:
            break
        store = ModelStore(root)
        assert_whole(store, {"one": {"a": OLD, "b": NEW}})
        folder = pull(root, "one", "1", {"a": OLD, "b": NEW})
        assert (folder / "b").read_bytes() == NEW
        store.sweep()
        assert store.problems() == []
        steps += 1
    assert steps > 10
