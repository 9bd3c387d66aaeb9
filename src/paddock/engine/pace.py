"""How fast this device is, learnt from its own steps, and how many prompt tokens it can take without holding up streams."""

from typing import Final

from paddock.engine.limits import Limits

_SMOOTHING: Final = 0.3  # weight of the newest step
_OUTLIER: Final = 4.0  # a step that compiles or swaps counts as at most so many times what was expected
_DOUBLED: Final = 1.3  # what twice the decode rows cost, until it has been seen: weights are read once for all of them
_SHORTEST: Final = 0.2  # of the longest step that is allowed; nobody minds such a pause, however fast the device
_DECODES: Final = 6.0  # between the two a step takes so many times what decoding alone does, which every step pays for
_SHARE_MIN: Final = (
    0.5  # of what decoding takes, for prompts: where decoding fills the slice, they must not stand still
)


class Pace:
    """Seconds a decode step and seconds a prefill token, exponentially smoothed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.prefill_token_s: float | None = None
        self._decode_s: dict[int, float] = {}  # of a step without prompts, by the rows' next lower power of two
        self._prefill_tokens = 0  # in the last step that had any
        self._prefill_step_s = 0.0  # how long that took

    def prefill_budget(self, decode_rows: int, *, alone: bool, prompts: int = 1) -> int:
        """Prompt tokens that fit in the next step beside so many decode rows. `alone`: no stream is held up by it.
        `prompts`: how many are being read or wait for it."""
        limits = self._limits
        if self.prefill_token_s is None:
            return max(limits.prefill_tokens_min, min(limits.prefill_tokens_first, limits.step_tokens_max))
        decode_s = self.decode_s(decode_rows)
        slice_s = self.slice_s(decode_rows, prompts)
        rest_s = (limits.step_seconds_max * limits.step_stretch if alone else slice_s) - decode_s
        most = limits.step_tokens_max
        if not alone:
            most = min(most, self._next_to_the_last(slice_s))
        return max(limits.prefill_tokens_min, min(int(rest_s / self.prefill_token_s), most))

    def slice_s(self, decode_rows: int, prompts: int = 1) -> float:
        """How long a step beside so many decode rows should take: a few times what it takes anyway, within bounds. Short
        steps pay for decoding again and again; on a device where that is cheap they are short. Where more wait for their
        first token than for their next, the step is theirs: else the first of many that come together holds up the rest."""
        most_s, decode_s = self._limits.step_seconds_max, self.decode_s(decode_rows)
        if decode_s == 0.0:  # nothing has been decoded yet
            return most_s
        wanted_s = max(most_s * _SHORTEST, decode_s * _DECODES) * max(1.0, prompts / max(1, decode_rows))
        return max(min(wanted_s, most_s), decode_s * (1 + _SHARE_MIN))

    def decode_s(self, rows: int) -> float:
        """What a step of so many decode rows takes, from the nearest number of rows that has been seen."""
        size = max(1, rows).bit_length() - 1
        if not self._decode_s:
            return 0.0
        nearest = min(self._decode_s, key=lambda seen: abs(seen - size))
        return self._decode_s[nearest] * _DOUBLED ** (size - nearest)

    def learn(self, *, decode_rows: int, prefill_tokens: int, elapsed_s: float) -> None:
        """A step took this long. Time that cannot be told apart goes to where it is safe: to the prompt."""
        elapsed_s = max(elapsed_s, 1e-9)
        if prefill_tokens == 0:
            size = max(1, decode_rows).bit_length() - 1
            self._decode_s[size] = _smoothed(self._decode_s.get(size), elapsed_s)
            return
        # Even a step without decode rows pays once for what every step costs.
        rest_s = max(elapsed_s - self.decode_s(decode_rows), elapsed_s / 20)
        self.prefill_token_s = _smoothed(self.prefill_token_s, rest_s / prefill_tokens)
        self._prefill_tokens, self._prefill_step_s = prefill_tokens, elapsed_s

    def _next_to_the_last(self, slice_s: float) -> int:
        """The most prompt tokens, from the last step alone. A token costs more the more stand before it and beside it:
        what was learnt from short prompts is too little for a long one."""
        if self._prefill_step_s == 0.0:
            return self._limits.prefill_tokens_first
        longer = slice_s / self._prefill_step_s
        if longer >= 1:  # a short prompt says little of how many tokens a step takes
            return int(min(longer, 2.0) * max(self._prefill_tokens, self._limits.prefill_tokens_first))
        return int(max(longer, 0.5) * self._prefill_tokens)


def _smoothed(old: float | None, new: float) -> float:
    if old is None:
        return new
    return old + _SMOOTHING * (min(new, old * _OUTLIER) - old)
