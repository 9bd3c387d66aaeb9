"""Headers of weight files, read by our own bounds-checked code before any library sees the file.

A header is a stranger's claim: every length, count and offset is checked against the file before anything is
allocated, and whatever is wrong raises InvalidHeader that names file and offence. Readers are handed a RangeReader and
read little: 64 KB first, then twice as much, so that a header far away costs few round trips.
"""

from paddock.catalog.headers.gguf import GgufArray, GgufHeader, GgufSplit, GgufTensor, read_gguf_header
from paddock.catalog.headers.safetensors import (
    SafetensorsHeader,
    SafetensorsTensor,
    read_safetensors_header,
)
from paddock.catalog.headers.shards import (
    SafetensorsIndex,
    SafetensorsSummary,
    gguf_split_files,
    parse_safetensors_index,
    summarize_safetensors,
)

__all__ = [
    "GgufArray",
    "GgufHeader",
    "GgufSplit",
    "GgufTensor",
    "SafetensorsHeader",
    "SafetensorsIndex",
    "SafetensorsSummary",
    "SafetensorsTensor",
    "gguf_split_files",
    "parse_safetensors_index",
    "read_gguf_header",
    "read_safetensors_header",
    "summarize_safetensors",
]
