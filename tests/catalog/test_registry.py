import json
from collections import Counter
from importlib.resources import files

from paddock.hub.reference import parse_reference
from paddock.vocabulary import ModelFormat, SourceKind


def test_every_ready_to_use_model_of_document_c_can_be_asked_for() -> None:
    """Their references are in our grammar, and each name is told once."""
    models = json.loads(files("paddock.catalog").joinpath("data/registry.json").read_text("utf-8"))["models"]
    for model in models:
        assert str(parse_reference(model["reference"])) == model["reference"]
        assert parse_reference(model["name"]).source is None
        assert model["description"].endswith(".")
    assert len({model["name"] for model in models}) == len(models)
    assert Counter(ModelFormat(model["format"]) for model in models) == {
        ModelFormat.SWIFT_TRANSFORMERS: 4,
        ModelFormat.GGUF: 4,
        ModelFormat.TFLITE: 4,
    }
    kaggle = [model for model in models if parse_reference(model["reference"]).source is SourceKind.KAGGLE]
    assert {model["format"] for model in kaggle} == {ModelFormat.TFLITE}
