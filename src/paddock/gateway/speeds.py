"""How fast models have answered of late: what breaks ties between models that suit a profile equally well."""

from typing import Final

Seat = tuple[str, str]  # provider and model
_WEIGHT: Final = 0.3  # of the newest answer
_TOKENS_MIN: Final = 8  # shorter answers say more about their prompt
_SEATS_MAX: Final = 10_000


class Speeds:
    """Tokens per second of each provider's model, as a moving average. Kept while the server runs."""

    def __init__(self) -> None:
        self._of: dict[Seat, float] = {}
        self.version = 0  # changes when a speed does

    def note(self, seat: Seat, *, tokens: int, seconds: float) -> None:
        """An answer of so many tokens took so long, from the first look at the prompt on."""
        if tokens < _TOKENS_MIN or seconds <= 0:
            return
        if len(self._of) >= _SEATS_MAX and seat not in self._of:
            self._of.pop(next(iter(self._of)))
        fresh = tokens / seconds
        known = self._of.get(seat)
        self._of[seat] = fresh if known is None else known + _WEIGHT * (fresh - known)
        self.version += 1

    def of(self, seat: Seat) -> float | None:
        return self._of.get(seat)
