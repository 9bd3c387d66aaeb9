"""What a model takes while it works, beside weights and cache: one step of the engine, seen by the device's allocator.

    work      = start + live + together + states + kept
    live      = chunk × values of a token between two layers + scores + logits, each in the type that is computed in
    scores    = heads × chunk × context, two tiles of 64 MiB at most; none where attention is fused
    on a host = start + 2.2 × chunk × values of a token between two layers: nothing else is there at a time
    together  = keys and values of one layer, brought side by side for a long prompt
    states    = of one recurrent layer, one for each token of a chunk, where no kernel walks through them
    kept      = freed arrays that the allocator holds back: on a CPU some MB a layer, at most 32, sooner in many steps
    chunk     = prompt tokens of one step: all there are, at most 2048, and no more than the device does in its time

The terms come from how the engine and MLX work; the few factors were fitted to the models of `benchmarks memory`.
"""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024
STEP_TOKENS_MAX: Final = 2048  # the engine's `step_tokens_max`
FIRST_STEP_TOKENS: Final = 128  # its `prefill_tokens_first`
_STEP_SECONDS: Final = 0.4  # of a prompt that holds nobody up
_START_BYTES: Final = 4 * MIB  # libraries that are read when the first prompt comes
_SCORES_BYTES_MAX: Final = 128 * MIB  # two of the attention's tiles: the next is made ready while one is at work
_SCORES_COPIES: Final = 1.2  # beside the scores there is their mask, and now and then a copy
_KEPT_BYTES_MAX: Final = 32 * MIB
_KEPT_LAYER_BYTES_MAX: Final = 3 * MIB
_KEPT_SHARE: Final = 3
_HOST_COPIES: Final = 2.2
_STATE_PRODUCTS: Final = 60  # of one value of a state: what is done value by value takes so much longer than a product
CORE_PRODUCTS_PER_S: Final = (
    20e9  # multiplications and additions in float32 of one core, in a model, not in a benchmark
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkShape:
    """What the work of a model depends on."""

    value_bytes: int
    hidden: int = 0
    inner: int = 0  # of a feed-forward layer, or of the experts that one token meets
    heads: int = 0
    layers: int = 0
    vocabulary: int = 0
    layer_values: int = 0  # keys and values of one token in the widest layer
    state_values: int = 0  # of one recurrent layer
    parameters: int = 0  # that one token is multiplied with
    fused: bool = False  # attention never writes its scores down
    keeps: bool = False  # the allocator holds freed arrays back, and they count
    host: bool = (
        False  # a CPU works on it without MLX: attention keeps its scores in a near cache, and nothing is held back
    )
    fixed_bytes: int = 0  # work whose size does not depend on the text, such as that for one picture

    def bytes(self, context: int, tokens: int, products_per_s: float | None) -> int:
        """For sequences of at most `context` tokens, `tokens` of them together; None does a whole chunk in one step."""
        chunk = self.chunk(context, tokens, products_per_s)
        if self.host:
            return int(_START_BYTES + _HOST_COPIES * chunk * self.value_bytes * self._between) + self.fixed_bytes
        scores = 0 if self.fused else min(4 * self.heads * chunk * context, _SCORES_BYTES_MAX)
        live = chunk * self.value_bytes * self._between + _SCORES_COPIES * scores
        live += 8 * self.vocabulary
        together = context * self.layer_values * self.value_bytes
        states = 0 if self.fused else 4 * self.state_values * chunk
        steps = tokens / max(chunk, 1)
        kept_max = min(self.layers * _KEPT_LAYER_BYTES_MAX, _KEPT_BYTES_MAX) if self.keeps else 0
        kept = min(live * max(_KEPT_SHARE, steps), kept_max)
        return int(_START_BYTES + live + together + states + kept) + self.fixed_bytes

    @property
    def _between(self) -> int:
        """Values of a token between two layers."""
        return 6 * self.hidden + 3 * self.inner

    def chunk(self, context: int, tokens: int, products_per_s: float | None) -> int:
        """Prompt tokens of the largest step."""
        most = min(tokens, STEP_TOKENS_MAX)
        if products_per_s is None:
            return most
        in_time = products_per_s * _STEP_SECONDS / max(self.products(context), 1)
        return min(most, max(int(in_time), FIRST_STEP_TOKENS))

    def products(self, context: int) -> int:
        """Multiplications and additions for one token in the middle of a prompt of `context`."""
        states = _STATE_PRODUCTS * self.layers * self.state_values
        return 2 * self.parameters + 2 * self.layers * self.hidden * context + states

    def speed(self, context: int, chunk: int) -> float:
        """Products a second of a device whose largest step had `chunk` tokens of such a prompt."""
        return chunk * self.products(context) / _STEP_SECONDS
