"""Models that ship with a product: Paddock's own built-in ones, and those that people put together for theirs.

A bundle is a folder with a `bundle.toml` and the models beside it:

    version = 1
    name = "acme"
    description = "Models of the Acme assistant"

    [[model]]
    name = "acme-chat"
    path = "acme-chat"
    description = "…"
    files = [
      { path = "config.json", size = 684, sha256 = "…" },
    ]

Bundles are found in the package, in folders named in the configuration, and through entry points of the group
`paddock.bundles`, whose value names the package that holds the folder. No code of such a package is run.
"""

import importlib.util
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from paddock.errors import PaddockError, StorageError, UsageError
from paddock.library.carry.inventory import (
    Document,
    FileEntry,
    files_below,
    hash_file,
    is_safe_path,
    quoted,
    written_files,
)
from paddock.library.carry.lockfile import write_text

BUNDLE_NAME = "bundle.toml"
ENTRY_POINT_GROUP = "paddock.bundles"
VERSION = 1
MODELS_MAX = 1000
BUILTIN_FOLDER = Path(__file__).parents[2] / "builtin_models"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
_HEADER = "# Models that ship together. Written by Paddock; write it anew when a file changes."


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledModel:
    """One model of a bundle."""

    name: str
    path: Path  # its folder, absolute
    description: str
    files: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A folder of models, as its `bundle.toml` tells; `damage` says whether the files agree."""

    name: str
    description: str
    folder: Path
    models: tuple[BundledModel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleProblem:
    """A bundle that was not taken, and why."""

    origin: str  # the folder, or the entry point
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """What was found. A model's name belongs to the first bundle that has it."""

    bundles: tuple[Bundle, ...]
    problems: tuple[BundleProblem, ...]

    @property
    def models(self) -> Mapping[str, BundledModel]:
        found: dict[str, BundledModel] = {}
        for bundle in self.bundles:
            for model in bundle.models:
                found.setdefault(model.name, model)
        return found


def discover(
    *, builtin: Path = BUILTIN_FOLDER, folders: Sequence[Path] = (), points: Iterable[EntryPoint] | None = None
) -> Bundles:
    """Every bundle: the built-in one, then those of `folders`, then those of installed packages.

    A bundle that cannot be read, and a model whose name is taken, is a problem to be shown, never an error: one broken
    add-on must not take the others down.
    """
    places = [(str(folder), folder) for folder in (builtin, *folders)]
    problems: list[BundleProblem] = []
    for point in entry_points(group=ENTRY_POINT_GROUP) if points is None else points:
        folder = _folder_of(point)
        if folder:
            places.append((f"entry point {point.name}", folder))
        else:
            problems.append(BundleProblem(origin=f"entry point {point.name}", reason=f"no package {point.value!r}"))
    bundles: list[Bundle] = []
    owners: dict[str, str] = {}
    for origin, folder in places:
        try:
            bundle = read_bundle(folder)
        except PaddockError as error:
            problems.append(BundleProblem(origin=origin, reason=error.message))
            continue
        for model in bundle.models:
            owner = owners.setdefault(model.name, bundle.name)
            if owner != bundle.name:
                problems.append(BundleProblem(origin=origin, reason=f"`{model.name}` is already one of `{owner}`"))
        bundles.append(bundle)
    return Bundles(bundles=tuple(bundles), problems=tuple(problems))


def read_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`. Raises InvalidFile with the line where it can be told, StorageError when unreadable.

    Files are not hashed here: that is `damage`'s work.
    """
    folder = folder.absolute()
    document = Document(folder / BUNDLE_NAME, kind="bundle", hint="Make the bundle anew, or take its folder away.")
    version: object = document.content.get("version")
    if version != VERSION or isinstance(version, bool):
        raise document.wrong(f"its version is {version!r}, this Paddock reads version {VERSION}", near="version")
    models: dict[str, BundledModel] = {}
    for table in document.tables("model", count_max=MODELS_MAX):
        model = _model(document, table, folder)
        if model.name in models:
            raise document.wrong(f"`{model.name}` is listed twice", near=quoted(model.name))
        models[model.name] = model
    return Bundle(
        name=_name(document, document.content),
        description=document.text(document.content, "description", default=""),
        folder=folder,
        models=tuple(models.values()),
    )


def _model(document: Document, table: Mapping[str, Any], folder: Path) -> BundledModel:
    name = _name(document, table)
    path = document.text(table, "path", default=name)
    if not is_safe_path(path):
        raise document.wrong(f"{quoted(path)} is not a folder of the bundle", near=quoted(path))
    place = folder / path
    if not place.resolve().is_relative_to(folder.resolve()):
        raise document.wrong(f"{quoted(path)} leads out of the bundle", near=quoted(path))
    return BundledModel(
        name=name,
        path=place,
        description=document.text(table, "description", default=""),
        files=document.files(table),
    )


def _name(document: Document, table: Mapping[str, Any]) -> str:
    name = document.text(table, "name", length_max=128)
    if not _NAME.fullmatch(name):
        raise document.wrong(f"{quoted(name)} is not a name of letters, digits, `.`, `_` and `-`", near=quoted(name))
    return name


def damage(model: BundledModel) -> tuple[str, ...]:
    """The files of `model` that are missing or not what the bundle says; empty when all hashes hold."""
    return tuple(file.path for file in model.files if not _holds(model.path / file.path, file))


def _holds(path: Path, file: FileEntry) -> bool:
    return path.is_file() and not path.is_symlink() and not hash_file(path).differs_from(file)


def make_bundle(
    folders: Sequence[Path],
    destination: Path,
    *,
    name: str,
    description: str = "",
    descriptions: Mapping[str, str] | None = None,
) -> Bundle:
    """A bundle at `destination` of the models in `folders`, each named like its folder.

    Folders elsewhere are copied in; those that lie in `destination` already stay as they are. Raises UsageError for names
    that do not go, StorageError when the disk refuses.
    """
    _check_names(folders, destination, name)
    models: list[BundledModel] = []
    for folder in folders:
        place = destination / folder.name
        try:
            if place.absolute() != folder.absolute():
                _copy_folder(folder, place)
            files = tuple(replace(hash_file(place / path), path=path, git_oid=None) for path in files_below(place))
        except OSError as error:
            raise StorageError(
                f"{folder} cannot be copied to {destination}: {error.strerror or error}.",
                hint="Check both folders and the room on the disk.",
            ) from error
        if not files:
            raise UsageError(f"{folder} holds no files.", hint="Name the folder of a model.")
        models.append(
            BundledModel(
                name=folder.name, path=place, description=(descriptions or {}).get(folder.name, ""), files=files
            )
        )
    bundle = Bundle(name=name, description=description, folder=destination.absolute(), models=tuple(models))
    write_text(destination / BUNDLE_NAME, format_bundle(bundle))
    return read_bundle(destination)


def format_bundle(bundle: Bundle) -> str:
    """The text of `bundle.toml`, models and files in order of name."""
    lines = [_HEADER, f"version = {VERSION}", f"name = {quoted(bundle.name)}"]
    if bundle.description:
        lines.append(f"description = {quoted(bundle.description)}")
    for model in sorted(bundle.models, key=lambda model: model.name):
        lines += ["", "[[model]]", f"name = {quoted(model.name)}", f"path = {quoted(_relative(bundle, model))}"]
        if model.description:
            lines.append(f"description = {quoted(model.description)}")
        lines += written_files(model.files)
    return "\n".join(lines) + "\n"


def _relative(bundle: Bundle, model: BundledModel) -> str:
    return model.path.absolute().relative_to(bundle.folder).as_posix()


def _copy_folder(folder: Path, place: Path) -> None:
    """Copy the plain files of a model; links are not followed, so nothing from elsewhere comes along."""
    for path in files_below(folder):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, place / path)


def _check_names(folders: Sequence[Path], destination: Path, name: str) -> None:
    names = [folder.name for folder in folders]
    for one in (name, *names):
        if not _NAME.fullmatch(one):
            raise UsageError(
                f"`{one[:128]}` cannot name a bundle or its model.", hint="Use letters, digits, `.`, `_` and `-`."
            )
    if twice := next((one for one in names if names.count(one) > 1), None):
        raise UsageError(f"Two of the folders are called `{twice}`.", hint="Rename one of them.")
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder.", hint="Name the folders of the models.")
        if destination.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{destination} lies inside of {folder}.", hint="Name a folder beside the models.")


def _folder_of(point: EntryPoint) -> Path | None:
    """The folder of the package that an entry point names, found without importing it."""
    package, *rest = point.value.partition(":")[0].strip().split(".")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations or not all(part.isidentifier() for part in rest):
        return None
    return Path(next(iter(spec.submodule_search_locations)), *rest)
