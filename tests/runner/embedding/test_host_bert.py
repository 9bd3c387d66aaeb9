"""What is computed outside MLX is what mlx-embeddings' layers compute, wherever the cores part the tokens."""

import json
from math import erf, sqrt
from pathlib import Path

import numpy as np
import pytest

from paddock.runner.mlx.blas import load_blas

load_blas()  # before anything imports MLX

from paddock.runner.embedding.encoder import Tokens  # noqa: E402
from paddock.runner.embedding.gelu import gelu  # noqa: E402
from paddock.runner.embedding.mlx_encoder import MlxEncoder, open_encoder  # noqa: E402
from paddock.runner.embedding.mlx_host import host_bert  # noqa: E402
from paddock.runner.mlx.host_team import Team  # noqa: E402
from paddock.runner.opening import LoadOptions  # noqa: E402
from paddock.vocabulary import ModelFormat, ModelKind  # noqa: E402
from tests.fakes.bert import read_safetensors, write_safetensors  # noqa: E402
from tests.runner.embedding.models import PONY_EMBED, copy_of, reranker  # noqa: E402

ROWS = [
    Tokens([5 + (7 * number + at) % 4000 for at in range(length)]) for number, length in enumerate((1, 130, 3, 61, 9))
]


def opened(folder: Path) -> MlxEncoder:
    options = LoadOptions(name=folder.name, path=str(folder), format=ModelFormat.MLX, kind=ModelKind.EMBEDDINGS)
    return open_encoder(options, blas=None)[0]


def roberta(to: Path) -> Path:
    """`pony-embed` as a model whose positions begin behind those of padding."""
    copy_of(PONY_EMBED, to, model_type="xlm-roberta", pad_token_id=1, max_position_embeddings=514, type_vocab_size=1)
    told = json.loads((to / "config.json").read_text())
    weights = read_safetensors(to / "model.safetensors")
    names = {name.removeprefix("bert."): each.astype(np.float32) for name, each in weights.items()}
    places = names["embeddings.position_embeddings.weight"]
    names["embeddings.position_embeddings.weight"] = np.concatenate([places[:2] + 3, places])
    names["embeddings.token_type_embeddings.weight"] = names["embeddings.token_type_embeddings.weight"][:1]
    assert told["hidden_act"] == "gelu"
    write_safetensors(to / "model.safetensors", {f"roberta.{name}": each for name, each in names.items()})
    return to


def with_pooling(folder: Path, mode: str) -> Path:
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({mode: True}))
    return folder


@pytest.mark.parametrize("mode", ["mean_tokens", "cls_token", "lasttoken", "max_tokens"])
def test_vectors_are_those_of_the_library_s_layers(tmp_path: Path, mode: str) -> None:
    for folder in (copy_of(PONY_EMBED, tmp_path / "bert"), roberta(tmp_path / "roberta")):
        encoder = opened(with_pooling(folder, f"pooling_mode_{mode}"))
        ours = encoder.encode(ROWS)
        encoder._host = None  # pyright: ignore[reportPrivateUsage]  (the other way, with the same weights)
        theirs = encoder.encode(ROWS)
        assert np.abs(ours - theirs).max() < 2e-5 * np.abs(theirs).max()


def test_scores_are_those_of_the_library_s_layers(tmp_path: Path) -> None:
    """Pairs, whose second half has other types."""
    encoder = opened(reranker(tmp_path / "judge"))
    pairs = [Tokens(row.ids, [0] * (len(row) // 2) + [1] * (len(row) - len(row) // 2)) for row in ROWS]
    ours = encoder.encode(pairs)
    encoder._host = None  # pyright: ignore[reportPrivateUsage]
    assert np.abs(ours - encoder.encode(pairs)).max() < 1e-4
    assert np.abs(ours - opened(tmp_path / "judge").encode(ROWS)).max() > 1e-3


def test_it_does_not_matter_how_many_work_and_where_the_tokens_are_parted() -> None:
    encoder = opened(PONY_EMBED)
    host = encoder._host  # pyright: ignore[reportPrivateUsage]
    assert host is not None
    alone = [host.hidden([row], Team(1))[0] for row in ROWS]
    for team in (Team(1), Team()):
        for one, among in zip(alone, host.hidden(ROWS, team), strict=True):
            assert np.abs(one - among).max() < 2e-5


def test_weights_are_held_once() -> None:
    """They are looked at where MLX has them: a second copy would double what the model takes."""
    encoder = opened(PONY_EMBED)
    weights = encoder._weights  # pyright: ignore[reportPrivateUsage]
    one, other = host_bert(weights), host_bert(weights)
    assert one is not None
    assert other is not None
    assert np.shares_memory(one.words, other.words)
    assert np.shares_memory(one.layers[0].up.weight, other.layers[0].up.weight)


def test_what_is_not_float32_is_left_to_mlx(tmp_path: Path) -> None:
    """Models that fit only as they are stored."""
    folder = copy_of(PONY_EMBED, tmp_path / "halves")
    limit = (folder / "model.safetensors").stat().st_size + 70 * 1024 * 1024
    options = LoadOptions(
        name="halves", path=str(folder), format=ModelFormat.MLX, kind=ModelKind.EMBEDDINGS, memory_bytes_max=limit
    )
    encoder = open_encoder(options, blas=None)[0]
    assert encoder._host is None  # pyright: ignore[reportPrivateUsage]
    assert encoder.encode(ROWS).shape == (len(ROWS), 256)


def test_gelu_is_exact_to_float32() -> None:
    numbers = np.linspace(-12, 12, 40_001).astype(np.float32)
    exact = np.array([x * 0.5 * (1 + erf(x / sqrt(2))) for x in numbers.tolist()])
    ours = numbers.reshape(1, -1).copy()
    gelu(ours)
    assert np.abs(ours[0] - exact).max() < 2e-6
