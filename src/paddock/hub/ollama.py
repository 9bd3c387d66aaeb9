"""Ollama's registry: a manifest names layers, each a blob with its SHA-256. Read without Ollama being installed.

GET {registry}/v2/{namespace}/{model}/manifests/{tag}      the manifest; its own hash is the revision
GET {registry}/v2/{namespace}/{model}/blobs/{digest}       a layer, by way of a redirect to another host
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field, ValidationError

from paddock.catalog.reading import RangeReader
from paddock.errors import AccessDenied, Corrupt, Incompatible, InvalidReference, ModelNotFound
from paddock.hub.addresses import host_of, is_loopback
from paddock.hub.answers import read_json, remote_reader, unexpected
from paddock.hub.http import Answer, HttpClient
from paddock.hub.reference import OLLAMA_REGISTRY, ModelReference
from paddock.hub.source import Hit, Listing, RemoteFile
from paddock.store.names import check_file_paths
from paddock.vocabulary import SourceKind

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_LAYER_PREFIX = "application/vnd.ollama.image."
_MANIFEST_BYTES_MAX = 4 << 20
_CONFIG_BYTES_MAX = 1 << 20
_LAYERS_MAX = 1000
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_KIND = re.compile(r"[a-z0-9_-]{1,40}")
_FILE_NAMES = {
    "model": "model.gguf",
    "projector": "projector.gguf",
    "adapter": "adapter.gguf",
    "params": "params.json",
    "messages": "messages.json",
}  # the others keep the name of their kind: template, system, license


class _Layer(BaseModel):
    mediaType: str = ""  # noqa: N815 - the registry's spelling
    digest: str
    size: Annotated[int, Field(ge=0, le=1 << 50)]


class _Manifest(BaseModel):
    config: _Layer | None = None
    layers: Annotated[list[_Layer], Field(max_length=_LAYERS_MAX)]


class _Error(BaseModel):
    message: str = ""


class _Errors(BaseModel):
    errors: list[_Error] = []


class OllamaSource:
    """`ollama://model:tag`, from the registry it is given or the one that the reference names.

    A reference may name another registry by host, over HTTPS or on this machine; `hosts_allowed` narrows that to the
    hosts in it, for callers whose references come from strangers.
    """

    kind = SourceKind.OLLAMA

    def __init__(
        self,
        client: HttpClient,
        *,
        registry: str = f"https://{OLLAMA_REGISTRY}",
        hosts_allowed: Collection[str] | None = None,
    ) -> None:
        self._client = client
        self._registry = registry.rstrip("/")
        self._hosts_allowed = hosts_allowed

    def search(self, query: str, *, limit: int) -> Sequence[Hit]:
        """Nothing: the registry cannot be searched."""
        return ()

    def list(self, reference: ModelReference) -> Listing:
        """The layers of one tag as files. Raises ModelNotFound, AccessDenied, Corrupt, Incompatible, HubUnreachable…"""
        base, repository, tag = self._place(reference.name)
        answer = self._client.get(
            f"{base}/v2/{repository}/manifests/{tag}",
            extra={"accept": MANIFEST_TYPE},
            bytes_max=_MANIFEST_BYTES_MAX,
        )
        if answer.status != 200:
            raise _refusal(answer, reference)
        manifest = read_json(answer, _Manifest)
        about = self._about(f"{base}/v2/{repository}/blobs", manifest.config, reference)
        return Listing(
            reference=reference,
            name=reference.name,
            source=SourceKind.OLLAMA,
            revision=hashlib.sha256(answer.body).hexdigest(),
            files=_files(manifest.layers, f"{base}/v2/{repository}/blobs", reference),
            metadata={"ollama": about} if about else {},
        )

    def reader(self, listing: Listing, file: RemoteFile) -> RangeReader:
        return remote_reader(self._client, listing.name, file)

    def headers(self, url: str) -> Mapping[str, str]:
        """None: what is public needs no key, and a key of Ollama's signs requests in ways of its own."""
        return {}

    def refresh(self, listing: Listing, file: RemoteFile) -> RemoteFile:
        """As it is: the registry signs a new address each time it is asked for the blob."""
        return file

    def _place(self, name: str) -> tuple[str, str, str]:
        """The registry's address, `namespace/model` and the tag of `[host/][namespace/]model:tag`."""
        path, _, tag = name.rpartition(":")
        parts = path.split("/")
        host = parts.pop(0) if len(parts) > 1 and re.search(r"[.:]|^localhost$", parts[0]) else None
        repository = "/".join(parts) if len(parts) > 1 else f"library/{parts[0]}"
        if host is None:
            return self._registry, repository, tag
        if self._hosts_allowed is not None and host not in self._hosts_allowed:
            raise InvalidReference(
                f"`{host}` is not a registry that may be asked here.",
                hint="Use a model of the configured registry, or set `hub.ollama_registry`.",
            )
        scheme = "http" if is_loopback(host.partition(":")[0]) else "https"
        return f"{scheme}://{host}", repository, tag

    def _about(self, blobs: str, config: _Layer | None, reference: ModelReference) -> dict[str, Any]:
        """What the manifest's config says: family, size and quantization as Ollama shows them."""
        if config is None or config.size > _CONFIG_BYTES_MAX:
            return {}
        sha256 = _sha256_of(config, reference)
        answer = self._client.get(f"{blobs}/{config.digest}", bytes_max=_CONFIG_BYTES_MAX)
        if answer.status != 200:
            return {}
        if hashlib.sha256(answer.body).hexdigest() != sha256:
            raise Corrupt(
                f"The description of `{reference}` does not have the hash that its manifest gives.",
                hint="Try again; when it stays so, do not trust that registry.",
            )
        try:
            value: object = json.loads(answer.body)
        except (ValueError, RecursionError):
            return {}
        told = cast(dict[str, Any], value) if isinstance(value, dict) else {}
        return {key: told[key] for key in ("model_format", "model_family", "model_type", "file_type") if key in told}


def _files(layers: Iterable[_Layer], blobs: str, reference: ModelReference) -> tuple[RemoteFile, ...]:
    files: list[RemoteFile] = []
    seen: Counter[str] = Counter()
    for layer in layers:
        kind = layer.mediaType.partition(";")[0].strip().removeprefix(_LAYER_PREFIX)
        if kind == "tensor":
            raise Incompatible(
                f"`{reference}` is stored tensor by tensor, in a form that only Ollama reads.",
                hint="Take another tag, or the same model from Hugging Face.",
            )
        if not _KIND.fullmatch(kind):
            raise Corrupt(
                f"The manifest of `{reference}` holds a layer of no known kind.",
                hint="It may be a container image and no model; check the name.",
            )
        sha256 = _sha256_of(layer, reference)
        seen[kind] += 1
        path = _numbered(_FILE_NAMES.get(kind, kind), seen[kind])
        files.append(
            RemoteFile(path=path, size=layer.size, sha256=sha256, key=layer.digest, location=f"{blobs}/{layer.digest}")
        )
    check_file_paths((file.path for file in files), of=str(reference))
    if not seen["model"]:
        raise Incompatible(
            f"`{reference}` has no weights to fetch; it may run in Ollama's cloud only.",
            hint="Take a tag that names a size, such as `:8b`.",
        )
    return tuple(files)


def _sha256_of(layer: _Layer, reference: ModelReference) -> str:
    found = _DIGEST.fullmatch(layer.digest)
    if not found:
        raise Corrupt(
            f"The manifest of `{reference}` holds a digest that is none.",
            hint="Nothing was fetched. Do not trust that registry.",
        )
    return found[1]


def _numbered(name: str, number: int) -> str:
    """`license`, `license-2`, …: some models come with several texts of a kind."""
    stem, dot, suffix = name.partition(".")
    return name if number == 1 else f"{stem}-{number}{dot}{suffix}"


def _refusal(answer: Answer, reference: ModelReference) -> Exception:
    said = _said(answer)
    if answer.status in (400, 404):
        model = reference.name.rpartition(":")[0].rpartition("/")[2]
        return ModelNotFound(
            f"`{host_of(answer.url)}` has no model `{reference.name}`.",
            hint=f"Its tags are shown at https://ollama.com/library/{model}/tags.",
        )
    if answer.status in (401, 403):
        return AccessDenied(
            f"`{host_of(answer.url)}` does not give `{reference.name}` to everyone.",
            hint="Pull it with Ollama itself, signed in; Paddock then adopts it from Ollama's folder.",
        )
    if answer.status == 412:  # the registry's way to say that a client is too old for a model
        return Incompatible(
            f"`{host_of(answer.url)}` gives `{reference.name}` to newer clients only{': ' + said if said else ''}.",
            hint="Take another tag, or the same model from Hugging Face.",
        )
    return unexpected(answer, said)


def _said(answer: Answer) -> str | None:
    """The registry's own words, one short line of them."""
    try:
        errors = _Errors.model_validate_json(answer.body).errors
    except ValidationError:
        return None
    return " ".join(errors[0].message.split())[:200] if errors and errors[0].message else None
