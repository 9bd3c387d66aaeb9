"""The same model as an ONNX graph gives the same vectors."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from paddock.errors import Corrupt, Incompatible
from paddock.fleet.fleet import Fleet, Runner
from paddock.vocabulary import EmbedRequest, ModelFormat
from tests.fakes.onnx import Graph, bert_graph
from tests.runner.embedding.models import PONY_EMBED, rows, spec_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = tuple("a horse runs over green fields near the river " * (1 + number % 5) + str(number) for number in range(64))


def folder_with(to: Path) -> Path:
    """Tokenizer and config of `pony-embed`, without its weights."""
    to.mkdir()
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(PONY_EMBED / name, to / name)
    return to


async def test_a_graph_gives_the_vectors_of_the_weights_it_was_made_of(
    fleet: Fleet, pony: Runner, tmp_path: Path
) -> None:
    folder = folder_with(tmp_path / "pony-onnx")
    (folder / "onnx").mkdir()
    bert_graph(PONY_EMBED, folder / "onnx" / "model.onnx")
    runner = await fleet.start(spec_of(folder, stored_as=ModelFormat.ONNX))
    request = EmbedRequest(id="1", inputs=TEXTS)
    theirs, ours = await runner.embed(request), await pony.embed(request)
    assert theirs.tokens == ours.tokens
    assert np.abs(rows(theirs) - rows(ours)).max() < 1e-5
    alone = rows(await runner.embed(EmbedRequest(id="1", inputs=TEXTS[4:5])))[0]
    assert np.abs(alone - rows(theirs)[4]).max() < 1e-5
    stats = await runner.stats()
    assert stats.memory is not None
    await runner.stop()


async def test_graphs_that_cannot_run_say_why(fleet: Fleet, tmp_path: Path) -> None:
    broken = folder_with(tmp_path / "broken")
    (broken / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(Corrupt, match="`broken` cannot be loaded"):
        await fleet.start(spec_of(broken, stored_as=ModelFormat.ONNX))
    other = folder_with(tmp_path / "other")
    graph = Graph()
    graph.write(other / "model.onnx", inputs=("pixels",), output=graph.node("Cast", "pixels", to=1), rank=2)
    with pytest.raises(Incompatible, match="wants `pixels`"):
        await fleet.start(spec_of(other, stored_as=ModelFormat.ONNX))
    nothing = folder_with(tmp_path / "nothing")
    with pytest.raises(Incompatible, match="0 graphs"):
        await fleet.start(spec_of(nothing, stored_as=ModelFormat.ONNX))
