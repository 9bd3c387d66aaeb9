"""Ollama's store: a manifest for each tag, and blobs named after their content.

models/
├── manifests/registry.ollama.ai/library/llama3.2/3b      JSON: layers with mediaType, digest and size
└── blobs/sha256-…                                        weights, template, parameters, system prompt, licence
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from paddock.errors import InvalidReference
from paddock.hub.reference import ModelReference, parse_reference
from paddock.library.adopt.found import AdoptedFrom, FileRole, FoundFile, FoundModel, Note, PassedOver
from paddock.library.adopt.walking import found_file, walk
from paddock.vocabulary import SourceKind

MANIFEST_BYTES_MAX = 1024 * 1024
DEFAULT_REGISTRY = "registry.ollama.ai"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_IMAGE = "application/vnd.ollama.image."
_ROLES = {
    f"{_IMAGE}model": FileRole.PART,
    f"{_IMAGE}projector": FileRole.PROJECTOR,
    f"{_IMAGE}adapter": FileRole.ADAPTER,
    f"{_IMAGE}template": FileRole.TEMPLATE,
    f"{_IMAGE}system": FileRole.SYSTEM,
    f"{_IMAGE}params": FileRole.PARAMETERS,
    f"{_IMAGE}license": FileRole.LICENSE,
}


class _Layer(BaseModel):
    media_type: str = Field(alias="mediaType", max_length=256)
    digest: str = Field(max_length=256)
    size: int = Field(ge=0)


class _Manifest(BaseModel):
    layers: list[_Layer] = Field(max_length=10_000)


def find_in_ollama_store(store: Path, notes: list[Note]) -> Iterator[FoundModel]:
    """The GGUF models of `store` (an absolute path without links) whose blobs are all there, in order of name."""
    manifests = store / "manifests"
    if manifests.is_symlink() or not manifests.is_dir():
        return
    if (store / "blobs").is_symlink():
        notes.append(Note(tool=AdoptedFrom.OLLAMA, path=store / "blobs", reason="is a link out of the store"))
        return
    for name, entry in sorted(walk(str(manifests)), key=lambda found: found[0]):
        path = Path(entry.path)
        try:
            yield _model(store, name, entry)
        except PassedOver as reason:
            notes.append(Note(tool=AdoptedFrom.OLLAMA, path=path, reason=str(reason)))
        except OSError as error:
            notes.append(Note(tool=AdoptedFrom.OLLAMA, path=path, reason=f"cannot be read: {error.strerror or error}"))


def _model(store: Path, name: str, entry: os.DirEntry[str]) -> FoundModel:
    reference = _reference(name)
    if not entry.is_file(follow_symlinks=False):
        raise PassedOver("is a link, or no file")
    text = _manifest(Path(entry.path))
    layers = _layers(text)
    files = tuple(_blob(store, layer, role) for layer, role in layers)
    weights = [file for file in files if file.role is FileRole.PART]
    if not weights:
        raise PassedOver("holds no GGUF weights")
    return FoundModel(
        name=reference.name,
        reference=str(reference),
        source=SourceKind.OLLAMA,
        tool=AdoptedFrom.OLLAMA,
        path=Path(weights[0].location),
        root=store / "blobs",
        revision=hashlib.sha256(text).hexdigest(),  # as the registry names it
        files=files,
    )


def _reference(name: str) -> ModelReference:
    """`registry/namespace/model/tag` as the reference that pulls it."""
    parts = name.split("/")
    if len(parts) != 4:
        raise PassedOver("is not at registry/namespace/model/tag")
    registry, namespace, model, tag = parts
    host = "" if registry == DEFAULT_REGISTRY else f"{registry}/"
    space = "" if namespace == "library" and not host else f"{namespace}/"
    try:
        return parse_reference(f"ollama://{host}{space}{model}:{tag}")
    except InvalidReference as error:
        raise PassedOver(error.message) from error


def _manifest(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(MANIFEST_BYTES_MAX + 1)
    if len(text) > MANIFEST_BYTES_MAX:
        raise PassedOver("its manifest is too large to be one")
    return text


def _layers(text: bytes) -> list[tuple[_Layer, FileRole]]:
    """The layers whose meaning is known; the others (messages, configuration) are not needed to run the model."""
    try:
        parsed = _Manifest.model_validate_json(text)
    except ValidationError as error:
        raise PassedOver("its manifest cannot be understood") from error
    return [(layer, _ROLES[kind]) for layer in parsed.layers if (kind := layer.media_type.partition(";")[0]) in _ROLES]


def _blob(store: Path, layer: _Layer, role: FileRole) -> FoundFile:
    found = _DIGEST.fullmatch(layer.digest)
    if not found:
        raise PassedOver(f"names a blob that is none: {layer.digest[:80]!r}")
    name = f"sha256-{found[1]}"
    location = store / "blobs" / name
    try:
        status = location.lstat()
    except FileNotFoundError:
        raise PassedOver(f"its blob {name[:19]}… is missing") from None
    if not stat.S_ISREG(status.st_mode):
        raise PassedOver(f"its blob {name[:19]}… is a link, or no file")
    if status.st_size != layer.size:
        raise PassedOver(f"its blob {name[:19]}… has {status.st_size:,} bytes of {layer.size:,}")
    return found_file(name, str(location), status, sha256=found[1], role=role)
