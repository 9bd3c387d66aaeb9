"""Bundles ship models with a product; the built-in models are the first one."""

import hashlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from paddock.errors import InvalidFile, StorageError, UsageError
from paddock.library.carry.bundles import BUILTIN_FOLDER, damage, discover, make_bundle, read_bundle


def model_folder(parent: Path, name: str) -> Path:
    folder = parent / name
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "model.safetensors").write_bytes(name.encode() * 100)
    return folder


def test_the_hashes_of_the_built_in_models_hold():
    """They ship with every copy of the package; a byte that changed on the way would show up as nonsense."""
    bundle = read_bundle(BUILTIN_FOLDER)
    assert [model.name for model in bundle.models] == ["foal", "pony", "pony-embed", "pony-vision"]
    assert {model.name: damage(model) for model in bundle.models} == {model.name: () for model in bundle.models}
    listed = {path for model in bundle.models for path in (model.path / file.path for file in model.files)}
    present = {path for path in BUILTIN_FOLDER.rglob("*") if path.is_file() and path.suffix not in (".toml", ".pyc")}
    assert listed == {path for path in present if path.name != "__init__.py"}
    assert all(model.description for model in bundle.models)


def test_what_is_made_is_read_back_whole(tmp_path: Path):
    """People make bundles of their own the same way as ours was made."""
    folders = [model_folder(tmp_path / "mine", name) for name in ("chat", "embed")]
    made = make_bundle(
        folders, tmp_path / "product", name="acme", description="For Acme", descriptions={"chat": "Talks"}
    )
    assert made == read_bundle(tmp_path / "product")
    assert [(model.name, model.description) for model in made.models] == [("chat", "Talks"), ("embed", "")]
    chat = made.models[0]
    assert chat.path == tmp_path / "product" / "chat"
    assert {file.path: file.sha256 for file in chat.files}["config.json"] == hashlib.sha256(b"{}").hexdigest()
    assert damage(chat) == ()
    text = (tmp_path / "product" / "bundle.toml").read_text()
    in_place = make_bundle(
        [tmp_path / "product" / "chat", tmp_path / "product" / "embed"],
        tmp_path / "product",
        name="acme",
        description="For Acme",
        descriptions={"chat": "Talks"},
    )
    assert in_place == made
    assert (tmp_path / "product" / "bundle.toml").read_text() == text


def test_damage_names_the_files_that_are_missing_or_wrong(tmp_path: Path):
    (chat,) = make_bundle([model_folder(tmp_path, "chat")], tmp_path / "product", name="acme").models
    (chat.path / "config.json").write_text("[]")
    (chat.path / "sub" / "model.safetensors").unlink()
    assert damage(chat) == ("config.json", "sub/model.safetensors")


def test_links_in_a_model_do_not_bring_other_files_along(tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    folder = model_folder(tmp_path, "chat")
    (folder / "secret").symlink_to(tmp_path / "secret")
    (chat,) = make_bundle([folder], tmp_path / "product", name="acme").models
    assert [file.path for file in chat.files] == ["config.json", "sub/model.safetensors"]
    assert not (chat.path / "secret").exists()


def test_bundles_come_from_the_package_from_folders_and_from_entry_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An installed package offers its models without a line of its code being run."""
    make_bundle([model_folder(tmp_path, "chat")], tmp_path / "product", name="acme")
    package = tmp_path / "site" / "acme_models"
    make_bundle([model_folder(tmp_path, "small")], package / "data", name="acme-small")
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    points = [
        EntryPoint("small", "acme_models.data", "paddock.bundles"),
        EntryPoint("gone", "no_such_package", "paddock.bundles"),
        EntryPoint("odd", "..", "paddock.bundles"),
    ]
    found = discover(folders=[tmp_path / "product", tmp_path / "nothing"], points=points)
    assert [bundle.name for bundle in found.bundles] == ["builtin", "acme", "acme-small"]
    assert {"pony", "chat", "small"} <= found.models.keys()
    assert [problem.origin for problem in found.problems] == [
        "entry point gone",
        "entry point odd",
        str(tmp_path / "nothing"),
    ]
    assert "acme_models" not in sys.modules
    assert discover().bundles[0].name == "builtin"


def test_a_name_that_is_taken_stays_with_its_first_owner(tmp_path: Path):
    """Nobody gets to ship another `pony`."""
    make_bundle([model_folder(tmp_path, "pony")], tmp_path / "product", name="acme")
    found = discover(folders=[tmp_path / "product"], points=[])
    assert found.models["pony"].path == BUILTIN_FOLDER / "pony"
    assert [problem.reason for problem in found.problems] == ["`pony` is already one of `builtin`"]


GOOD = 'version = 1\nname = "acme"\n[[model]]\nname = "chat"\npath = "chat"\n'
FILES = 'files = [{{ path = "{}", size = 2, sha256 = "{}" }}]\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("version = 9", "version is 9"),
        (GOOD.replace("acme", "../acme") + FILES.format("a", "0" * 64), "is not a name"),
        (GOOD.replace('"chat"', '"a/b"', 1) + FILES.format("a", "0" * 64), "line 4.*is not a name"),
        (GOOD.replace('path = "chat"', 'path = "../chat"') + FILES.format("a", "0" * 64), "line 5.*not a folder"),
        (GOOD.replace('path = "chat"', 'path = "away"') + FILES.format("a", "0" * 64), "line 5.*leads out"),
        (GOOD + FILES.format("../../etc/passwd", "0" * 64), "line 6.*not a path"),
        (GOOD + FILES.format("a", "zz"), "line 6.*64 hex"),
        (GOOD, "without `files`"),
        (GOOD + FILES.format("a", "0" * 64) + GOOD[GOOD.index("[[") :] + FILES.format("a", "0" * 64), "listed twice"),
    ],
)
def test_a_hostile_bundle_is_refused_with_the_line_that_is_wrong(text: str, complaint: str, tmp_path: Path):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "away").symlink_to(tmp_path)
    (bundle / "bundle.toml").write_text(text)
    with pytest.raises(InvalidFile, match=complaint):
        read_bundle(bundle)


def test_what_cannot_be_made_is_an_error_that_says_why(tmp_path: Path):
    chat = model_folder(tmp_path, "chat")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot name"):
        make_bundle([chat], tmp_path / "product", name="a b")
    with pytest.raises(UsageError, match="Two of the folders"):
        make_bundle([chat, model_folder(tmp_path / "other", "chat")], tmp_path / "product", name="acme")
    with pytest.raises(UsageError, match="no folder"):
        make_bundle([tmp_path / "none"], tmp_path / "product", name="acme")
    with pytest.raises(UsageError, match="lies inside"):
        make_bundle([chat], chat / "product", name="acme")
    with pytest.raises(UsageError, match="holds no files"):
        make_bundle([tmp_path / "empty"], tmp_path / "product", name="acme")
    with pytest.raises(StorageError, match="cannot be copied"):
        make_bundle([chat], tmp_path / "file", name="acme")
