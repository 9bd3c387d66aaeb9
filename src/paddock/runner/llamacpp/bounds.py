"""How much cache there is room for, and how it is cut at first."""

from typing import Final

from paddock.catalog.cache_layout import gguf_cache_layout
from paddock.engine.limits import SlotBounds
from paddock.engine.slots import SLOTS_MAX
from paddock.errors import NotEnoughMemory
from paddock.runner.llamacpp.files import ModelFiles
from paddock.runner.llamacpp.weights import Weights
from paddock.units import human_bytes

MEMORY_SHARE: Final = 0.75  # of what the device has, when nobody sets a limit
WORK_BYTES: Final = 64 * 1024 * 1024  # what a step takes
_VALUE_BYTES: Final = 2  # keys and values are kept in 16 bits
_STATE_BYTES: Final = 4  # recurrent states in 32
_TOKENS_MIN: Final = 256
_FIRST_SLOTS: Final = 4
_FIRST_WINDOW: Final = 2048


def bytes_per_token(files: ModelFiles) -> int:
    """Of keys and values. Layers that see a window only keep the whole text, too: otherwise no beginning could be shared."""
    layout = gguf_cache_layout(files.header)
    return sum(layer.values_per_token for layer in layout.layers) * _VALUE_BYTES if layout else 0


def slot_bounds(weights: Weights, *, window: int, limit_bytes: int, batch_max: int) -> SlotBounds:
    """For sequences of up to `window` tokens. Raises NotEnoughMemory when that leaves no room for any.

    The cache grows with what it is asked for, up to the limit.
    """
    slots_max = max(1, min(batch_max, SLOTS_MAX))
    layout = gguf_cache_layout(weights.files.header)
    states = layout.state_values * _STATE_BYTES * slots_max if layout else 0
    room = limit_bytes - weights.bytes - WORK_BYTES - states
    per_token = bytes_per_token(weights.files)
    tokens_max = min(room // per_token if per_token else window * slots_max, window * slots_max)
    if room <= 0 or tokens_max < min(_TOKENS_MIN, window):
        raise NotEnoughMemory(
            f"`{weights.files.name}` leaves no room for its cache: it takes {human_bytes(weights.bytes)} of "
            f"{human_bytes(limit_bytes)}.",
            hint="Unload another model, take a smaller quantization, or raise `pool.memory`.",
        )
    first = min(window, _FIRST_WINDOW, tokens_max)
    return SlotBounds(
        count=max(1, min(_FIRST_SLOTS, slots_max, tokens_max // first)),
        window=first,
        slots_max=slots_max,
        tokens_max=tokens_max,
        trims=weights.trims,
        moves=weights.moves,
    )
