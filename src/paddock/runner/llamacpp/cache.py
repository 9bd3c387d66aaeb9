"""Keys and values of all sequences, each in a slot of its own, and the tokens that are fed to them.

A slot is one of llama.cpp's sequences with a stream of its own: attention then reads nobody else's keys.
"""

import ctypes
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.engine.step import Cut, Row
from paddock.errors import Corrupt, GenerationFailed, NotEnoughMemory
from paddock.runner.llamacpp.mtmd import sight_library
from paddock.runner.llamacpp.seam import LINES, Batch, library
from paddock.runner.llamacpp.weights import Weights

Ints: TypeAlias = npt.NDArray[np.int32]

NO_LAGS: Final[Mapping[str, int]] = MappingProxyType({})
_UBATCH_TOKENS: Final = 512
_HEAD_BYTES: Final = 8
_WORD: Final = struct.Struct("=I")
_Numbers = ctypes.POINTER(ctypes.c_int32)


class Cache:
    """Belongs to one thread. `outputs_max`: logits that one row may ask for."""

    def __init__(self, weights: Weights, *, slots: int, window: int, step_tokens_max: int, outputs_max: int) -> None:
        self._c: Any = library()
        self._weights = weights
        self._step_tokens_max = step_tokens_max
        self._outputs_max = outputs_max
        self._vocabulary: int = self._c.llama_vocab_n_tokens(weights.vocabulary)
        self._batch: Batch = self._c.llama_batch_init(step_tokens_max, 0, 1)
        self._context: int | None = None
        self.slots, self.window = slots, window
        self._lengths = [0] * slots
        self._open()

    def close(self) -> None:
        """Idempotent."""
        if self._context is not None:
            self._c.llama_free(self._context)
            self._c.llama_batch_free(self._batch)
            self._context = None

    def cut(self, cut: Cut) -> None:
        """Other slots, with what is to stay. What cannot be done leaves no cache, so it ends the process."""
        kept = [(new, self._lengths[old], _reframed(self._read(old), old, cut.slots)) for old, new in cut.moves]
        self._c.llama_free(self._context)
        self.slots, self.window = cut.slots, cut.window
        self._lengths = [0] * cut.slots
        self._open()
        for slot, length, state in kept:
            self._write(slot, length, state)

    def copy(self, source: int, target: int) -> None:
        """All that lies in one slot to another."""
        self.trim(target, 0)
        self._write(target, self._lengths[source], self._read(source))

    def trim(self, slot: int, length: int, lag: int = 0) -> None:
        """Drop what lies behind the first `length` tokens. `lag`: positions that stand before it, less than tokens."""
        if self._lengths[slot] <= length:
            return
        memory = self._c.llama_get_memory(self._context)
        if not self._c.llama_memory_seq_rm(memory, slot, length - lag, -1):
            raise RuntimeError(f"llama.cpp does not drop what lies behind token {length}")
        self._lengths[slot] = length

    def feed(self, rows: Sequence[Row], lags: Mapping[str, int] = NO_LAGS) -> npt.NDArray[np.float32]:
        """Feed every row to its slot. The logits [n, vocabulary] of the last `1 + drafted` tokens of each that samples, in
        order; valid until the next call. Raises GenerationFailed when llama.cpp cannot go on with these.

        `lags`, by sequence: how many positions stand before a row, less than tokens; pictures may take fewer."""
        outputs = self._fill(rows, lags)
        for (
            row
        ) in rows:  # whatever becomes of the step: so far there may be something, and it is dropped before the next
            self._lengths[row.blocks[0]] = row.end
        if rows:
            self._decode(self._batch)
        if not outputs:
            return np.empty((0, self._vocabulary), np.float32)
        return np.ctypeslib.as_array(self._c.llama_get_logits(self._context), (outputs, self._vocabulary))

    def reserve(self, slot: int, length: int) -> None:
        """`length` tokens count as lying there: the last of them are places of a picture that comes as a whole, later."""
        self._lengths[slot] = length

    def see(self, slot: int, start: int, rows: npt.NDArray[np.float32], positions: Ints, *, whole: bool) -> None:
        """Feed a picture's features behind `start` tokens. `positions` [1 or 4, rows]; `whole`: each row sees all others.

        Raises GenerationFailed like `feed`.
        """
        self.trim(slot, start, start - int(positions[0, 0]))
        self._lengths[slot] = start + len(rows)
        c, most = sight_library(), self.whole_max if whole else self._step_tokens_max
        if whole:
            c.llama_set_causal_attn(self._context, False)
        try:
            for begin in range(0, len(rows), most):
                batch, kept = _picture_batch(slot, rows[begin : begin + most], positions[:, begin : begin + most])
                self._decode(batch)
                del kept
        finally:
            if whole:
                c.llama_set_causal_attn(self._context, True)

    @property
    def whole_max(self) -> int:
        """Rows of a picture that can see each other."""
        return min(_UBATCH_TOKENS, self._step_tokens_max)

    def _decode(self, batch: Batch) -> None:
        failed: int = self._c.llama_decode(self._context, batch)
        if failed:
            raise GenerationFailed(
                f"llama.cpp gave up on a step of `{self._weights.files.name}` ({failed}).",
                hint="Ask again; report it with the server's log if it happens again.",
            )

    def _fill(self, rows: Sequence[Row], lags: Mapping[str, int]) -> int:
        """Write the batch. How many logits it asks for."""
        batch, at, outputs = self._batch, 0, 0
        for row in rows:
            (slot,) = row.blocks
            position = row.start - lags.get(row.sequence_id, 0)
            self.trim(slot, row.start, row.start - position)
            assert self._lengths[slot] == row.start, f"{self._lengths[slot]} tokens lie in slot {slot}, not {row.start}"
            wanted = 1 + row.drafted if row.samples else 0
            first = len(row.tokens) - wanted
            for offset, token in enumerate(row.tokens):
                batch.token[at] = token
                batch.pos[at] = position + offset
                batch.n_seq_id[at] = 1
                batch.seq_id[at][0] = slot
                batch.logits[at] = offset >= first
                at += 1
            outputs += wanted
        batch.n_tokens = at
        return outputs

    def _open(self) -> None:
        parameters = self._c.llama_context_default_params()
        parameters.n_ctx = self.slots * self.window
        parameters.n_batch = self._step_tokens_max
        parameters.n_ubatch = self.whole_max
        parameters.n_seq_max = self.slots
        parameters.n_outputs_max = self.slots * self._outputs_max
        parameters.n_outputs_max_per_seq = self._outputs_max
        parameters.n_threads = parameters.n_threads_batch = self._weights.threads
        self._context = self._c.llama_init_from_model(self._weights.model, parameters)
        if not self._context:
            raise NotEnoughMemory(
                f"There is no memory for {self.slots} conversations of {self.window} tokens with "
                f"`{self._weights.files.name}`.",
                hint="Unload another model, or lower the context window.",
            )
        if self._c.llama_n_ctx_seq(self._context) < self.window:
            raise Corrupt(
                f"llama.cpp gives `{self._weights.files.name}` less context than it was asked for.",
                hint="Report it with the server's log.",
            )

    def _read(self, slot: int) -> bytes:
        """What lies in a slot, as llama.cpp writes it."""
        size: int = self._c.llama_state_seq_get_size(self._context, slot)
        state = (ctypes.c_ubyte * size)()
        self._c.llama_state_seq_get_data(self._context, state, size, slot)
        return bytes(state)

    def _write(self, slot: int, length: int, state: bytes) -> None:
        if length and not self._c.llama_state_seq_set_data(self._context, state, len(state), slot):
            raise RuntimeError(f"llama.cpp does not take a slot's content: {' '.join(LINES.last)[-200:]}")
        self._lengths[slot] = length


def _reframed(state: bytes, slot: int, slots: int) -> bytes:
    """The same content for a cache of another number of slots.

    │ mark, slot │ slots │ 0 │ 0 │ cells, keys, values … │ 0 │   a count of cells for each slot; all but one are empty
    """
    (before,) = _WORD.unpack_from(state, _HEAD_BYTES)
    counts = _HEAD_BYTES + _WORD.size
    start, end = counts + _WORD.size * slot, len(state) - _WORD.size * (before - slot - 1)
    return state[:_HEAD_BYTES] + _WORD.pack(slots) + state[start:end] + bytes(_WORD.size * (slots - 1))


def _picture_batch(slot: int, rows: npt.NDArray[np.float32], positions: Ints) -> tuple[Batch, tuple[Any, ...]]:
    """A batch of features in place of tokens, and what must live as long as it does."""
    count = len(rows)
    features, where = np.ascontiguousarray(rows), np.ascontiguousarray(positions)
    slots = (ctypes.c_int32 * 1)(slot)
    whose = (ctypes.POINTER(ctypes.c_int32) * (count + 1))(*(ctypes.cast(slots, _Numbers) for _ in range(count)))
    ones, wanted = (ctypes.c_int32 * count)(*([1] * count)), (ctypes.c_int8 * count)()
    batch = Batch(
        n_tokens=count,
        token=None,
        embd=features.ctypes.data,
        pos=where.ctypes.data_as(_Numbers),
        n_seq_id=ones,
        seq_id=whose,
        logits=wanted,
    )
    return batch, (features, where, slots, whose, ones, wanted)
