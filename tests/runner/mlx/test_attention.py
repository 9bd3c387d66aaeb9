"""Attention on pages against attention written down plainly, for every way that rows can lie in blocks."""

import random
from dataclasses import dataclass
from types import SimpleNamespace

import mlx.core as mx
import numpy as np
import pytest

from paddock.engine.step import Row
from paddock.runner.mlx.attention import attend
from paddock.runner.mlx.host_attention import Heads, attend_host
from paddock.runner.mlx.host_layer import HostStepMaker
from paddock.runner.mlx.host_slabs import HostSlabs
from paddock.runner.mlx.packing import pack
from paddock.runner.mlx.slabs import Shape, Slabs
from paddock.runner.mlx.step_arrays import StepArrayMaker

BLOCK, SLAB_BLOCKS, BLOCKS, HEADS, KV_HEADS, SIZE = 4, 5, 40, 4, 2, 8


@dataclass
class Pool:
    keys: Slabs
    values: Slabs
    host_keys: HostSlabs
    host_values: HostSlabs
    plain_keys: np.ndarray  # [blocks, heads, places, size]
    plain_values: np.ndarray


@pytest.fixture(scope="module")
def pool() -> Pool:
    shape = Shape(KV_HEADS, SIZE, mx.float32)
    keys, values = (Slabs(shape, block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS) for _ in range(2))
    generator = np.random.default_rng(4)
    plain = [generator.normal(size=(BLOCKS, KV_HEADS, BLOCK, SIZE)).astype(np.float32) for _ in range(2)]
    for slabs, array in zip((keys, values), plain, strict=True):
        for block in range(BLOCKS):
            for place in range(BLOCK):
                values_here = mx.array(array[block, :, place])[None]
                slabs.write(block // SLAB_BLOCKS, mx.array([block % SLAB_BLOCKS]), mx.array([place]), values_here)
    mx.eval(keys.take_touched(), values.take_touched())
    host = [HostSlabs(shape, block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS) for _ in range(2)]
    for slabs, array in zip(host, plain, strict=True):
        for block in range(BLOCKS):
            place = block % SLAB_BLOCKS * BLOCK
            slabs.slab(block // SLAB_BLOCKS)[:, place : place + BLOCK] = array[block]
    return Pool(keys, values, *host, *plain)


def plainly(
    pool: Pool | SimpleNamespace, rows: list[Row], queries: np.ndarray, window: int | None, sinks: np.ndarray | None
) -> np.ndarray:
    """One token after the other, one head after the other, in float64."""
    ordered = [row for row in rows if len(row.tokens) <= 8] + [row for row in rows if len(row.tokens) > 8]
    outputs = []
    for row in ordered:
        for position in range(row.start, row.end):
            query = queries[len(outputs)]
            first = 0 if window is None else max(0, position - window + 1)
            places = [(row.blocks[p // BLOCK], p % BLOCK) for p in range(first, position + 1)]
            output = np.zeros((HEADS, SIZE))
            for head in range(HEADS):
                kv = head // (HEADS // KV_HEADS)
                keys = np.array([pool.plain_keys[block, kv, place] for block, place in places], dtype=np.float64)
                values = np.array([pool.plain_values[block, kv, place] for block, place in places], dtype=np.float64)
                weights = np.exp(keys @ query[head] * 0.3)
                total = weights.sum() + (np.exp(sinks[head]) if sinks is not None else 0)
                output[head] = weights @ values / total
            outputs.append(output)
    return np.array(outputs)


def some_rows(chance: random.Random) -> list[Row]:
    """Rows of all lengths; some share the beginning of their tables, as sequences with one prompt do."""
    shared = chance.sample(range(BLOCKS), 6)
    rows = []
    for index in range(chance.randint(1, 7)):
        end = chance.choice([1, 2, BLOCK, BLOCK + 1, chance.randint(1, 60), 60])
        fed = min(end, chance.choice([1, 1, 1, 2, 5, 8, 9, 30]))
        count = -(-end // BLOCK)
        own = [block for block in chance.sample(range(BLOCKS), BLOCKS) if block not in shared]
        kept = shared[: chance.choice([0, 3, 6])]
        table = (*kept, *own)[: max(count, chance.randint(count, count + 2))]
        rows.append(
            Row(sequence_id=str(index), tokens=tuple(range(fed)), start=end - fed, blocks=tuple(table), samples=True)
        )
    return rows


@pytest.mark.parametrize("seed", range(60))
def test_paged_attention_is_attention(pool: Pool, seed: int) -> None:
    """Scattered blocks, shared blocks, slices and gathers, narrow and wide rows, windows, sinks: the same numbers."""
    chance = random.Random(seed)
    rows = some_rows(chance)
    window = chance.choice([None, None, 1, 3, BLOCK, 17])
    generator = np.random.default_rng(seed)
    sinks = generator.normal(size=HEADS).astype(np.float32) if chance.random() < 0.3 else None
    packed = pack(rows, block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS, windows=[window])
    step = StepArrayMaker(block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS).make(packed)
    queries = generator.normal(size=(len(packed.tokens), HEADS, SIZE)).astype(np.float32)
    ours = attend(
        mx.array(queries), pool.keys, pool.values, step, 0.3, window, None if sinks is None else mx.array(sinks)
    )
    expected = plainly(pool, rows, queries, window, sinks)
    assert np.abs(np.array(ours.tolist()) - expected).max() < 2e-5
    shared_from = chance.choice([0, 1_000_000])
    host = HostStepMaker(block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS, shared_from=shared_from).make(packed)
    ours = attend_host(
        queries, pool.host_keys, pool.host_values, host.groups[window], host.long, Heads(0.3, window, sinks)
    )
    assert np.abs(ours - expected).max() < 2e-5


@pytest.mark.parametrize("window", [None, 6, 100])
def test_a_tile_reads_what_its_tokens_see(window: int | None) -> None:
    """Chunks of several tiles, begun in the middle of a tile and of a block, heads apart and together."""
    generator = np.random.default_rng(9)
    shape = Shape(KV_HEADS, SIZE, mx.float32)
    blocks = 100
    keys, values = (HostSlabs(shape, block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS) for _ in range(2))
    plain = [generator.normal(size=(blocks, KV_HEADS, BLOCK, SIZE)).astype(np.float32) for _ in range(2)]
    for slabs, array in zip((keys, values), plain, strict=True):
        for block in range(blocks):
            place = block % SLAB_BLOCKS * BLOCK
            slabs.slab(block // SLAB_BLOCKS)[:, place : place + BLOCK] = array[block]
    row = Row(sequence_id="a", tokens=tuple(range(333)), start=45, blocks=tuple(range(blocks)[::-1]), samples=True)
    packed = pack([row], block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS, windows=[window])
    queries = generator.normal(size=(333, HEADS, SIZE)).astype(np.float32)
    ours = attend_host(queries, keys, values, (), packed.long, Heads(0.3, window, None))
    apart = attend_host(queries, keys, values, (), packed.long, Heads(0.3, window, None), scores_max=1)
    where = SimpleNamespace(plain_keys=plain[0], plain_values=plain[1])
    expected = plainly(where, [row], queries, window, None)
    assert np.abs(ours - expected).max() < 2e-5
    assert np.abs(apart - expected).max() < 2e-5


def test_a_long_row_is_cut_when_its_scores_would_be_large(pool: Pool) -> None:
    """A chunk of a 16k prompt has scores of hundreds of megabytes, a head and token at a time."""
    row = Row(sequence_id="a", tokens=tuple(range(41)), start=7, blocks=tuple(range(20, 32)), samples=True)
    packed = pack([row], block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS, windows=[None, 6])
    step = StepArrayMaker(block_tokens=BLOCK, slab_blocks=SLAB_BLOCKS).make(packed)
    queries = mx.random.normal((41, HEADS, SIZE), key=mx.random.key(1))
    for window in (None, 6):
        whole = attend(queries, pool.keys, pool.values, step, 0.3, window, None)
        ten_tokens = HEADS * 48 * 4 * 10
        cut = attend(queries, pool.keys, pool.values, step, 0.3, window, None, ten_tokens)
        assert mx.abs(whole - cut).max().item() < 1e-6
