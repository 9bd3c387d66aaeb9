"""Models side by side: one row a field, whether they differ in it, and which is better where that means anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from paddock.vocabulary import Capabilities, ModelInfo

Cell = str | int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field of every model, in the order the models were given. `best` holds the names that win it, if any can."""

    field: str
    values: tuple[Cell, ...]
    differs: bool
    best: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    models: tuple[str, ...]
    rows: tuple[Row, ...]

    def row(self, field: str) -> Row:
        """The row of `field`. Raises KeyError for a field that is not compared."""
        for row in self.rows:
            if row.field == field:
                return row
        raise KeyError(field)


_PLAIN: Sequence[str] = (
    "family", "architecture", "format", "size", "parameters", "quantization", "context_window", "max_output_tokens",
    "license", "source", "revision", "status",
)  # fmt: skip
_CAPABILITIES = ("text", "vision", "embeddings", "tools", "streaming", "thinking")
# Only where better is beyond taste: fewer bytes on disk, more room for text. More parameters is not better as such.
_BETTER: Mapping[str, Callable[[Sequence[int]], int]] = {
    "size": min,
    "context_window": max,
    "max_output_tokens": max,
}


def compare(models: Sequence[ModelInfo], *, memory_bytes: Mapping[str, int] | None = None) -> Comparison:
    """Compare `models`. `memory_bytes` adds a row with each one's predicted peak at its working context, by name."""
    names = tuple(model.name for model in models)
    rows = [_row(field, names, tuple(_cell(getattr(model, field)) for model in models)) for field in _PLAIN]
    if memory_bytes is not None:
        rows.append(_row("memory", names, tuple(memory_bytes.get(name) for name in names), better=min))
    rows += [_row(field, names, tuple(_flag(model.capabilities, field) for model in models)) for field in _CAPABILITIES]
    return Comparison(models=names, rows=tuple(rows))


def _row(
    field: str,
    names: tuple[str, ...],
    values: tuple[Cell, ...],
    *,
    better: Callable[[Sequence[int]], int] | None = None,
) -> Row:
    differs = len(set(values)) > 1
    choose = better or _BETTER.get(field)
    numbers = [value for value in values if isinstance(value, int)]
    best: tuple[str, ...] = ()
    if choose and differs and numbers:
        winner = choose(numbers)
        best = tuple(name for name, value in zip(names, values, strict=True) if value == winner)
    return Row(field=field, values=values, differs=differs, best=best)


def _cell(value: object) -> Cell:
    return value if value is None or isinstance(value, (int, bool)) else str(value)


def _flag(capabilities: Capabilities, field: str) -> bool:
    return bool(getattr(capabilities, field))
