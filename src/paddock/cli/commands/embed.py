"""`paddock embed`."""

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.errors import UsageError

if TYPE_CHECKING:
    from paddock.client.asking import Embeddings

_NO_FLAGS = Flags()
_DIGITS = 9  # enough to tell any two numbers of float32 apart


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedDocument:
    """Vectors of all texts, in their order."""

    model: str
    dimensions: int
    vectors: tuple[tuple[float, ...], ...]
    tokens: tuple[int, ...]
    truncated_tokens: int


async def embed(
    model: Annotated[str, Parameter(help="Its name.")],
    texts: Annotated[
        tuple[str, ...],
        Parameter(
            allow_leading_hyphen=True, help="What to embed; `-`, or nothing, reads standard input, one text a line."
        ),
    ] = (),
    /,
    *,
    dimensions: Annotated[int | None, Parameter(help="Shorter vectors, of models that were trained for them.")] = None,
    truncate: Annotated[bool, Parameter(help="Cut texts that are too long; else they are refused.")] = False,
    input_type: Annotated[
        str | None, Parameter(help="What the texts are, for models that want to know: `query`, `document`.")
    ] = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Make vectors of texts, to compare their meaning.

    Texts of like meaning have vectors that point the same way: each has the length 1, and the product of two says how alike
    they are. One vector a line goes to stdout, as a JSON list of numbers. A running server does the work, else this command.
    """
    from paddock.client.opening import open_paddock

    if texts in ((), ("-",)):
        lines = await asyncio.to_thread(desk.invocation.stdin.read)
        texts = tuple(line for line in lines.splitlines() if line.strip())
    if not texts:
        raise UsageError("There is nothing to embed.", hint='Give a text: `paddock embed pony-embed "A horse"`.')
    async with open_paddock(config=desk.config) as paddock:
        made = await paddock.embed(texts, model=model, dimensions=dimensions, truncate=truncate, input_type=input_type)
    if made.truncated_tokens:
        desk.notice(f"{made.truncated_tokens} tokens of texts that were too long were cut off.")
    document = _document(made)
    desk.answer(document, lambda screen: _write(screen, document))


def _document(made: "Embeddings") -> EmbedDocument:
    vectors = tuple(tuple(float(f"{number:.{_DIGITS}g}") for number in vector) for vector in made.vectors)
    return EmbedDocument(
        model=made.model,
        dimensions=len(vectors[0]),
        vectors=vectors,
        tokens=made.tokens,
        truncated_tokens=made.truncated_tokens,
    )


def _write(screen: Screen, document: EmbedDocument) -> None:
    for vector in document.vectors:
        screen.stream.write(json.dumps(vector) + "\n")
