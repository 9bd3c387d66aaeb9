"""How fast this device is, learnt from its own steps, and how many prompt tokens it can take without holding up streams."""

from paddock.engine.limits import Limits

_SMOOTHING = 0.3  # weight of the newest step
_OUTLIER = 4.0  # a step that compiles or swaps counts as at most so many times what was expected


class Pace:
    """Seconds a decode row and seconds a prefill token, exponentially smoothed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.decode_row_s: float | None = None
        self.prefill_token_s: float | None = None
        self._prefill_tokens = 0  # in the last step that had any
        self._prefill_step_s = 0.0  # how long that took

    def prefill_budget(self, decode_rows: int, *, alone: bool) -> int:
        """Prompt tokens that fit in the next step beside so many decode rows. `alone`: no stream is held up by it."""
        limits = self._limits
        if self.prefill_token_s is None:
            return max(limits.prefill_tokens_min, min(limits.prefill_tokens_first, limits.step_tokens_max))
        seconds = limits.step_seconds_max * (limits.step_stretch if alone else 1.0)
        rest_s = seconds - max(1, decode_rows) * (self.decode_row_s or 0.0)
        most = limits.step_tokens_max
        if not alone:
            most = min(most, self._next_to_the_last())
        return max(limits.prefill_tokens_min, min(int(rest_s / self.prefill_token_s), most))

    def _next_to_the_last(self) -> int:
        """The most prompt tokens, from the last step alone. A token costs more the more stand before it and beside it:
        what was learnt from short prompts is too little for a long one."""
        if self._prefill_step_s == 0.0:
            return self._limits.prefill_tokens_first
        longer = self._limits.step_seconds_max / self._prefill_step_s
        if longer >= 1:  # a short prompt says little of how many tokens a step takes
            return int(min(longer, 2.0) * max(self._prefill_tokens, self._limits.prefill_tokens_first))
        return int(max(longer, 0.5) * self._prefill_tokens)

    def learn(self, *, decode_rows: int, prefill_tokens: int, elapsed_s: float) -> None:
        """A step took this long. Time that cannot be told apart goes to where it is safe: to the prompt."""
        elapsed_s = max(elapsed_s, 1e-9)
        if prefill_tokens == 0:
            self.decode_row_s = _smoothed(self.decode_row_s, elapsed_s / max(1, decode_rows))
            return
        # Even a step without decode rows pays once for what every step costs.
        expected_s = max(1, decode_rows) * (self.decode_row_s or 0.0)
        rest_s = max(elapsed_s - expected_s, elapsed_s / 20)
        self.prefill_token_s = _smoothed(self.prefill_token_s, rest_s / prefill_tokens)
        self._prefill_tokens, self._prefill_step_s = prefill_tokens, elapsed_s


def _smoothed(old: float | None, new: float) -> float:
    if old is None:
        return new
    return old + _SMOOTHING * (min(new, old * _OUTLIER) - old)
