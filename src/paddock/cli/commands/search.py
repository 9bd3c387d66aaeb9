"""`paddock search`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.cli.words import NOT_KNOWN
from paddock.library.searching import SearchHit
from paddock.units import human_bytes
from paddock.vocabulary import SourceKind, Verdict

_NO_FLAGS = Flags()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    query: str
    hits: tuple[SearchHit, ...]


async def search(
    *query: Annotated[str, Parameter(help="Words to look for.")],
    limit: Annotated[int, Parameter(help="How many to show at most.", show_default=True)] = 20,
    source: Annotated[
        Literal["huggingface", "kaggle", "ollama", "builtin"] | None, Parameter(help="Ask only this hub.")
    ] = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Find models at the hubs, and see which run here.

    Sizes are those of the files that `paddock pull` would fetch.
    """
    words = " ".join(query)
    async with desk.library() as library:
        hits = await library.search(words, limit=limit, source=SourceKind(source) if source else None)
    desk.answer(SearchDocument(query=words, hits=tuple(hits)), lambda screen: _show(screen, words, hits))


_COLUMNS = (
    Column(title="name"),
    Column(title="format", rank=2),
    Column(title="size", right=True),
    Column(title="licence", rank=3),
    Column(title="gated", rank=4),
    Column(title="downloads", right=True, rank=5),
    Column(title="runs here"),
)


def _show(screen: Screen, words: str, hits: Sequence[SearchHit]) -> None:
    if not hits:
        screen.line(f"No model found for {words!r}.")
        return
    rows: list[Sequence[Cell]] = [
        (
            hit.reference,
            hit.format.value,
            NOT_KNOWN if hit.size is None else human_bytes(hit.size),
            hit.license or NOT_KNOWN,
            "gated" if hit.gated else "",
            f"{hit.downloads:,}",
            _runs_here(hit),
        )
        for hit in hits
    ]
    show_table(screen, _COLUMNS, rows)


def _runs_here(hit: SearchHit) -> Text:
    here = ", is here" if hit.here else ""
    if hit.compatibility.verdict is Verdict.INCOMPATIBLE:
        return Text(f"no{here}", style="red")
    if hit.fits is False:
        return Text(f"too large{here}", style="red")
    if hit.runs_here is None:
        return Text(f"not known{here}", style="yellow")
    return Text(f"yes{here}", style="green")
