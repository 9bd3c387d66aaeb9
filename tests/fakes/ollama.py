"""Ollama's registry on loopback.

No official client pulls from it in Python, so the protocol is taken from Ollama's public source: names and defaults
(`types/model/name.go`), `GET /v2/{namespace}/{model}/manifests/{tag}` that accepts Docker's manifest version 2
(`server/images.go`), blobs by digest with HEAD for the size and ranges after a redirect to another host
(`server/download.go`), error bodies `{"errors": [{"code", "message"}]}` (`server/internal/client/ollama/registry.go`).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tests.fakes.content import Content, content_of
from tests.fakes.messages import Answer, Request
from tests.fakes.repository import FileValue
from tests.fakes.serving import FakeServer

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_PREFIX = "application/vnd.ollama.image."


class OllamaRegistry(FakeServer):
    """The registry. `registry` on 127.0.0.1 has the manifests, `storage` on localhost the blobs."""

    listener_hosts: Mapping[str, str] = {"registry": "127.0.0.1", "storage": "localhost"}

    def __init__(self) -> None:
        super().__init__()
        self.manifests: dict[str, bytes] = {}
        self._blobs: dict[str, Content] = {}

    def add_model(
        self,
        name: str,
        layers: Mapping[str, FileValue] | list[tuple[str, FileValue]],
        *,
        config: Mapping[str, Any] | None = None,
        annotations: Mapping[str, Any] | None = None,
    ) -> str:
        """`name` is `model:tag` or `user/model:tag`; `layers` go by kind (`model`, `template`, `license`…), in order.

        Returns the manifest's digest. `annotations` are merged into the first layer, for manifests that lie.
        """
        described = [
            self._blob(content_of(value), LAYER_PREFIX + kind)
            for kind, value in (layers.items() if isinstance(layers, Mapping) else layers)
        ]
        described[0] |= annotations or {}
        about = {"model_format": "gguf", "model_family": "llama", "model_type": "8.0B", "file_type": "Q4_0"}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": self._blob(content_of(json.dumps(about | dict(config or {}))), CONFIG_TYPE),
            "layers": described,
        }
        return self.add_manifest(name, json.dumps(manifest).encode())

    def add_manifest(self, name: str, manifest: bytes) -> str:
        """A manifest as it is, however wrong."""
        self.manifests[name if "/" in name else f"library/{name}"] = manifest
        return hashlib.sha256(manifest).hexdigest()

    def _blob(self, content: Content, media_type: str) -> dict[str, Any]:
        digest = f"sha256:{content.sha256}"
        self._blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": content.size}

    def answer(self, request: Request) -> Answer:
        match request.path.strip("/").split("/"):
            case ["v2", namespace, model, "manifests", tag] if request.at == "registry":
                return self._manifest(f"{namespace}/{model}:{tag}")
            case ["v2", namespace, model, "blobs", digest] if request.at == "registry":
                return self._redirect(f"{namespace}/{model}", digest)
            case ["blobs", digest] if request.at == "storage" and digest in self._blobs:
                label = request.one("label") or ""
                headers = {"Content-Type": "application/octet-stream", "ETag": f'"{digest[7:39]}"'}
                return Answer(200, headers, self._blobs[digest], ranges=True, label=label)
            case _:
                return _error(404, "NOT_FOUND", "404 page not found")

    def _manifest(self, name: str) -> Answer:
        manifest = self.manifests.get(name)
        if manifest is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        digest = hashlib.sha256(manifest).hexdigest()
        headers = {"Content-Type": MANIFEST_TYPE, "Ollama-Content-Digest": digest}
        return Answer(200, headers, content_of(manifest), label=name)

    def _redirect(self, repository: str, digest: str) -> Answer:
        if digest not in self._blobs:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        label = f"{repository}/{digest}"
        return Answer.redirect(f"{self.address('storage')}/blobs/{digest}?label={label}", 307, label=label)


def _error(status: int, code: str, message: str) -> Answer:
    return Answer.json({"errors": [{"code": code, "message": message}]}, status)
