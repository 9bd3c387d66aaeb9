"""The Hugging Face cache is read as huggingface_hub itself reads it, and never further than its own folder."""

import json
import os
import time
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir

from paddock.library.adopt import FileRole, Findings, Places, find_models
from paddock.vocabulary import SourceKind
from tests.library.caches import COMMIT, MLX_FILES, OTHER_COMMIT, huggingface_repository, shared_store


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    folder = tmp_path / "huggingface" / "hub"
    folder.mkdir(parents=True)
    return folder


def search(hub: Path) -> Findings:
    return find_models(Places(huggingface=(hub,)))


def names(hub: Path) -> list[str]:
    return [model.name for model in search(hub)]


def reasons(hub: Path) -> list[str]:
    return [note.reason for note in search(hub).notes]


def test_a_snapshot_is_offered_under_its_repository_name_with_hashes_that_the_cache_tells(hub: Path):
    """Hashes come free with the blob names, so a lock file needs no second read of the weights."""
    snapshot = huggingface_repository(hub, "mlx-community/Qwen3-0.6B-4bit", MLX_FILES)
    (model,) = search(hub)
    assert model.name == "mlx-community/Qwen3-0.6B-4bit"
    assert model.reference == f"mlx-community/Qwen3-0.6B-4bit@{COMMIT}"
    assert (model.path, model.root, model.revision) == (snapshot, snapshot, COMMIT)
    assert model.source is SourceKind.HUGGINGFACE
    assert model.size == sum(map(len, MLX_FILES.values()))
    files = {file.path: file for file in model.files}
    assert files["model.safetensors"].sha256 is not None
    assert files["config.json"].git_oid is not None
    assert Path(files["config.json"].location).read_bytes() == MLX_FILES["config.json"]


def test_models_sizes_and_revisions_are_those_that_huggingface_hub_finds(hub: Path):
    """The library that owns the layout is the oracle."""
    huggingface_repository(hub, "org/one", MLX_FILES | {"sub/deep/extra.json": b"1234"})
    huggingface_repository(hub, "org/one", MLX_FILES | {"README.md": b"newer"}, commit=OTHER_COMMIT, ref=None)
    huggingface_repository(hub, "org/shared", MLX_FILES | {"model.safetensors": b"x" * 4096}, shared=True)
    huggingface_repository(hub, "bert-base-uncased", MLX_FILES)
    oracle = {
        (repo.repo_id, revision.commit_hash, revision.size_on_disk, revision.snapshot_path)
        for repo in scan_cache_dir(hub).repos
        for revision in repo.revisions
    }
    ours = {(model.name.partition("@")[0], model.revision, model.size, model.path) for model in search(hub)}
    # A repository without an owner has no spelling among our references; it is a note.
    assert ours == {line for line in oracle if line[0] != "bert-base-uncased"}
    assert any("bert-base-uncased" in reason for reason in reasons(hub))


def test_a_snapshot_without_refs_is_offered(hub: Path):
    """A pull that has just published its snapshot, or a pull of a bare commit, leaves no ref."""
    huggingface_repository(hub, "org/name", MLX_FILES, ref=None)
    assert names(hub) == ["org/name"]


def test_the_main_revision_has_the_plain_name_and_the_others_say_theirs(hub: Path):
    huggingface_repository(hub, "org/name", MLX_FILES, commit=COMMIT)
    huggingface_repository(hub, "org/name", MLX_FILES, commit=OTHER_COMMIT, ref="4bit")
    huggingface_repository(hub, "org/name", MLX_FILES, commit="c" * 40, ref=None)
    assert names(hub) == ["org/name", "org/name@4bit", f"org/name@{'c' * 40}"]


def test_when_main_is_broken_the_last_complete_snapshot_stands_in(hub: Path):
    """An update that broke off must not hide the model that still works."""
    huggingface_repository(hub, "org/name", MLX_FILES, commit=OTHER_COMMIT, ref=None)
    newer = huggingface_repository(hub, "org/name", MLX_FILES | {"model.safetensors": b"newer"}, commit=COMMIT)
    (newer / "model.safetensors").resolve().unlink()
    assert [(model.name, model.revision) for model in search(hub)] == [("org/name", OTHER_COMMIT)]
    assert reasons(hub) == ["model.safetensors points at nothing in the cache"]


def test_incomplete_snapshots_are_not_offered(hub: Path):
    """Half a model fails on loading, long after the mistake."""
    huggingface_repository(hub, "org/shards", {"config.json": b"{}", "model-00001-of-00002.safetensors": b"first half"})
    huggingface_repository(hub, "org/tokenizer", {"config.json": b"{}", "tokenizer.json": b"{}"})
    huggingface_repository(hub, "org/split", {"big-Q4_K_M-00001-of-00002.gguf": b"first"})
    assert names(hub) == []
    assert reasons(hub) == [
        "model-00001-of-00002.safetensors".replace("00001", "00002") + " is missing",
        "big-Q4_K_M-00001-of-00002.gguf is not complete",
    ]


def test_a_file_that_is_still_arriving_holds_its_snapshot_back(hub: Path):
    """The weights may be there before the tokenizer is."""
    snapshot = huggingface_repository(hub, "org/name", {"config.json": b"{}", "model.safetensors": b"w"})
    repository = snapshot.parent.parent
    key = "d" * 40
    (repository / "blobs" / f"{key}.1a2b3c4d.incomplete").write_bytes(b"{")
    (repository / "trees").mkdir()
    tree = {"format_version": 1, "files": {"tokenizer.json": {"size": 2, "blob_id": key}}}
    (repository / "trees" / f"{COMMIT}.json").write_text(json.dumps(tree))
    assert names(hub) == []
    assert reasons(hub) == ["its download has not finished"]
    (repository / "trees" / f"{COMMIT}.json").write_text("[" * 100_000)
    assert names(hub) == ["org/name"], "a part that nobody can place does not hide a whole model"


def test_each_gguf_file_of_a_repository_is_a_model_with_its_projector(hub: Path):
    """A GGUF repository is a shelf of the same model in several sizes."""
    snapshot = huggingface_repository(
        hub,
        "bartowski/Qwen-VL-GGUF",
        {
            "Qwen-VL-Q4_K_M.gguf": b"four",
            "Qwen-VL-Q8_0-00001-of-00002.gguf": b"eight",
            "Qwen-VL-Q8_0-00002-of-00002.gguf": b"more",
            "Qwen-VL-odd.gguf": b"odd",
            "mmproj-Qwen-VL-f16.gguf": b"eyes",
            "mmproj-Qwen-VL-bf16.gguf": b"eyes in bf16",
            "Qwen-VL-imatrix.gguf": b"calibration",
        },
    )
    models = {model.name: model for model in search(hub)}
    assert sorted(models) == [
        "bartowski/Qwen-VL-GGUF:Q4_K_M",
        "bartowski/Qwen-VL-GGUF:Q8_0",
        "bartowski/Qwen-VL-GGUF:Qwen-VL-odd.gguf",
    ]
    split = models["bartowski/Qwen-VL-GGUF:Q8_0"]
    assert split.path == snapshot / "Qwen-VL-Q8_0-00001-of-00002.gguf"
    assert split.size == len(b"eight") + len(b"more") + len(b"eyes")
    assert [file.path for file in split.files if file.role is FileRole.PROJECTOR] == ["mmproj-Qwen-VL-f16.gguf"]


def test_a_single_gguf_file_needs_no_selector(hub: Path):
    huggingface_repository(hub, "org/tiny-GGUF", {"tiny-Q8_0.gguf": b"w", "README.md": b"about"})
    assert names(hub) == ["org/tiny-GGUF"]


def test_blobs_in_the_shared_store_are_followed_and_counted_once(hub: Path):
    """Two repositories with the same weights: the identity says that the bytes are there once."""
    huggingface_repository(hub, "org/first", MLX_FILES, shared=True)
    huggingface_repository(hub, "org/second", MLX_FILES, shared=True)
    first, second = search(hub)
    weights = [file for model in (first, second) for file in model.files if file.path == "model.safetensors"]
    assert weights[0].identity == weights[1].identity
    assert Path(weights[0].location).is_relative_to(shared_store(hub))


def test_links_that_leave_the_cache_are_not_followed(hub: Path, tmp_path: Path):
    """A cache on a shared disk must not make us read, hash or list what lies elsewhere."""
    secret = tmp_path / "secret.safetensors"
    secret.write_bytes(b"not yours")
    snapshot = huggingface_repository(hub, "evil/direct", {"config.json": b"{}"})
    (snapshot / "model.safetensors").symlink_to(secret)
    snapshot = huggingface_repository(hub, "evil/hop", MLX_FILES)
    blob = snapshot.parent.parent / "blobs" / (snapshot / "model.safetensors").readlink().name
    blob.unlink()
    blob.symlink_to(secret)
    outside = huggingface_repository(tmp_path / "elsewhere", "evil/folder", MLX_FILES)
    (hub / "models--evil--folder").symlink_to(outside.parent.parent)
    snapshot = huggingface_repository(hub, "evil/blobs", MLX_FILES)
    (snapshot.parent.parent / "blobs").rename(tmp_path / "blobs")
    (snapshot.parent.parent / "blobs").symlink_to(tmp_path / "blobs")
    found = search(hub)
    assert found.models == ()
    assert len(found.notes) == 4


def test_hostile_and_unreadable_entries_become_notes(hub: Path):
    """One bad folder must not take the list of all the others down."""
    huggingface_repository(hub, "org/good", MLX_FILES)
    (hub / "models--").mkdir()
    (hub / "models--plain-file").write_text("no folder")
    (hub / "models--..--..--etc").mkdir()
    (hub / "datasets--org--data").mkdir()
    for bad in ("models--a--b c", "models--a--b\nc", "models--a--b--c", "models--a--..", "models--%2e--x"):
        folder = hub / bad / "snapshots" / COMMIT
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"w")
    deep = hub / "models--deep--nest" / "snapshots" / COMMIT / "/".join("d" * 20)
    deep.mkdir(parents=True)
    loop = hub / "models--org--loop" / "snapshots" / COMMIT
    loop.mkdir(parents=True)
    (loop / "model.safetensors").symlink_to("model.safetensors")
    os.mkfifo(loop / "config.json")
    (hub / "models--org--good" / "refs" / "main").write_bytes(b"\xff" * 1_000_000)
    found = search(hub)
    assert [model.name for model in found] == ["org/good"]
    assert {note.path.relative_to(hub).parts[0] for note in found.notes} >= {"models--plain-file", "models--org--loop"}


def test_files_without_links_are_models_too(hub: Path):
    """Copied caches, and file systems without links, hold plain files in their snapshots."""
    folder = hub / "models--org--copied" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for name, content in MLX_FILES.items():
        (folder / name).write_bytes(content)
    assert names(hub) == ["org/copied"]


def test_five_hundred_models_are_found_in_a_quarter_of_a_second_of_work(hub: Path):
    """`paddock list` starts with this scan. Processor time, so that a busy machine does not decide."""
    files = MLX_FILES | {f"part-{number}.json": b"{}" for number in range(5)}
    for number in range(500):
        huggingface_repository(hub, f"org/model-{number}", files)
    seconds: list[float] = []
    for _ in range(3):
        started = time.process_time()
        found = search(hub)
        seconds.append(time.process_time() - started)
    assert len(found.models) == 500
    assert min(seconds) < 0.25
