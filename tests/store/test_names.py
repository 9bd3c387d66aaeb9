"""Names from outside stay inside."""

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import Corrupt
from paddock.store.names import check_file_path, check_file_paths, folder_name


@given(st.text(max_size=60))
def test_a_path_that_is_let_through_stays_below_its_folder_on_every_system(path: str) -> None:
    try:
        check_file_path(path, of="org/name")
    except Corrupt:
        return
    assert not PurePosixPath(path).is_absolute()
    assert not PureWindowsPath(path).is_absolute()
    assert not PureWindowsPath(path).drive
    assert ".." not in PureWindowsPath(path).parts
    assert Path("/store", path).resolve().is_relative_to("/store")


@given(st.text(max_size=200))
def test_a_folder_name_is_one_safe_component(name: str) -> None:
    folder = folder_name(name)
    assert folder == folder.lower()
    assert folder not in (".", "..")
    assert "/" not in folder
    assert len(folder.encode()) <= 120


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_names_get_two_folders(one: str, two: str) -> None:
    assert (folder_name(one) == folder_name(two)) == (one == two)


@pytest.mark.parametrize(
    "paths",
    [["a", "A"], ["a/b", "A/c"], ["a", "a/b"], ["é", "e\u0301"], ["straße", "STRASSE"], ["a", "a"]],
)
def test_two_files_that_some_disk_takes_for_one_are_refused(paths: list[str]) -> None:
    with pytest.raises(Corrupt, match=r"one name|is empty"):
        check_file_paths(paths, of="org/name")


def test_ordinary_repositories_pass() -> None:
    check_file_paths(
        [".gitattributes", "README.md", "onnx/model.onnx", "1_Pooling/config.json", "Модель.gguf", "a b.txt", "x..y"],
        of="org/name",
    )


def test_the_error_cannot_trick_a_terminal() -> None:
    with pytest.raises(Corrupt) as caught:
        check_file_path("\x1b[2J../x\u202e", of="org/name")
    assert caught.value.message.isprintable()
