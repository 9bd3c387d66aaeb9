"""The filters of prompt templates. Whatever makes text counts what it makes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

from paddock.library.prompts.limits import BUDGET, Budget, wrong

Filter = Callable[..., Any]


def _budget(context: Context) -> Budget:
    return cast("Budget", context[BUDGET])


def _of_text(change: Callable[[str], str]) -> Filter:
    """A filter that changes a text, and nothing more."""

    @pass_context
    def changed(context: Context, text: Any) -> str:
        result = change(str(text))
        _budget(context).spend_characters(len(result))
        return result

    return changed


@pass_context
def rounds(context: Context, values: Any) -> Iterator[Any]:
    """What a loop goes over; every round costs."""
    budget = _budget(context)
    for value in _listed(values):
        budget.spend_round()
        yield value


@pass_context
def join(context: Context, values: Any, separator: str = "") -> str:
    """The values as one text."""
    budget, texts = _budget(context), list[str]()
    for value in _listed(values):
        texts.append(str(value))
        budget.spend_characters(len(texts[-1]) + len(separator))
    return str(separator).join(texts)


@pass_context
def _replace(context: Context, text: Any, old: str, new: str) -> str:
    text, old, new = str(text), str(old), str(new)
    _budget(context).spend_characters(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


@pass_context
def _indent(context: Context, text: Any, width: Any = 4, first: bool = False) -> str:
    if not isinstance(width, int) or not 0 <= width <= 100:
        raise wrong("`indent` takes a width from 0 to 100")
    lines = str(text).split("\n")
    _budget(context).spend_characters(sum(map(len, lines)) + len(lines) * (width + 1))
    space = " " * width
    return "\n".join(space + line if line and (first or number) else line for number, line in enumerate(lines))


def _default(value: Any, fallback: Any = "", boolean: bool = False) -> Any:
    return fallback if isinstance(value, Undefined) or (boolean and not value) else value


def _truncate(text: Any, length: int = 255, end: str = "…") -> str:
    text = str(text)
    return text if len(text) <= length else text[: max(0, length - len(end))] + end


def _listed(values: Any) -> list[Any]:
    if isinstance(values, str | list | tuple | dict):
        return list(cast("Sequence[Any]", values))
    raise wrong(f"a list was expected, not {type(values).__name__}")


def _items(values: Any) -> list[Any]:
    if not isinstance(values, dict):
        raise wrong(f"`items` takes a mapping, not {type(values).__name__}")
    return list(cast("dict[str, Any]", values).items())


def _unique(values: Any) -> list[Any]:
    return list({str(value): value for value in reversed(_listed(values))}.values())[::-1]


def _first(values: Any) -> Any:
    return next(iter(_listed(values)), "")


def _last(values: Any) -> Any:
    return next(reversed(_listed(values)), "")


def _length(values: Any) -> int:
    return len(_listed(values))


def _reverse(values: Any) -> Any:
    return values[::-1] if isinstance(values, str) else _listed(values)[::-1]


def _round(value: Any, digits: int = 0) -> float:
    return round(float(value), max(-20, min(20, int(digits))))


def _sort(values: Any) -> list[Any]:
    return sorted(_listed(values))


FILTERS: Mapping[str, Filter] = {
    "capitalize": _of_text(str.capitalize),
    "count": _length,
    "d": _default,
    "default": _default,
    "first": _first,
    "float": float,
    "indent": _indent,
    "int": int,
    "items": _items,
    "join": join,
    "last": _last,
    "length": _length,
    "lower": _of_text(str.lower),
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "sort": _sort,
    "string": _of_text(str),
    "title": _of_text(str.title),
    "trim": _of_text(str.strip),
    "truncate": _truncate,
    "unique": _unique,
    "upper": _of_text(str.upper),
}
