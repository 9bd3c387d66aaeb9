"""Archives come from strangers: whatever is in them, nothing may appear outside the folder and no half model in it."""

import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import Corrupt, InUse, StorageError
from paddock.store.unpack import UnpackLimits, is_archive, safe_path, unpack

FILES = {"Model.mlpackage/Manifest.json": b"{}", "Model.mlpackage/Data/weight.bin": b"\0\1" * 5000}


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tar_of(path: Path, files: dict[str, bytes], *specials: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for special in specials:
            archive.addfile(special)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def refuse(archive: Path, tmp_path: Path, said: str, limits: UnpackLimits | None = None) -> None:
    """It is refused with these words, and nothing is left of it anywhere."""
    (tmp_path / "models").mkdir(exist_ok=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Corrupt, match=said):
        unpack(archive, tmp_path / "models" / "m", limits=limits or UnpackLimits())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["m.zip", "m.tar", "m.tar.gz", "m.tgz"])
def test_an_archive_becomes_the_folder_it_was_made_from(name: str, tmp_path: Path) -> None:
    make = zip_of if name.endswith("zip") else tar_of
    folder = tmp_path / "models" / "m"
    assert unpack(make(tmp_path / name, FILES), folder) == tuple(sorted(FILES))
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["m"], "no temporary folder stays behind"


def test_the_first_bytes_decide_and_not_the_name(tmp_path: Path) -> None:
    """Parts in the store are named by their hash."""
    assert unpack(zip_of(tmp_path / "0badc0de", FILES), tmp_path / "a") == tuple(sorted(FILES))
    assert unpack(tar_of(tmp_path / "x.tar.gz", FILES).rename(tmp_path / "x.zip"), tmp_path / "b")
    assert is_archive("Model.MLPACKAGE.ZIP")
    assert not is_archive("model.gguf")


def test_what_macos_adds_is_left_out(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "m.zip", FILES | {"__MACOSX/Model.mlpackage/._Manifest.json": b"", "a/.DS_Store": b""})
    assert unpack(archive, tmp_path / "m") == tuple(sorted(FILES))


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "..",
        "a\\..\\evil",
        "C:evil",
        "a\nb",
        "x" * 256,
        "a/" * 600 + "b",
        "\x7f",
        "a//b",
        "\u202efgp.exe",
    ],
)
def test_names_that_climb_out_are_refused(name: str, tmp_path: Path) -> None:
    refuse(zip_of(tmp_path / "m.zip", {"good": b"1", name: b"evil"}), tmp_path, "not safe to unpack")
    refuse(tar_of(tmp_path / "m.tar.gz", {"good": b"1", name: b"evil"}), tmp_path, "not safe to unpack")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    special = tarfile.TarInfo("model.bin")
    special.type, special.linkname = kind, "/etc/passwd"
    refuse(tar_of(tmp_path / "m.tar", FILES, special), tmp_path, "a link or a device")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("model.bin")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refuse(tmp_path / "m.zip", tmp_path, "a link or a device")


def test_bombs_are_stopped_while_they_unpack(tmp_path: Path) -> None:
    """The sizes in headers are not believed: what counts is what comes out."""
    limits = UnpackLimits(ratio_max=50, ratio_free_bytes=1 << 20)
    zeros = b"\0" * (8 << 20)
    refuse(zip_of(tmp_path / "m.zip", {"weights": zeros}), tmp_path, "unpacks to more than", limits)
    refuse(tar_of(tmp_path / "m.tgz", {"weights": zeros}), tmp_path, "unpacks to more than", limits)
    total = UnpackLimits(total_bytes_max=1000)
    refuse(tar_of(tmp_path / "m.tar", {"weights": zeros}), tmp_path, "unpacks to more than 1,000", total)
    many = {f"{number}": b"" for number in range(20)}
    refuse(zip_of(tmp_path / "many.zip", many), tmp_path, "more than 10 members", UnpackLimits(members_max=10))


def test_a_header_made_to_fill_memory_is_refused(tmp_path: Path) -> None:
    """An extended header of 100 MB packs into 100 KB and would be read whole."""
    header = tarfile.TarInfo("./PaxHeaders/x")
    header.type, header.size = tarfile.XHDTYPE, 100 << 20
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.addfile(header, io.BytesIO(bytes(100 << 20)))
    refuse(tmp_path / "m.tar.gz", tmp_path, "unpacks to more than")


def test_one_name_for_two_files_is_refused(tmp_path: Path) -> None:
    """On a Mac's disk the second would silently replace the first."""
    refuse(zip_of(tmp_path / "a.zip", {"Model.bin": b"1", "model.bin": b"2"}), tmp_path, "twice")
    refuse(zip_of(tmp_path / "b.zip", {"caf\u00e9": b"1", "cafe\u0301": b"2"}), tmp_path, "twice")
    twice = tmp_path / "c.tar"
    with tarfile.open(twice, "w") as archive:
        archive.addfile(tarfile.TarInfo("model.bin"))
        archive.addfile(tarfile.TarInfo("model.bin"))
    refuse(twice, tmp_path, "twice")
    refuse(zip_of(tmp_path / "d.zip", {"model": b"1", "model/weights": b"2"}), tmp_path, "a file and for a folder")


def test_damaged_archives_are_refused_whole(tmp_path: Path) -> None:
    good = zip_of(tmp_path / "good.zip", FILES).read_bytes()
    packed = tar_of(tmp_path / "good.tar.gz", FILES).read_bytes()
    damaged = bytearray(good)
    damaged[60] ^= 0xFF
    for name, data in {
        "short.zip": good[:-30],
        "middle.zip": bytes(damaged),
        "short.tgz": packed[: len(packed) // 2],
        "none.tar": b"",
        "page.zip": b"<html>Sign in</html>",
        "empty.zip": b"PK\5\6" + bytes(18),
    }.items():
        (tmp_path / name).write_bytes(data)
        refuse(tmp_path / name, tmp_path, "damaged|no files")


def test_a_zip_with_a_password_is_refused(tmp_path: Path) -> None:
    data = bytearray(zip_of(tmp_path / "m.zip", {"a": b"1"}).read_bytes())
    central = data.index(b"PK\1\2")
    data[central + 8 : central + 10] = struct.pack("<H", 1)
    (tmp_path / "m.zip").write_bytes(data)
    refuse(tmp_path / "m.zip", tmp_path, "password")


def test_what_is_there_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    with pytest.raises(InUse):
        unpack(zip_of(tmp_path / "m.zip", FILES), folder)
    assert not any(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be unpacked"):
        unpack(zip_of(tmp_path / "m.zip", FILES), tmp_path / "file" / "m")


@given(st.text(alphabet=st.sampled_from("ab./\\\0\n:é C"), max_size=30))
def test_a_safe_path_stays_below_its_folder(name: str) -> None:
    """Whatever the name, the joined path is within the folder or the name is refused."""
    try:
        path = safe_path(name, "archive")
    except Corrupt:
        return
    joined = os.path.normpath(f"/folder/{path}")
    assert joined.startswith("/folder/")
    assert joined == f"/folder/{path}", "no spelling is left to interpret"
