"""Models in several files: the index of safetensors shards, the names of GGUF splits, what all parts hold together."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, cast

from paddock.catalog.headers.claims import is_clean_name, offence, shown, strict_json
from paddock.catalog.headers.safetensors import SafetensorsHeader, SafetensorsTensor
from paddock.catalog.values import as_mapping, as_positive

INDEX_BYTES_MAX: Final = 32 * 1024 * 1024
_SPLITS_MAX: Final = 9999
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SafetensorsIndex:
    """`model.safetensors.index.json`: which shard holds which tensor."""

    weight_map: Mapping[str, str]
    total_bytes: int | None

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.weight_map.values())))


@dataclass(frozen=True, slots=True)
class SafetensorsSummary:
    """All shards of a model together. `complete` is False when headers are missing, so that absence proves nothing."""

    tensors: Mapping[str, SafetensorsTensor]
    data_bytes: int
    bytes_by_dtype: Mapping[str, int]
    complete: bool = True


def parse_safetensors_index(data: bytes, *, name: str = "model.safetensors.index.json") -> SafetensorsIndex:
    """Read the index. Raises InvalidHeader; shard names are plain file names, so that none can leave the folder."""
    if len(data) > INDEX_BYTES_MAX:
        raise offence(name, f"is {len(data)} bytes long, more than any index ({INDEX_BYTES_MAX})")
    told = strict_json(data, lambda what: offence(name, what))
    if not isinstance(told, dict):
        raise offence(name, "is not an object")
    members = cast("dict[str, Any]", told)
    weight_map: object = members.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise offence(name, "has no `weight_map`")
    pairs = cast("dict[str, object]", weight_map)
    for tensor, file in pairs.items():
        if not is_clean_name(tensor):
            raise offence(name, f"has a tensor whose name is not text: `{shown(tensor)}`")
        if (
            not isinstance(file, str)
            or not is_clean_name(file)
            or not file.endswith(".safetensors")
            or "/" in file
            or "\\" in file
        ):
            raise offence(name, f"puts tensor `{shown(tensor)}` into `{shown(file)}`, which is not a shard's name")
    total = as_positive(as_mapping(members.get("metadata")).get("total_size"))
    return SafetensorsIndex(MappingProxyType(cast("dict[str, str]", pairs)), total)


def summarize_safetensors(
    headers: Mapping[str, SafetensorsHeader], *, index: SafetensorsIndex | None = None, complete: bool = True
) -> SafetensorsSummary:
    """Join the headers of one model, by file name. With `index`, every tensor must be in the shard that it names.

    Raises InvalidHeader when two shards hold the same tensor or one lacks what the index promises.
    """
    tensors: dict[str, SafetensorsTensor] = {}
    for file, header in headers.items():
        for tensor_name, tensor in header.tensors.items():
            if tensor_name in tensors:
                raise offence(file, f"holds tensor `{shown(tensor_name)}`, which another shard holds too")
            tensors[tensor_name] = tensor
    if index is not None:
        complete = complete and set(index.files) <= set(headers)
        for tensor_name, file in index.weight_map.items():
            if file in headers and tensor_name not in headers[file].tensors:
                raise offence(file, f"lacks tensor `{shown(tensor_name)}`, which the index promises")
    return SafetensorsSummary(
        MappingProxyType(tensors),
        sum(header.data_bytes for header in headers.values()),
        MappingProxyType(_bytes_by_dtype(tensors.values())),
        complete,
    )


def gguf_split_files(path: str) -> tuple[str, ...]:
    """All parts of a split GGUF when `path` is one of them (`…-00001-of-00003.gguf`), else just `path`."""
    found = _SPLIT.fullmatch(path)
    if not found or not 1 <= int(found["number"]) <= int(found["count"]) <= _SPLITS_MAX:
        return (path,)
    return tuple(
        f"{found['stem']}-{number:05d}-of-{found['count']}.gguf" for number in range(1, int(found["count"]) + 1)
    )


def _bytes_by_dtype(tensors: Iterable[SafetensorsTensor]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for tensor in tensors:
        totals[tensor.dtype] += tensor.size_bytes
    return dict(totals)
