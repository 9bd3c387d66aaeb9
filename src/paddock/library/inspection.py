"""Looks into a model, here or at its source, and says what it is: kilobytes of headers, never the weights.

The same code reads a folder on this disk and a repository on a hub, because both hand it readers. Blocking.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, cast

from paddock.catalog.detection import HubFacts, detect
from paddock.catalog.facts import Facts
from paddock.catalog.headers import (
    GgufHeader,
    SafetensorsSummary,
    gguf_split_files,
    parse_safetensors_index,
    read_gguf_header,
    read_safetensors_header,
    summarize_safetensors,
)
from paddock.catalog.known import KnownModels
from paddock.catalog.reading import FileReader, RangeReader
from paddock.catalog.values import as_positive
from paddock.errors import InvalidHeader

SMALL_FILE_BYTES_MAX = 16 << 20  # config.json, tokenizer_config.json, templates: larger ones are not what they claim
_SHARDS_READ_MAX = 256
_LICENSE_CHARACTERS_MAX = 200

Open = Callable[[str], RangeReader]  # by the model's own file name


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found, and what could not be read."""

    facts: Facts
    config: Mapping[str, Any] | None = None
    gguf: GgufHeader | None = None
    safetensors: SafetensorsSummary | None = None
    problems: tuple[str, ...] = ()  # each a sentence: a config that is no JSON, a text that is none
    damaged: tuple[str, ...] = ()  # the same about weight files: no runner can load these

    @property
    def license(self) -> str | None:
        """The licence that a GGUF carries in its header."""
        told = self.gguf.metadata.get("general.license") if self.gguf is not None else None
        return told[:_LICENSE_CHARACTERS_MAX] if isinstance(told, str) and told.isprintable() and told else None


def inspect(
    name: str, paths: Sequence[str], open_file: Open, *, known: KnownModels, hub: HubFacts | None = None
) -> Inspection:
    """What the model `name` is, from its files and what a hub says of it.

    A file that cannot be understood is a problem in the answer, not an error. Errors of the network and of access pass.
    """
    return _Inspector(paths, open_file).inspect(name, known, hub)


def inspect_unread(name: str, paths: Sequence[str], *, known: KnownModels, hub: HubFacts | None) -> Inspection:
    """The same from names and the hub's words alone, where reading is not possible or would be too much."""
    return Inspection(
        facts=detect(name=name, config=None, hub=hub, files=paths, gguf=None, safetensors=None, known=known)
    )


class _Inspector:
    def __init__(self, paths: Sequence[str], open_file: Open) -> None:
        self._paths = paths
        self._open = open_file
        self._problems: list[str] = []
        self._damaged: list[str] = []

    def inspect(self, name: str, known: KnownModels, hub: HubFacts | None) -> Inspection:
        config = self._json("config.json")
        gguf = self._gguf()
        safetensors = None if gguf is not None else self._safetensors()
        facts = detect(
            name=name,
            config=config,
            hub=hub,
            files=self._paths,
            gguf=gguf,
            safetensors=safetensors,
            tokenizer_config=self._json("tokenizer_config.json"),
            chat_template=self._text("chat_template.jinja"),
            known=known,
        )
        if facts.model_type == "embeddings":
            facts = _as_long_as_trained(facts, self._json("sentence_bert_config.json"))
        return Inspection(
            facts=facts,
            config=config,
            gguf=gguf,
            safetensors=safetensors,
            problems=tuple(self._problems),
            damaged=tuple(self._damaged),
        )

    def _gguf(self) -> GgufHeader | None:
        """The header of the first weight file that is no projector; a split model's tensors are joined."""
        files = sorted(path for path in self._paths if path.lower().endswith(".gguf"))
        weights = [path for path in files if "mmproj" not in path.lower() and "projector" not in path.lower()] or files
        if not weights:
            return None
        parts = [path for path in gguf_split_files(weights[0]) if path in self._paths][:_SHARDS_READ_MAX]
        headers = [header for path in parts if (header := self._try(path, read_gguf_header)) is not None]
        if not headers:
            return None
        tensors = {name: tensor for header in headers for name, tensor in header.tensors.items()}
        return replace(headers[0], tensors=tensors, data_bytes=sum(header.data_bytes for header in headers))

    def _safetensors(self) -> SafetensorsSummary | None:
        shards = sorted(path for path in self._paths if path.endswith(".safetensors"))
        if not shards:
            return None
        headers = {
            path: header
            for path in shards[:_SHARDS_READ_MAX]
            if (header := self._try(path, read_safetensors_header)) is not None
        }
        index_text = self._text("model.safetensors.index.json")
        try:
            index = parse_safetensors_index(index_text.encode()) if index_text else None
            return summarize_safetensors(headers, index=index, complete=len(headers) == len(shards))
        except InvalidHeader as error:
            self._damaged.append(error.message)
            return summarize_safetensors(headers, complete=False) if len(headers) == 1 else None

    def _try(self, path: str, read: "Callable[..., Any]") -> Any:
        try:
            return read(self._open(path), name=path)
        except InvalidHeader as error:
            self._damaged.append(error.message)
            return None

    def _json(self, name: str) -> dict[str, Any] | None:
        text = self._text(name)
        if text is None:
            return None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            self._problems.append(f"`{name}` is not JSON.")
            return None
        if not isinstance(value, dict):
            self._problems.append(f"`{name}` is not an object.")
            return None
        return cast("dict[str, Any]", value)

    def _text(self, name: str) -> str | None:
        """A small text file at the top of the model, None when there is none."""
        path = self._find(name)
        if path is None:
            return None
        reader = self._open(path)
        if reader.size > SMALL_FILE_BYTES_MAX:
            self._problems.append(f"`{name}` is {reader.size:,} bytes long, which no such file is.")
            return None
        try:
            return reader.read(0, reader.size).decode()
        except UnicodeDecodeError:
            self._problems.append(f"`{name}` is not text.")
            return None

    def _find(self, name: str) -> str | None:
        """At the top, else the one that lies highest: some repositories keep the model in a folder."""
        if name in self._paths:
            return name
        below = [path for path in self._paths if PurePosixPath(path).name == name]
        return min(below, key=lambda path: (path.count("/"), path)) if below else None


def disk_reader(locations: Mapping[str, str]) -> Open:
    """Readers for files on this disk, by their names in the model."""
    return lambda name: FileReader(Path(locations[name]))


def _as_long_as_trained(facts: Facts, sentence: Mapping[str, Any] | None) -> Facts:
    """Authors of models that embed may say that fewer tokens are read than there are positions for."""
    longest = as_positive((sentence or {}).get("max_seq_length"))
    if longest is None or longest >= facts.context_window:
        return facts
    origins = MappingProxyType({**facts.origins, "context_window": "files"})
    return replace(
        facts, context_window=longest, max_output_tokens=min(facts.max_output_tokens, longest), origins=origins
    )
