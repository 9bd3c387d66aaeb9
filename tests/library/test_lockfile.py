"""A lock says exactly which bytes a machine needs, reads back to what was written, and trusts nobody."""

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddock.errors import Corrupt, InvalidFile, StorageError
from paddock.library.carry.inventory import DOCUMENT_BYTES_MAX, FileEntry, hash_file, is_safe_path
from paddock.library.carry.lockfile import (
    Lock,
    LockedModel,
    compare,
    find_in_folder,
    format_lock,
    read_lock,
    write_lock,
)
from paddock.store.names import check_file_paths
from paddock.vocabulary import ModelFormat, SourceKind

SHA256, OTHER_SHA256, GIT_OID = "a" * 64, "b" * 64, "c" * 40


def locked(name: str = "org/name", revision: str | None = "1" * 40, **files: bytes) -> LockedModel:
    entries = tuple(
        FileEntry(path=path.replace("_", "."), size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for path, content in (files or {"config_json": b"{}"}).items()
    )
    return LockedModel(
        name=name,
        reference=name,
        revision=revision,
        source=SourceKind.HUGGINGFACE,
        format=ModelFormat.MLX,
        files=entries,
    )


def one_each(files: list[FileEntry]) -> bool:
    try:
        check_file_paths((file.path for file in files), of="a model")
    except Corrupt:
        return False
    return True


safe_paths = st.text(min_size=1, max_size=12).filter(is_safe_path)
file_entries = st.builds(
    FileEntry,
    path=safe_paths,
    size=st.integers(0, 2**53),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    git_oid=st.none() | st.binary(min_size=20, max_size=20).map(bytes.hex),
)
models = st.builds(
    LockedModel,
    name=st.text(min_size=1, max_size=60).filter(str.isprintable),
    reference=st.sampled_from(["org/name@main:Q4_K_M", "ollama://llama:3b", "https://example.org/a.gguf", "pony"]),
    revision=st.none() | st.text(min_size=1, max_size=60).filter(str.isprintable),
    source=st.sampled_from(SourceKind),
    format=st.sampled_from(ModelFormat),
    files=st.lists(file_entries, min_size=1, max_size=5).filter(one_each).map(lambda files: tuple(sorted(files))),
)


@given(st.lists(models, max_size=4, unique_by=lambda model: model.name))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_what_is_written_is_read_back(tmp_path: Path, chosen: list[LockedModel]):
    """Whatever names and hashes a model has, the other machine must get the same ones."""
    lock = Lock(tuple(chosen))
    write_lock(lock, tmp_path / "models.lock")
    assert read_lock(tmp_path / "models.lock") == lock


def test_the_same_models_always_give_the_same_text_with_a_file_a_line():
    """Version control shows what changed only if nothing else does."""
    one, two = locked("org/a", b=b"1", a=b"2"), locked("org/b", revision=None)
    text = format_lock(Lock((two, one)))
    assert text == format_lock(Lock((one, two)))
    assert text.startswith("# The models of this project")
    assert sum("path = " in line for line in text.splitlines()) == 3
    assert text.index('"a"') < text.index('"b"')


GOOD = 'version = 1\n\n[[model]]\nname = "org/name"\nreference = "org/name"\nsource = "huggingface"\nformat = "mlx"\n'


def file_line(path: str = "config.json", size: object = 2, sha256: str = SHA256) -> str:
    return f'  {{ path = "{path}", size = {size}, sha256 = "{sha256}" }},\n'


def with_files(*lines: str) -> str:
    return f"{GOOD}files = [\n{''.join(lines)}]\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("version = 2", "line 1.*version is 2"),
        ("", "version is None"),
        ("version = 1\nmodel = {", "line 2|end of document"),
        ("version = 1\nmodel = 3", "line 2.*list of tables"),
        ("version = 1\n[[model]]\nreference = 'a/b'", "`name` must be"),
        (GOOD, "without `files`"),
        (with_files(), "without `files`"),
        (with_files("1"), "must be a table"),
        (with_files(file_line("../evil")), r"line 9.*\.\./evil"),
        (with_files(file_line("a/../../evil")), "line 9"),
        (with_files(file_line("/etc/passwd")), "line 9"),
        (with_files(file_line("a//b")), "line 9"),
        (with_files(file_line("a\\\\b")), "not a path"),
        (with_files(file_line("a\\u0000b")), "not a path"),
        (with_files(file_line("x" * 2000)), "not a path"),
        (with_files(file_line(size=-1)), "line 9.*size -1"),
        (with_files(file_line(size=2**63)), "size"),
        (with_files(file_line(size="true")), "size True"),
        (with_files(file_line(sha256="xyz")), "line 9.*64 hex"),
        (with_files(file_line(sha256=SHA256.upper())), "64 hex"),
        (with_files('{ path = "a", size = 1 },'), "needs a `sha256`"),
        (with_files(file_line("a"), file_line("a")), "line 9.*listed twice"),
        (with_files(file_line("a"), file_line("A")), "line 4.*one on many disks"),
        (with_files(file_line("a"), file_line("a/b")), "one on many disks"),
        (with_files(file_line()) + with_files(file_line()).removeprefix("version = 1\n"), "listed twice"),
        (with_files(file_line()).replace("mlx", "exe"), "line 4.*'exe'"),
        (with_files(file_line()).replace("huggingface", "ftp"), "'ftp'"),
        (with_files(file_line()).replace('reference = "org/name"', 'reference = "../x/y"'), "line 4"),
        (with_files(file_line()).replace('name = "org/name"', 'name = ""', 1), "without a name"),
        ("a = " + "[" * 100_000, "models.lock"),
        ("a = " + "9" * 100_000, "models.lock"),
        ("version = 1\n" + "#" * DOCUMENT_BYTES_MAX, "larger than"),
    ],
)
def test_a_hostile_or_broken_lock_is_refused_with_the_line_that_is_wrong(text: str, complaint: str, tmp_path: Path):
    """A lock comes with a repository that somebody else wrote; what it names would be written to our disk."""
    path = tmp_path / "models.lock"
    path.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        read_lock(path)
    assert re.search(complaint, caught.value.message), caught.value.message
    assert len(caught.value.message) < 1000
    assert "paddock lock" in caught.value.hint


def test_bytes_that_are_no_text_and_files_that_are_not_there(tmp_path: Path):
    (tmp_path / "models.lock").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidFile):
        read_lock(tmp_path / "models.lock")
    with pytest.raises(StorageError, match="No such file"):
        read_lock(tmp_path / "none.lock")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_reading_noise_raises_nothing_else(tmp_path: Path, noise: bytes):
    path = tmp_path / "models.lock"
    path.write_bytes(noise)
    with pytest.raises(InvalidFile):
        read_lock(path)


def test_differences_tell_missing_other_revision_corrupt_and_extra():
    """`sync --frozen` fails on the first three; what else is installed does no harm."""
    same, moved, broken, gone = (locked(f"org/{name}") for name in ("same", "moved", "broken", "gone"))
    installed = [
        same,
        locked("org/moved", revision="2" * 40),
        locked("org/broken", config_json=b"??"),
        locked("org/extra"),
    ]
    differences = compare(Lock((same, moved, broken, gone)), installed)
    assert differences.missing == (gone,)
    assert [(ours.name, theirs.revision) for ours, theirs in differences.different] == [("org/moved", "2" * 40)]
    assert [(bad.model.name, bad.paths) for bad in differences.corrupt] == [("org/broken", ("config.json",))]
    assert [model.name for model in differences.extra] == ["org/extra"]
    assert not differences.is_same
    assert {model.name for model in differences.to_fetch} == {"org/gone", "org/moved", "org/broken"}
    assert compare(Lock((same,)), installed).is_same


def test_a_hash_that_only_one_side_knows_decides_nothing():
    """The hub tells git ids for small files, other sources SHA-256: both may describe the same file."""
    ours = FileEntry(path="a", size=1, sha256=SHA256)
    assert not ours.differs_from(FileEntry(path="a", size=1, git_oid=GIT_OID))
    assert ours.differs_from(FileEntry(path="a", size=2, sha256=SHA256))
    assert ours.differs_from(FileEntry(path="a", size=1, sha256=OTHER_SHA256))


def test_carried_over_files_are_found_by_content_wherever_they_lie(tmp_path: Path):
    """People unpack, rename and regroup what they carry on a disk; only bytes count."""
    first = locked("org/first", config_json=b"{}", model_safetensors=b"weights")
    second = locked("org/second", config_json=b"[]", model_safetensors=b"weights")
    (tmp_path / "stick" / "first").mkdir(parents=True)
    (tmp_path / "stick" / "first" / "config.json").write_bytes(b"{}")
    (tmp_path / "stick" / "renamed.bin").write_bytes(b"weights")
    (tmp_path / "stick" / "config (2).json").write_bytes(b"[]")
    (tmp_path / "stick" / "decoy.bin").write_bytes(b"WEIGHTS")
    lock = Lock((first, second))
    hashed: list[Path] = []

    def counted(path: Path) -> FileEntry:
        hashed.append(path)
        return hash_file(path)

    matches = find_in_folder(tmp_path / "stick", lock, hash_of=counted)
    assert matches.is_complete("org/first")
    assert matches.is_complete("org/second")
    assert len(hashed) == len(set(hashed)), "weights are large: no file is read twice"
    copies = matches.copies(second, tmp_path / "here")
    assert [(copy.source.name, copy.destination) for copy in copies] == [
        ("config (2).json", tmp_path / "here" / "config.json"),
        ("renamed.bin", tmp_path / "here" / "model.safetensors"),
    ]


def test_what_the_folder_lacks_or_holds_broken_is_told(tmp_path: Path):
    model = locked("org/name", config_json=b"{}", model_safetensors=b"weights", tokenizer_json=b"tokens")
    (tmp_path / "name").mkdir()
    (tmp_path / "name" / "config.json").write_bytes(b"{}")
    (tmp_path / "name" / "model.safetensors").write_bytes(b"weigh")
    (tmp_path / "secret").write_bytes(b"tokens")
    (tmp_path / "secret").rename(tmp_path.parent / "secret-outside")
    (tmp_path / "name" / "tokenizer.json").symlink_to(tmp_path.parent / "secret-outside")
    matches = find_in_folder(tmp_path, Lock((model,)))
    assert not matches.is_complete("org/name")
    assert matches.missing == {"org/name": ("model.safetensors", "tokenizer.json")}
    assert matches.wrong == {"org/name": ("model.safetensors",)}
    assert matches.copies(model, tmp_path / "here") == ()


def test_a_folder_that_cannot_be_written_leaves_the_old_lock(tmp_path: Path):
    write_lock(Lock(()), tmp_path / "models.lock")
    before = (tmp_path / "models.lock").read_text()
    blocked = tmp_path / "models.lock" / "inside-a-file"
    with pytest.raises(StorageError, match="cannot be written"):
        write_lock(Lock((locked(),)), blocked)
    assert (tmp_path / "models.lock").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["models.lock"]
