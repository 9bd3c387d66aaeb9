"""What the CPU does outside MLX: the same numbers, in the same step only."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx_lm.models import qwen3

from paddock.runner.mlx.host import is_working, silu_times, working
from paddock.runner.mlx.host_slabs import HostSlabs
from paddock.runner.mlx.slabs import Shape


@pytest.mark.parametrize("shape", [(1, 1, 1536), (16, 1, 96), (301, 1, 1000)])
def test_the_activation_is_the_activation(shape: tuple[int, ...]) -> None:
    """One piece, part of one, many on several threads."""
    gate, up = (3 * mx.random.normal(shape, key=mx.random.key(number)) for number in range(2))
    ours, theirs = silu_times(gate, up), nn.silu(gate) * up
    assert ours.shape == theirs.shape
    assert np.allclose(np.array(ours), np.array(theirs), rtol=1e-5, atol=1e-6)


def test_extremes_stay_what_they_are() -> None:
    """An exponential that overflows must leave a zero, and what is no number must be seen in the logits."""
    gate = mx.array([-1000.0, 1000.0, float("nan"), float("inf")])
    with working():
        zero, large, nothing, infinite = np.array(silu_times(gate, mx.ones(4)))
    assert (zero, large, infinite) == (0.0, 1000.0, float("inf"))
    assert np.isnan(nothing)


def test_arrays_of_any_layout_are_read_as_they_are() -> None:
    """phi3 cuts one product into gate and up: neither lies in one piece."""
    both = mx.random.normal((5, 1, 64), key=mx.random.key(3))
    gate, up = mx.split(both, 2, axis=-1)
    assert mx.abs(silu_times(gate, up) - nn.silu(gate) * up).max().item() < 1e-6


def test_model_code_in_other_hands_is_left_alone() -> None:
    """Whoever trains or compiles a model in this process must get MLX's own functions."""
    lazily = qwen3.swiglu(mx.ones(4), mx.ones(4))
    assert not is_working()
    assert lazily.tolist() == pytest.approx([0.7310586] * 4)


def test_keys_are_written_where_they_belong_and_counted() -> None:
    """Slabs are made when they are written; blocks come back in the order of the table, over slabs."""
    slabs = HostSlabs(Shape(2, 8, mx.float32), block_tokens=4, slab_blocks=3)
    assert slabs.bytes == 0
    values = np.arange(3 * 2 * 8, dtype=np.float32).reshape(3, 2, 8)
    slabs.write(1, np.array([0, 0, 2]), np.array([1, 2, 3]), values)
    assert slabs.bytes == 3 * 2 * 4 * 8 * 4
    slabs.copy(3, 7)
    slabs.clear(3)
    together = slabs.together(np.array([5, 7, 3, 0]))
    assert together.shape == (2, 16, 8)
    assert (together[:, 3] == values[2]).all()
    assert (together[:, 5] == values[0]).all()
    assert (together[:, 6] == values[1]).all()
    assert not together[:, 8:].any()
