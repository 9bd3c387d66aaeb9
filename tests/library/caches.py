"""Stores of other tools, laid out on a real disk the way those tools lay them out."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

COMMIT = "a" * 40
OTHER_COMMIT = "b" * 40
MLX_FILES = {"config.json": b'{"model_type": "qwen3"}', "model.safetensors": b"weights", "tokenizer.json": b"{}"}


def huggingface_repository(
    hub: Path,
    name: str,
    files: Mapping[str, bytes],
    *,
    commit: str = COMMIT,
    ref: str | None = "main",
    shared: bool = False,
) -> Path:
    """One snapshot; with `shared`, its large files lie in the cache's shared store. Returns the snapshot's folder."""
    repository = hub / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    (repository / "blobs").mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        is_large = path.endswith((".safetensors", ".gguf"))
        key = hashlib.sha256(content).hexdigest() if is_large else hashlib.sha1(content).hexdigest()
        blob = repository / "blobs" / key
        if not blob.exists():
            if shared and is_large:
                stored = shared_store(hub) / key[:2] / key
                stored.parent.mkdir(exist_ok=True)
                stored.write_bytes(content)
                blob.symlink_to(Path("..", "..", "blobs", key[:2], key))
            else:
                blob.write_bytes(content)
        link = snapshot / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(*[".."] * (2 + path.count("/")), "blobs", key))
    if ref:
        (repository / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (repository / "refs" / ref).write_text(commit)
    return snapshot


def shared_store(hub: Path) -> Path:
    store = hub / "blobs"
    store.mkdir(exist_ok=True)
    (store / ".huggingface-shared-blobs").write_text("1\n")
    return store


def ollama_model(
    store: Path,
    name: str,
    layers: Mapping[str, bytes],
    *,
    registry: str = "registry.ollama.ai",
) -> Path:
    """`name` is namespace/model/tag; `layers` maps the last word of a media type to content. Returns the manifest."""
    blobs = store / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    told: list[dict[str, object]] = []
    for kind, content in layers.items():
        digest = hashlib.sha256(content).hexdigest()
        (blobs / f"sha256-{digest}").write_bytes(content)
        told.append(
            {
                "mediaType": f"application/vnd.ollama.image.{kind}",
                "digest": f"sha256:{digest}",
                "size": len(content),
            }
        )
    manifest = store / "manifests" / registry / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": "", "size": 2},
                "layers": told,
            }
        )
    )
    return manifest


def lmstudio_model(store: Path, name: str, files: Mapping[str, bytes]) -> Path:
    folder = store / name
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder
