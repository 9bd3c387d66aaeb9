"""llama.cpp's cache, in the layouts it has had.

    org_repo_file.gguf  org_repo_file.gguf.json     2024: a sidecar with the address it came from
    org_repo_file.gguf  org_repo_file.gguf.etag     2025: a sidecar with the ETag alone, and
    manifest=org=repo=tag.json                            a manifest for each repository fetched by name
    models--org--repo/…                             2026: Hugging Face's own layout, read by `huggingface`

`org_repo_file` alone does not say where the owner ends, so a file is named after its repository only when a sidecar or
a manifest tells it; else after itself.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ValidationError

from paddock.errors import InvalidReference
from paddock.hub.gguf_files import is_gguf, is_projector
from paddock.hub.reference import parse_reference
from paddock.library.adopt.found import AdoptedFrom, FileRole, FoundFile, FoundModel, Note
from paddock.library.adopt.huggingface import find_in_huggingface_cache
from paddock.library.adopt.walking import plain_file
from paddock.library.adopt.weights import (
    GgufGroup,
    gguf_groups,
    missing_parts,
    projector_for,
    selectors,
)
from paddock.vocabulary import SourceKind

SIDECAR_BYTES_MAX = 64 * 1024
_MANIFEST = re.compile(r"manifest=(?P<owner>[A-Za-z0-9_.-]+)=(?P<repository>[A-Za-z0-9_.-]+)=[A-Za-z0-9_.-]+\.json")
_RESOLVE = re.compile(r"/(?P<owner>[^/]+)/(?P<repository>[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


class _Sidecar(BaseModel):
    url: str = ""


@dataclass(slots=True)
class _Repository:
    """What of one repository is in the cache: the files by their names there."""

    name: str
    files: dict[str, FoundFile]


def find_in_llamacpp_cache(cache: Path, notes: list[Note]) -> Iterator[FoundModel]:
    """The GGUF models directly in `cache` (an absolute path without links), then those in Hugging Face's layout."""
    files = _files(cache, notes)
    known, unknown = _by_repository(cache, files)
    for repository in known:
        yield from _models_of(cache, repository, notes)
    for group in gguf_groups(unknown):
        if _is_complete(cache, group, notes):
            yield _nameless(cache, group, unknown)
    yield from find_in_huggingface_cache(cache, notes, AdoptedFrom.LLAMACPP)


def _files(cache: Path, notes: list[Note]) -> dict[str, FoundFile]:
    """GGUF files, sidecars and manifests by name."""
    files: dict[str, FoundFile] = {}
    with os.scandir(cache) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False) or not entry.name.endswith((".gguf", ".json")):
                continue
            try:
                file = plain_file(entry.name, entry, str(cache))
            except OSError as error:
                notes.append(_note(Path(entry.path), f"cannot be read: {error.strerror or error}"))
                continue
            if file:
                files[entry.name] = file
            else:
                notes.append(_note(Path(entry.path), "is a link out of the cache, or broken"))
    return files


def _by_repository(cache: Path, files: Mapping[str, FoundFile]) -> tuple[list[_Repository], dict[str, FoundFile]]:
    """The GGUF files of each known repository, and the rest."""
    named = {f"{found['owner']}/{found['repository']}" for name in files if (found := _MANIFEST.fullmatch(name))}
    repositories = {name: _Repository(name, {}) for name in named}
    rest: dict[str, FoundFile] = {}
    for name, file in files.items():
        if not is_gguf(name):
            continue
        owner = _told_by_sidecar(cache, name) if f"{name}.json" in files else None
        owner = owner or next((known for known in named if name.startswith(_prefix(known))), None)
        if owner is None:
            rest[name] = file
            continue
        repository = repositories.setdefault(owner, _Repository(owner, {}))
        repository.files[name] = file
    return [repositories[name] for name in sorted(repositories)], rest


def _told_by_sidecar(cache: Path, name: str) -> str | None:
    """`org/repo` when the sidecar's address is one of the hub's."""
    try:
        with (cache / f"{name}.json").open("rb") as file:
            sidecar = _Sidecar.model_validate_json(file.read(SIDECAR_BYTES_MAX))
        found = _RESOLVE.fullmatch(unquote(urlsplit(sidecar.url).path))
    except (OSError, ValidationError, ValueError):
        return None
    return f"{found['owner']}/{found['repository']}" if found else None


def _models_of(cache: Path, repository: _Repository, notes: list[Note]) -> Iterator[FoundModel]:
    groups = gguf_groups(repository.files)
    for group, selector in zip(groups, selectors(groups, alone=True), strict=True):
        if not _is_complete(cache, group, notes):
            continue
        members = [repository.files[path] for path in group.paths]
        if projector := projector_for(group, repository.files):
            members.append(replace(repository.files[projector], role=FileRole.PROJECTOR))
        if selector and is_gguf(selector):  # a file's path: told as the repository knows it
            selector = selector.removeprefix(_prefix(repository.name))
        name = f"{repository.name}:{selector}" if selector else repository.name
        try:
            parse_reference(f"hf://{name}")
        except InvalidReference as error:
            notes.append(_note(cache / group.paths[0], error.message))
            continue
        yield _model(cache, group, name, name, SourceKind.HUGGINGFACE, members)


def _nameless(cache: Path, group: GgufGroup, files: Mapping[str, FoundFile]) -> FoundModel:
    members = [files[path] for path in group.paths]
    path = cache / group.paths[0]
    assert not is_projector(path.name), "a projector is no model"
    return _model(cache, group, group.stem, f"file://{path}", SourceKind.LOCAL, members)


def _model(
    cache: Path, group: GgufGroup, name: str, reference: str, source: SourceKind, members: list[FoundFile]
) -> FoundModel:
    return FoundModel(
        name=name,
        reference=reference,
        source=source,
        tool=AdoptedFrom.LLAMACPP,
        path=cache / group.paths[0],
        root=cache,
        revision=None,
        files=tuple(members),
    )


def _is_complete(cache: Path, group: GgufGroup, notes: list[Note]) -> bool:
    missing = missing_parts(group.paths)
    if missing:
        notes.append(_note(cache / group.paths[0], f"{missing[0]} is missing"))
    return not missing


def _prefix(repository: str) -> str:
    return repository.replace("/", "_") + "_"


def _note(path: Path, reason: str) -> Note:
    return Note(tool=AdoptedFrom.LLAMACPP, path=path, reason=reason)
