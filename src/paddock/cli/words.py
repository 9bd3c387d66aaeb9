"""How values are written for people: `7.6 B`, `32k`, `2 days ago`, `text, vision`."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Final

from paddock.library.pulling.plan import MemoryAt
from paddock.units import human_bytes, human_duration
from paddock.vocabulary import Capabilities, Compatibility, ModelInfo, Origin, Verdict

NOT_KNOWN = "–"
_DAY_S = 86_400
_MONTH_S = 30 * _DAY_S
_YEAR_S = 365 * _DAY_S


def parameters(count: int | None) -> str:
    """`7.6B`, `135M`; unknown is a dash."""
    if count is None:
        return NOT_KNOWN
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= size * 0.9995:
            value = count / size
            return f"{value:.0f}{letter}" if value >= 99.95 else f"{value:.1f}{letter}".replace(".0", "")
    return str(count)


def tokens(count: int) -> str:
    """A context length as it is talked about: `32k` is 32,768, `128k` 131,072."""
    for size, letter in ((1 << 20, "M"), (1 << 10, "k")):
        if count >= size and count % size == 0:
            return f"{count // size}{letter}"
    return f"{count:,}"


def ago(moment: datetime, now: datetime) -> str:
    """`just now`, `5 minutes ago`, `yesterday`, `3 months ago`."""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return "just now"
    for size, word in ((_YEAR_S, "year"), (_MONTH_S, "month"), (_DAY_S, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            if word == "day" and count == 1:
                return "yesterday"
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return "just now"


def capabilities(can: Capabilities) -> str:
    """What a model can do, `streaming` left out: every model that writes text streams."""
    names = [item.name for item in fields(Capabilities) if item.name != "streaming" and getattr(can, item.name)]
    return ", ".join(names) or NOT_KNOWN


def modified(model: ModelInfo, now: datetime) -> str:
    return "built in" if model.origin is Origin.BUILTIN else ago(model.modified_at, now)


def origin(model: ModelInfo) -> str:
    """Where the files come from and whose they are."""
    match model.origin:
        case Origin.PULLED:
            return f"pulled from {model.source.value}"
        case Origin.ADOPTED:
            return f"adopted: belongs to another tool ({model.source.value})"
        case Origin.REGISTERED:
            return "registered: its owner's files, used where they are"
        case Origin.BUILTIN:
            return "built in"


def compatibility(verdict: Compatibility) -> str:
    """`compatible (high confidence)`, `incompatible: …`."""
    reasons = " ".join(verdict.reasons)
    match verdict.verdict:
        case Verdict.COMPATIBLE:
            sure = f" ({verdict.confidence.value} confidence)" if verdict.confidence else ""
            return f"compatible{sure}"
        case Verdict.INCOMPATIBLE:
            return f"incompatible: {reasons}" if reasons else "incompatible"
        case Verdict.UNKNOWN:
            return f"unknown: {reasons}" if reasons else "unknown"


def verdict_style(verdict: Compatibility) -> str:
    return {"compatible": "green", "incompatible": "red"}.get(verdict.verdict.value, "yellow")


def several(count: int, thing: str) -> str:
    """`1 file`, `3 files`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def bytes_of(part: int, whole: int) -> str:
    """`1.2 of 4.7 GB` when both have one unit, `800.0 MB of 4.7 GB` when not."""
    some, all_ = human_bytes(part), human_bytes(whole)
    number, _, unit = some.partition(" ")
    return f"{number} of {all_}" if unit == all_.partition(" ")[2] else f"{some} of {all_}"


def time_left(seconds: float | None) -> str:
    return "" if seconds is None else f"{human_duration(seconds)} left"


MEASURED: Final = "as measured when it was loaded here"


def memory_steps(steps: Sequence[MemoryAt], working_context: int) -> list[tuple[str, bool]]:
    """`202.2 MB at 4k tokens`, one a context, aligned; and whether each fits."""
    sizes = [human_bytes(step.peak_bytes) for step in steps]
    cells = max((len(size) for size in sizes), default=0)
    lines: list[tuple[str, bool]] = []
    for step, size in zip(steps, sizes, strict=True):
        work = ", the working context" if step.context == working_context else ""
        no = "" if step.fits else ": does not fit"
        lines.append((f"{size.rjust(cells)} at {tokens(step.context)} tokens{work}{no}", step.fits))
    return lines
