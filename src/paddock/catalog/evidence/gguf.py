"""What a GGUF header tells."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from paddock.catalog.clues import Clues
from paddock.catalog.evidence.template import clues_of_template
from paddock.catalog.evidence.weights import count_gguf_parameters
from paddock.catalog.headers import GgufHeader
from paddock.catalog.headers.ggml import FILE_TYPES
from paddock.catalog.traits import normalised_architecture, traits
from paddock.catalog.values import as_positive, as_text
from paddock.vocabulary import ModelFormat

_POOLING_RANK: Final = 4  # llama.cpp's LLAMA_POOLING_TYPE_RANK


def clues_of_gguf(header: GgufHeader, files: Sequence[str]) -> Clues:
    """A GGUF header is config, tokenizer and weights in one. Pictures need a projector file beside it."""
    architecture = header.architecture
    pooling = header.setting("pooling_type")
    embeds = normalised_architecture(architecture or "") in traits().embedding_architectures
    template = as_text(header.metadata.get("tokenizer.chat_template"))
    own = Clues(
        architecture=architecture,
        parameters=as_positive(header.metadata.get("general.parameter_count")) or count_gguf_parameters(header),
        quantization=_quantization(header),
        context_window=as_positive(header.setting("context_length")),
        format=ModelFormat.GGUF,
        vision=_sees(header, files),
        embeddings=True if embeds or (as_positive(pooling) and pooling != _POOLING_RANK) else None,
        reranker=True if pooling == _POOLING_RANK else None,
    )
    return own.over(clues_of_template(template)) if template else own


def is_projector(path: str) -> bool:
    """True for the file that turns pictures into tokens for another GGUF."""
    return "mmproj" in path.rsplit("/", 1)[-1].lower()


def _sees(header: GgufHeader, files: Sequence[str]) -> bool | None:
    if header.architecture == "clip" or any(is_projector(path) for path in files):
        return True
    return False if files else None


def _quantization(header: GgufHeader) -> str | None:
    file_type = header.metadata.get("general.file_type")
    if isinstance(file_type, int) and file_type in FILE_TYPES:
        return FILE_TYPES[file_type]
    weights: Counter[str] = Counter()
    for tensor in header.tensors.values():
        weights[tensor.type] += tensor.size_bytes
    return weights.most_common(1)[0][0] if weights else None
