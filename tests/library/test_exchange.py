"""Models travel in a folder and arrive to the byte, or not at all."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from paddock.errors import Corrupt, InvalidFile, NotFound, StorageError, UsageError
from paddock.library.carry.exchange import (
    ExportedModel,
    ImportedModel,
    export_models,
    import_model,
    plan_export,
    read_carried,
)
from paddock.library.carry.inventory import FileEntry
from paddock.library.carry.lockfile import Lock, LockedModel, read_lock, write_lock
from paddock.vocabulary import ModelFormat, SourceKind

WEIGHTS = b"weights" * 1000


class FolderPlacement:
    """A placement in its simplest form: a folder of contents by key, and one of finished models."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.partials = 0

    def final(self, path: str) -> Path:
        return self.root / "model" / path

    def holds(self, path: str, key: str, size: int | None) -> bool:
        return (self.root / "contents" / key).is_file()

    def partial(self, key: str) -> Path:
        self.partials += 1
        return self.root / "parts" / key

    def keep(self, path: str, key: str) -> None:
        content, final = self.root / "contents" / key, self.root / "arriving" / path
        content.parent.mkdir(parents=True, exist_ok=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        if not content.exists():
            (self.root / "parts" / key).replace(content)
        if not final.exists():
            final.hardlink_to(content)

    def finish(self) -> Path:
        (self.root / "arriving").rename(self.root / "model")
        return self.root / "model"

    def discard(self) -> None:
        raise AssertionError("an import leaves parts for the next try")

    @contextmanager
    def lock(self) -> Iterator[None]:
        yield


def stored(tmp_path: Path, name: str, files: Mapping[str, bytes], **hashes: str) -> ExportedModel:
    """A model as the library keeps it: files under names that say nothing, hashes from the hub."""
    sources: dict[str, Path] = {}
    entries: list[FileEntry] = []
    (tmp_path / "store").mkdir(exist_ok=True)
    for path, content in files.items():
        sha256 = hashes.get(path.replace(".", "_"), hashlib.sha256(content).hexdigest())
        sources[path] = tmp_path / "store" / hashlib.sha256(content).hexdigest()
        sources[path].write_bytes(content)
        entries.append(FileEntry(path=path, size=len(content), sha256=sha256))
    model = LockedModel(
        name=name,
        reference="org/name@main",
        revision="main",
        source=SourceKind.HUGGINGFACE,
        format=ModelFormat.MLX,
        files=tuple(sorted(entries)),
    )
    return ExportedModel(model=model, sources=sources)


@pytest.fixture
def exported(tmp_path: Path) -> ExportedModel:
    return stored(tmp_path, "org/name", {"config.json": b"{}", "sub/model.safetensors": WEIGHTS})


def test_what_is_exported_here_is_imported_there_to_the_byte(exported: ExportedModel, tmp_path: Path):
    """The way to a machine without a network."""
    stick, moved = tmp_path / "stick", 0

    def report(count: int) -> None:
        nonlocal moved
        moved += count

    plan = plan_export([exported], stick)
    assert not stick.exists(), "a plan writes nothing"
    lock = export_models(plan, report=report)
    assert moved == plan.total_bytes == 2 + len(WEIGHTS)
    assert next(stick.glob("org-name--*/sub/model.safetensors")).read_bytes() == WEIGHTS
    assert read_lock(stick / "models.lock") == lock == Lock((exported.model,))
    (imported,) = read_carried(stick)
    folder = import_model(imported, FolderPlacement(tmp_path / "there"))
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == {
        "config.json": b"{}",
        "sub/model.safetensors": WEIGHTS,
    }


def test_a_second_export_adds_to_the_first(exported: ExportedModel, tmp_path: Path):
    stick = tmp_path / "stick"
    export_models(plan_export([exported], stick))
    other = stored(tmp_path, "org--name", {"a.gguf": b"other"})
    twin = stored(tmp_path, "ORG/name", {"a.gguf": b"twin"})
    lock = export_models(plan_export([other, twin], stick))
    assert [model.name for model in lock.models] == ["ORG/name", "org--name", "org/name"]
    assert len(list(stick.iterdir())) == 4, "models whose names look alike on some disks have folders of their own"
    assert len(read_carried(stick)) == 3
    assert [one.model.name for one in read_carried(stick, names=["org/name"])] == ["org/name"]
    with pytest.raises(NotFound, match="`gone`") as caught:
        read_carried(stick, names=["gone"])
    assert "`org/name`" in caught.value.hint


def test_a_folder_with_other_things_in_it_is_left_alone(exported: ExportedModel, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds other files"):
        plan_export([exported], tmp_path)
    with pytest.raises(UsageError, match="holds other files"):
        plan_export([exported], tmp_path / "thesis.txt")


def test_a_broken_model_is_not_carried_on(exported: ExportedModel, tmp_path: Path):
    """Damage would otherwise arrive on every machine, with a checksum that blesses it."""
    stick = tmp_path / "stick"
    exported.sources["sub/model.safetensors"].write_bytes(WEIGHTS[:-1] + b"?")
    with pytest.raises(Corrupt, match=r"sub/model\.safetensors"):
        export_models(plan_export([exported], stick))
    assert not (stick / "models.lock").exists()
    assert list(stick.iterdir()) == []


def test_what_got_lost_or_damaged_on_the_way_is_found_before_anything_is_written(
    exported: ExportedModel, tmp_path: Path
):
    stick = tmp_path / "stick"
    export_models(plan_export([exported], stick))
    (weights,) = stick.glob("*/sub/model.safetensors")
    weights.write_bytes(b"x" * len(WEIGHTS))
    with pytest.raises(Corrupt, match=r"`sub/model\.safetensors` is damaged"):
        read_carried(stick)
    weights.unlink()
    with pytest.raises(Corrupt, match=r"`sub/model\.safetensors` is missing"):
        read_carried(stick)
    with pytest.raises(InvalidFile, match=r"holds no models\.lock"):
        read_carried(tmp_path)


def test_bytes_that_change_while_they_are_imported_are_not_kept(exported: ExportedModel, tmp_path: Path):
    """The folder was read and found good; a bad stick may still give other bytes the second time."""
    stick, placement = tmp_path / "stick", FolderPlacement(tmp_path / "there")
    export_models(plan_export([exported], stick))
    (imported,) = read_carried(stick)
    imported.sources["sub/model.safetensors"].write_bytes(WEIGHTS + b"more")
    with pytest.raises(Corrupt):
        import_model(imported, placement)
    assert not (tmp_path / "there" / "model").exists()
    assert not any(path.is_file() for path in (tmp_path / "there" / "parts").iterdir())
    imported.sources["sub/model.safetensors"].unlink()
    with pytest.raises(StorageError, match="cannot be copied"):
        import_model(imported, placement)


def test_content_that_is_here_already_is_not_copied_again(exported: ExportedModel, tmp_path: Path):
    stick, placement = tmp_path / "stick", FolderPlacement(tmp_path / "there")
    export_models(plan_export([exported], stick))
    (imported,) = read_carried(stick)
    (tmp_path / "there" / "contents").mkdir(parents=True)
    (tmp_path / "there" / "contents" / hashlib.sha256(WEIGHTS).hexdigest()).write_bytes(WEIGHTS)
    import_model(imported, placement)
    assert placement.partials == 1


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a\\evil", "", "."])
def test_names_that_leave_the_folder_are_refused_both_ways(path: str, exported: ExportedModel, tmp_path: Path):
    """A lock is text that anybody can write; a record in our database may come from one."""
    evil = replace(exported.model, files=(replace(exported.model.files[0], path=path),))
    with pytest.raises(InvalidFile, match="outside of its folder"):
        plan_export([ExportedModel(model=evil, sources={path: tmp_path})], tmp_path / "stick")
    with pytest.raises(InvalidFile, match="outside of its folder"):
        import_model(ImportedModel(model=evil, sources={path: tmp_path}), FolderPlacement(tmp_path / "there"))
    (tmp_path / "stick").mkdir()
    write_lock(Lock((evil,)), tmp_path / "stick" / "models.lock")
    with pytest.raises(InvalidFile):
        read_carried(tmp_path / "stick")


def test_an_interrupted_export_leaves_no_half_model(exported: ExportedModel, tmp_path: Path):
    """Ctrl-C arrives as an exception out of the report."""

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_models(plan_export([exported], tmp_path / "stick"), report=stop)
    assert list((tmp_path / "stick").iterdir()) == []


def test_a_disk_that_refuses_is_named(exported: ExportedModel, tmp_path: Path):
    (tmp_path / "stick").mkdir()
    plan = plan_export([exported], tmp_path / "stick")
    (tmp_path / "stick").rmdir()
    (tmp_path / "stick").write_text("a file in place of the folder")
    with pytest.raises(StorageError, match="cannot be copied"):
        export_models(plan)
