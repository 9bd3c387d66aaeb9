"""A GGUF model's files, checked by our own parser before llama.cpp reads a byte of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paddock.catalog.headers import GgufArray, GgufHeader, gguf_split_files, read_gguf_header
from paddock.catalog.headers.gguf import GgufScalar
from paddock.catalog.reading import FileReader
from paddock.errors import Corrupt, Incompatible

_PULL_AGAIN: Final = "Pull the model again: `paddock pull`."


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """What the files say, by themselves."""

    path: Path  # the first, by which llama.cpp finds the others
    name: str
    header: GgufHeader  # of the first
    data_bytes: int  # of all

    @property
    def architecture(self) -> str:
        return self.header.architecture or ""

    @property
    def metadata(self) -> Mapping[str, GgufScalar | GgufArray]:
        return self.header.metadata

    @property
    def templates(self) -> Mapping[str, str]:
        """Chat templates by name; the usual one is `default`."""
        found: dict[str, str] = {}
        for key, value in self.metadata.items():
            if key == "tokenizer.chat_template" and isinstance(value, str):
                found["default"] = value
            elif key.startswith("tokenizer.chat_template.") and isinstance(value, str):
                found[key.removeprefix("tokenizer.chat_template.")] = value
        return found


def read_files(path: Path, name: str) -> ModelFiles:
    """Raises Incompatible for what is no GGUF model, Corrupt (InvalidHeader too) for files that are missing or broken."""
    if not path.is_file():
        raise Incompatible(f"`{name}` is not a GGUF file.", hint="Check the path, or pull the model again.")
    parts = [path.with_name(part) for part in gguf_split_files(path.name)]
    missing = [part.name for part in parts if not part.is_file()]
    if missing:
        raise Corrupt(f"`{name}` lacks {len(missing)} of its files, `{missing[0]}` for one.", hint=_PULL_AGAIN)
    try:
        headers = [read_gguf_header(FileReader(part), name=part.name) for part in parts]
    except OSError as error:
        raise Corrupt(f"The file of `{name}` cannot be read: {error.strerror}.", hint=_PULL_AGAIN) from error
    first = headers[0]
    if first.architecture is None:
        raise Corrupt(f"The header of `{name}` names no architecture.", hint=_PULL_AGAIN)
    _check_parts(headers, name)
    return ModelFiles(path=parts[0], name=name, header=first, data_bytes=sum(each.data_bytes for each in headers))


def _check_parts(headers: list[GgufHeader], name: str) -> None:
    told = headers[0].split
    if told is not None and told.count != len(headers):
        raise Corrupt(
            f"`{name}` has {len(headers)} of its {told.count} files, or they have been renamed.", hint=_PULL_AGAIN
        )
    for number, header in enumerate(headers if told is not None else ()):
        if header.split is None or (header.split.number, header.split.count) != (number, len(headers)):
            raise Corrupt(f"File {number + 1} of `{name}` belongs to another model.", hint=_PULL_AGAIN)
    if told is not None and told.tensors is not None and told.tensors != sum(len(each.tensors) for each in headers):
        raise Corrupt(f"The files of `{name}` do not hold the tensors that they promise.", hint=_PULL_AGAIN)
