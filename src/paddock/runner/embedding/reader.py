"""Texts to tokens, with the model's own tokenizer.json: no padding, nothing cut that was not to be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from paddock.errors import Corrupt, PromptTooLong, UsageError
from paddock.runner.embedding.encoder import Tokens
from paddock.runner.embedding.folder import EmbeddingFolder
from paddock.vocabulary import EmbedRequest, RerankRequest

_HINT: Final = "Pull the model again: `paddock pull`."
_SHOWN_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class ReadInputs:
    rows: Sequence[Tokens]
    cut: tuple[int, ...]  # tokens that were cut off each; empty when nothing was


class Reader:
    """One model's. Raises UsageError and PromptTooLong, which name the input by its number, counted from 0."""

    def __init__(self, tokenizer: Any, folder: EmbeddingFolder, *, name: str, tokens_max: int, vocabulary: int) -> None:
        self._tokenizer = tokenizer
        self._folder = folder
        self._name = name
        self._tokens_max = tokens_max
        self._vocabulary = vocabulary

    def inputs(self, request: EmbedRequest) -> ReadInputs:
        """Each input as the model reads it."""
        prompt = self._prompt(request)
        texts = [prompt + self._cased(each) for each in request.inputs if isinstance(each, str)]
        read = iter(self._read(texts, truncate=request.truncate))
        rows: list[tuple[Tokens, int]] = []
        for number, each in enumerate(request.inputs):
            rows.append(next(read) if isinstance(each, str) else self._given(each, number, truncate=request.truncate))
        if not request.truncate:
            for number, (row, _) in enumerate(rows):
                self._check_length(f"Input {number}", len(row), "input")
        cut = tuple(cut for _, cut in rows)
        return ReadInputs([row for row, _ in rows], cut if any(cut) else ())

    def pairs(self, request: RerankRequest) -> ReadInputs:
        """The query with each document. Only documents are cut."""
        query = self._cased(request.query)
        pairs = [(query, self._cased(document)) for document in request.documents]
        alone = len(self._tokenizer.encode(query, "").ids)
        if alone >= self._tokens_max:
            raise PromptTooLong(
                f"The query has {alone} tokens; `{self._name}` reads {self._tokens_max} of query and document together.",
                hint="Shorten the query.",
                param="query",
            )
        read = self._encode(pairs, truncate=request.truncate, strategy="only_second")
        if not request.truncate:
            for number, (row, _) in enumerate(read):
                self._check_length(f"Document {number} with the query", len(row), "documents")
        cut = tuple(cut for _, cut in read)
        return ReadInputs([row for row, _ in read], cut if any(cut) else ())

    def _prompt(self, request: EmbedRequest) -> str:
        prompt = self._folder.prompt(request.input_type)
        if prompt is None:
            raise UsageError(
                f"`{self._name}` knows no inputs of type `{(request.input_type or '')[:_SHOWN_MAX]}`.",
                hint=f"It knows {', '.join(f'`{each}`' for each in self._folder.input_types)}.",
                param="input_type",
            )
        if prompt and request.input_type and any(not isinstance(each, str) for each in request.inputs):
            raise UsageError(
                "Tokens are taken as they are; no prompt can be put before them.",
                hint="Leave `input_type` out, or send texts.",
                param="input_type",
            )
        return prompt

    def _cased(self, text: str) -> str:
        return text.lower() if self._folder.lower_case else text

    def _read(self, texts: Sequence[str], *, truncate: bool) -> list[tuple[Tokens, int]]:
        return self._encode(texts, truncate=truncate, strategy="longest_first")

    def _encode(
        self, texts: Sequence[str] | Sequence[tuple[str, str]], *, truncate: bool, strategy: str
    ) -> list[tuple[Tokens, int]]:
        """Tokens, and how many were cut off."""
        if not texts:
            return []
        read = [(_tokens(encoding), 0) for encoding in self._tokenizer.encode_batch(list(texts))]
        too_long = [number for number, (row, _) in enumerate(read) if len(row) > self._tokens_max]
        if too_long and truncate:
            self._tokenizer.enable_truncation(self._tokens_max, strategy=strategy)
            try:
                kept = self._tokenizer.encode_batch([texts[number] for number in too_long])
            finally:
                self._tokenizer.no_truncation()
            for number, encoding in zip(too_long, kept, strict=True):
                read[number] = _tokens(encoding), len(read[number][0]) - len(encoding.ids)
        return read

    def _given(self, tokens: Sequence[int], number: int, *, truncate: bool) -> tuple[Tokens, int]:
        if not tokens:
            raise UsageError(f"Input {number} has no tokens.", hint="Leave it out.", param="input")
        wrong = next((token for token in tokens if not 0 <= token < self._vocabulary), None)
        if wrong is not None:
            raise UsageError(
                f"Input {number} has the token {wrong}; `{self._name}` knows 0 to {self._vocabulary - 1}.",
                hint="Use this model's own tokenizer, or send the text.",
                param="input",
            )
        kept = tokens[: self._tokens_max] if truncate else tokens
        return Tokens(kept), len(tokens) - len(kept)

    def _check_length(self, what: str, tokens: int, param: str) -> None:
        if tokens > self._tokens_max:
            raise PromptTooLong(
                f"{what} has {tokens} tokens; `{self._name}` reads {self._tokens_max}.",
                hint="Shorten it, part it, or ask for it to be cut with `truncate`.",
                param=param,
            )
        if not tokens:
            raise UsageError(
                f"{what} has nothing that `{self._name}` reads.", hint="Leave it out, or send more.", param=param
            )


def _tokens(encoding: Any) -> Tokens:
    return Tokens(encoding.ids, encoding.type_ids if any(encoding.type_ids) else ())


def load_tokenizer(path: Path, name: str) -> Any:
    """The tokenizer in the folder `path`; whatever padding and cutting its file asks for is off. Raises Corrupt."""
    from tokenizers import Tokenizer

    file = path / "tokenizer.json"
    if not file.is_file():
        raise Corrupt(f"`{name}` has no tokenizer.json.", hint=_HINT)
    try:
        tokenizer: Any = Tokenizer.from_file(str(file))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except Exception as error:  # the library raises bare Exceptions for a broken file
        raise Corrupt(f"The tokenizer.json of `{name}` cannot be read: {str(error)[:200]}.", hint=_HINT) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
