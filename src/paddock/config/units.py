"""Sizes, durations and shares as people write them, as exact values.

100GB, 4GiB, 512MB, 1000    bytes; GB counts in thousands like disks and hubs, GiB in 1024s
30s, 10m, 1h30m, 2d, forever    a duration; a bare number means seconds
75%, 4GB                    an amount of memory: a share of what the device can use, or bytes
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

FOREVER = timedelta.max
BYTES_MAX = 2**60
DURATION_MAX = timedelta(days=3650)

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SIZE = re.compile(r"(?P<number>\d{1,20}(?:\.\d{1,6})?)\s*(?P<prefix>[kmgtp]?)(?P<unit>i?b)?", re.IGNORECASE)
_SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600), "d": Fraction(86400)}
_DURATION_PART = re.compile(r"(?P<number>\d{1,12}(?:\.\d{1,6})?)(?P<unit>ms|s|m|h|d)")
_PERCENT = re.compile(r"(?P<number>\d{1,3}(?:\.\d{1,3})?)\s*%")


@dataclass(frozen=True, slots=True)
class MemoryAmount:
    """A share of the memory the device can use, or a number of bytes: exactly one of the two."""

    share: Fraction | None = None
    size_bytes: int | None = None

    def of(self, usable_bytes: int) -> int:
        """How many bytes that is on a device that can use `usable_bytes`."""
        if self.share is not None:
            return int(usable_bytes * self.share)
        assert self.size_bytes is not None, "neither a share nor bytes"
        return self.size_bytes

    def __str__(self) -> str:
        if self.share is not None:
            return f"{float(self.share * 100):g}%"
        assert self.size_bytes is not None, "neither a share nor bytes"
        return format_size(self.size_bytes)


def parse_size(value: str | int) -> int:
    """Bytes. Raises ValueError when `value` is no size."""
    found = _SIZE.fullmatch(str(value).strip())
    if not found or ((found["unit"] or "").lower() == "ib" and not found["prefix"]):
        raise ValueError(f"{value!r} is not a size")
    base = 1024 if (found["unit"] or "").lower() == "ib" else 1000
    size_bytes = int(Fraction(found["number"]) * base ** _POWERS[found["prefix"].lower()])
    if size_bytes > BYTES_MAX:
        raise ValueError(f"{value!r} is more than any disk holds")
    return size_bytes


def parse_duration(value: str | float) -> timedelta:
    """A duration; `forever` (and -1, which other tools use for it) is `FOREVER`. Raises ValueError."""
    text = "".join(str(value).lower().split())
    if text in ("forever", "-1"):
        return FOREVER
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text):
        text += "s"
    parts = list(_DURATION_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ValueError(f"{value!r} is not a duration")
    seconds = sum((Fraction(part["number"]) * _SECONDS[part["unit"]] for part in parts), Fraction(0))
    if seconds > Fraction(DURATION_MAX.total_seconds()):
        raise ValueError(f"{value!r} is longer than ten years; write `forever`")
    return timedelta(microseconds=int(seconds * 1_000_000))


def parse_memory(value: str | int) -> MemoryAmount:
    """A share like `75%` or bytes like `4GB`. Raises ValueError."""
    found = _PERCENT.fullmatch(str(value).strip())
    if found is None:
        size_bytes = parse_size(value)
        if size_bytes == 0:
            raise ValueError("no memory at all holds no model")
        return MemoryAmount(size_bytes=size_bytes)
    share = Fraction(found["number"]) / 100
    if not 0 < share <= 1:
        raise ValueError(f"{value!r} is not a share from 1% to 100%")
    return MemoryAmount(share=share)


def format_size(size_bytes: int) -> str:
    """The shortest text that `parse_size` reads back to the same number."""
    for prefix in "PTGMK":
        for base, unit in ((1000, "B"), (1024, "iB")):
            count, rest = divmod(size_bytes, base ** _POWERS[prefix.lower()])
            if count and not rest:
                return f"{count}{prefix}{unit}"
    return str(size_bytes)


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back to the same duration, to the millisecond."""
    if duration == FOREVER:
        return "forever"
    rest = round(duration / timedelta(milliseconds=1))
    text = ""
    for unit, milliseconds in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, milliseconds)
        if count:
            text += f"{count}{unit}"
    return text or "0s"
