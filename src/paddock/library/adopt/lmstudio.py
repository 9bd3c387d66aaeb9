"""LM Studio's folder: `publisher/model/` with GGUF files, or with an MLX model.

Publisher and model are those of the Hugging Face repository it fetched, so the names are spelled like it. What people
imported by hand has no publisher to ask again; it is told as local.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from paddock.errors import InvalidReference
from paddock.hub.reference import parse_reference
from paddock.library.adopt.found import AdoptedFrom, FileRole, FoundFile, FoundModel, Note, PassedOver
from paddock.library.adopt.walking import FILES_MAX, folders_in, plain_file, walk
from paddock.library.adopt.weights import folder_weights, gguf_groups, missing_parts, projector_for, selectors
from paddock.vocabulary import SourceKind

_IMPORTED = frozenset({"imported-models", "lmstudio-imported", "local", "uncategorized"})


def find_in_lmstudio_models(store: Path, notes: list[Note]) -> Iterator[FoundModel]:
    """The models below `store` (an absolute path without links), in order of name."""
    for publisher in folders_in(store):
        try:
            folders = list(folders_in(Path(publisher.path)))
        except OSError as error:
            notes.append(_unreadable(publisher, error))
            continue
        for folder in folders:
            try:
                yield from _models(str(store), f"{publisher.name}/{folder.name}", folder, notes)
            except PassedOver as reason:
                notes.append(Note(tool=AdoptedFrom.LMSTUDIO, path=Path(folder.path), reason=str(reason)))
            except OSError as error:
                notes.append(_unreadable(folder, error))


def _models(store: str, name: str, folder: os.DirEntry[str], notes: list[Note]) -> Iterator[FoundModel]:
    files = _files(store, folder, notes)
    weights = folder_weights(files)
    whole = bool(weights) and not missing_parts(weights)
    if whole:
        yield _model(name, None, Path(folder.path), Path(folder.path), tuple(files[path] for path in sorted(files)))
    elif weights:
        notes.append(
            Note(tool=AdoptedFrom.LMSTUDIO, path=Path(folder.path), reason=f"{missing_parts(weights)[0]} is missing")
        )
    groups = gguf_groups(files)
    for group, selector in zip(groups, selectors(groups, alone=not whole), strict=True):
        path = Path(folder.path, group.paths[0])
        if missing := missing_parts(group.paths):
            notes.append(Note(tool=AdoptedFrom.LMSTUDIO, path=path, reason=f"{missing[0]} is missing"))
            continue
        members = [files[member] for member in group.paths]
        if projector := projector_for(group, files):
            members.append(replace(files[projector], role=FileRole.PROJECTOR))
        yield _model(name, selector, path, Path(folder.path), tuple(members))


def _model(name: str, selector: str | None, path: Path, root: Path, files: tuple[FoundFile, ...]) -> FoundModel:
    spelled = f"{name}:{selector}" if selector else name
    try:
        parse_reference(f"hf://{spelled}")
    except InvalidReference as error:
        raise PassedOver(error.message) from error
    imported = name.partition("/")[0] in _IMPORTED
    return FoundModel(
        name=spelled,
        reference=f"file://{path}" if imported else spelled,
        source=SourceKind.LOCAL if imported else SourceKind.HUGGINGFACE,
        tool=AdoptedFrom.LMSTUDIO,
        path=path,
        root=root,
        revision=None,
        files=files,
    )


def _files(store: str, folder: os.DirEntry[str], notes: list[Note]) -> dict[str, FoundFile]:
    files: dict[str, FoundFile] = {}
    for count, (name, entry) in enumerate(walk(folder.path)):
        if count >= FILES_MAX:
            raise PassedOver(f"holds more than {FILES_MAX:,} files")
        if file := plain_file(name, entry, store):
            files[name] = file
        else:
            notes.append(
                Note(tool=AdoptedFrom.LMSTUDIO, path=Path(entry.path), reason="is a link out of the folder, or broken")
            )
    return files


def _unreadable(entry: os.DirEntry[str], error: OSError) -> Note:
    return Note(tool=AdoptedFrom.LMSTUDIO, path=Path(entry.path), reason=f"cannot be read: {error.strerror or error}")
