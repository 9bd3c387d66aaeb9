"""What Paddock leans on in mlx-vlm, each piece by its name: an upgrade that changes one fails here, and says which."""

import inspect
from importlib import import_module
from importlib.metadata import version

import pytest
from mlx_vlm import utils

from paddock.runner.mlx.dispatch import PAGED
from paddock.runner.mlx.vision.architectures import ARCHITECTURES

PINNED = "0.7.10"
LANGUAGE_PARTS = sorted(place for place in PAGED.values() if place.startswith("mlx_vlm."))


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_the_version_is_the_one_that_was_looked_at() -> None:
    """After an upgrade run test_matrix.py beside this, read what mlx-vlm says has changed, and then change this."""
    assert version("mlx-vlm") == PINNED


def test_its_loaders_take_what_they_are_given() -> None:
    """A model lazily, from a folder; a processor without code of its folder and without the network."""
    assert parameters(utils.load_model)[:2] == ["model_path", "lazy"]
    assert {"model_path", "add_detokenizer", "kwargs"} <= set(parameters(utils.load_processor))
    assert {"processor", "images", "prompts", "add_special_tokens"} <= set(parameters(utils.prepare_inputs))
    assert "model_file" in inspect.getsource(utils.get_model_and_args), "code of a folder's own is refused by this name"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_models_that_see_are_made_as_they_were(name: str) -> None:
    """Embeddings of a prompt and its picture together; a language part that takes them; the class's processor beside it."""
    assert utils.get_model_type({"model_type": name}) == name
    package = import_module(f"mlx_vlm.models.{name}")
    assert {"input_ids", "pixel_values", "kwargs"} <= set(parameters(package.Model.get_input_embeddings))
    architecture = ARCHITECTURES[name]
    if architecture.turns:
        wanted = ["self", "input_ids", "image_grid_thw", "video_grid_thw", "attention_mask"]
        assert parameters(package.LanguageModel.get_rope_index) == wanted
    if architecture.deep:
        module = import_module(f"mlx_vlm.models.{name}.language")
        backbone = getattr(module, {"qwen3_vl": "Qwen3VLModel", "qwen3_vl_moe": "Qwen3VLMoEModel"}[name])
        assert parameters(backbone._deepstack_process) == ["self", "hidden_states", "visual_pos_masks", "visual_embeds"]


@pytest.mark.parametrize("place", LANGUAGE_PARTS)
def test_language_parts_call_attention_as_they_did(place: str) -> None:
    """By a name in their module, with the layer's cache; the backbone before its head, where rows are chosen."""
    module = import_module(place)
    wanted = ["queries", "keys", "values", "cache", "scale", "mask", "sinks"]
    assert parameters(module.scaled_dot_product_attention) == wanted
    given = set(parameters(module.LanguageModel.__call__))
    assert {"inputs", "inputs_embeds", "cache"} <= given
    source = inspect.getsource(module)
    assert "self.norm(h" in source, "the last thing before the head"
    assert "self.embed_tokens(inputs)" in source


def test_activations_are_where_they_were() -> None:
    """Computed on the host where the CPU does the work."""
    assert parameters(import_module("mlx_vlm.models.mlp").swiglu) == ["gate", "x"]


def test_llava_still_tells_its_image_processor_about_padding() -> None:
    """When it no longer does, the wrapper in processing.py can go."""
    source = inspect.getsource(import_module("mlx_vlm.models.llava.processing_llava").LlavaProcessor.__call__)
    assert "self.image_processor(images, **kwargs)" in source
