"""Llama-like models in NumPy against mlx-lm's own model code, and how their weights lie."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.utils import load_model

from paddock.engine.step import Row
from paddock.runner.mlx import host_model
from paddock.runner.mlx.backbone import RowSelection
from paddock.runner.mlx.dispatch import install, paged_shapes
from paddock.runner.mlx.host_model import Rotation
from paddock.runner.mlx.host_runs import runs_of, shares
from paddock.runner.mlx.loading import Weights, load_weights
from paddock.runner.mlx.making import BLOCK_TOKENS
from paddock.runner.mlx.paged import PagedLane
from tests.exactness.architectures import make_folder

LIKE_LLAMA = ("llama", "llama3_rope", "llama_sliding", "qwen2", "qwen3", "mistral")
TOKENS = tuple(range(5, 125))


@pytest.fixture(params=LIKE_LLAMA)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_folder(request.param, tmp_path / request.param)


def lane_of(weights: Weights) -> PagedLane:
    shapes = paged_shapes(weights.model)
    assert shapes is not None
    install(weights.model)
    return PagedLane(RowSelection(weights.model), shapes, block_tokens=BLOCK_TOKENS, host=weights.host)


def row(name: str, start: int, end: int, blocks: tuple[int, ...], *, samples: bool = True) -> Row:
    return Row(sequence_id=name, tokens=TOKENS[start:end], start=start, blocks=blocks, samples=samples)


@pytest.mark.parametrize("few", [0, 1000], ids=["together", "alone"])
def test_logits_are_the_model_codes_own(folder: Path, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt in chunks on scattered blocks, then one token beside another prompt: wrong places and masks show."""
    monkeypatch.setattr(host_model, "FEW", few)
    lane = lane_of(load_weights(folder, "m"))
    assert lane.forward([row("a", 0, 70, (7, 2, 3, 9), samples=False)], ()) is None
    lane.forward([row("a", 70, 110, (7, 2, 3, 9))], ())
    ours = lane.forward([row("a", 110, 111, (7, 2, 3, 9)), row("b", 0, 50, (5, 4))], ())
    reference: Any = load_model(folder)[0]
    reference.set_dtype(mx.float32)
    for got, length in zip(np.array(ours), (111, 50), strict=True):
        expected = np.array(reference(mx.array([TOKENS[:length]]))[0, -1])
        assert np.abs(got - expected).max() < 1e-4


def test_weights_are_held_once(folder: Path) -> None:
    """What NumPy multiplies with is what MLX's modules show: a copy would double what a model takes."""
    weights = load_weights(folder, "m")
    assert weights.host is not None
    layer = weights.host.layers[0].gate_up[0].weight
    module = weights.model.model.layers[0].mlp.up_proj
    inner = layer.shape[0] // 2
    before = module.weight[3, 5].item()
    layer[inner + 3, 5] += 1
    assert module.weight[3, 5].item() == pytest.approx(before + 1)
    logits = weights.model(mx.array([TOKENS[:9]]))
    assert logits.shape[-1] == weights.vocabulary


def test_other_models_keep_mlx_s_layout(tmp_path: Path) -> None:
    """Experts and other norms are not what HostModel computes: nothing of them may be turned."""
    for name in ("qwen3_moe", "gemma3_text", "phi3"):
        assert load_weights(make_folder(name, tmp_path / name), name).host is None


def test_positions_far_beyond_the_first_are_turned(tmp_path: Path) -> None:
    """The table of rotations grows with the longest sequence, whatever it had before."""
    weights = load_weights(make_folder("qwen3", tmp_path / "m"), "m")
    assert weights.host is not None
    rotation = Rotation(weights.host.rotation, 16)
    heads = np.random.default_rng(1).normal(size=(3, 2, 16)).astype(np.float32)  # [tokens, heads, size]
    for positions in ([0, 1, 5], [7, 1023, 1024], [9000, 3, 70000]):
        turned = rotation.at(np.array(positions)).turn(heads.transpose(1, 2, 0).copy()).transpose(2, 0, 1)
        column = mx.array(heads)[:, :, None]
        expected = weights.host.rotation(column, offset=mx.array(positions))
        assert np.abs(turned - np.array(expected)[:, :, 0]).max() < 1e-5


def test_runs_end_where_blocks_slabs_and_owners_do() -> None:
    """A run that goes on too far reads another sequence's keys."""
    runs = runs_of(((0, 1, 2, 3, 9), (0, 1, 6)), block_tokens=10, slab_blocks=3)
    assert [(run.slab, run.begin, run.end, run.column, run.owners) for run in runs] == [
        (0, 0, 20, 0, (0, 1)),
        (0, 20, 30, 20, (0,)),
        (1, 0, 10, 30, (0,)),
        (3, 0, 10, 40, (0,)),
        (2, 0, 10, 20, (1,)),
    ]


@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_shares_are_all_tokens_once(number: int) -> None:
    """A token in no share, or in two, is a wrong answer on machines with more cores than ours."""
    seen = ((0, 1, 2, 3), (0, 1, 2, 3), (7,), (9, 10, 11), (9, 10, 12), (20, 21))
    parts = shares(seen, number)
    assert 1 <= len(parts) <= number
    assert [token for part in parts for token in part] == list(range(len(seen)))
    # What two tokens read both is read once: they are in one part.
    assert all((0 in part) == (1 in part) and (3 in part) == (4 in part) for part in parts)


def test_what_is_the_same_for_all_is_one_share() -> None:
    assert shares(((0, 1), (0, 2), (0, 3)), 2) == [range(3)]
