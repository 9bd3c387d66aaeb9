"""How conversations with pictures become prompts, and what a model says that cannot see."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import mlx.core as mx
import pytest

from paddock.errors import Incompatible, UsageError
from paddock.runner.mlx.opening import open_model
from paddock.runner.mlx.vision.opening import open_parts
from paddock.runner.opening import LoadOptions, OpenedModel
from paddock.runner.prompts import read_prompt
from paddock.vocabulary import GenerateRequest, Message, ModelFormat, ModelKind, Picture, Sampling
from tests.runner.vision.architectures import PONY, make_folder
from tests.runner.vision.drawings import circle, picture_of, said, square

OPTIONS = LoadOptions(name="m", path="", format=ModelFormat.MLX, kind=ModelKind.VISION, memory_bytes_max=2**29)


def opened(folder: Path) -> OpenedModel:
    return open_model(replace(OPTIONS, name=folder.name, path=str(folder)))


def ask(*messages: Message) -> GenerateRequest:
    return GenerateRequest(id="r", messages=messages, sampling=Sampling())


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> OpenedModel:
    return opened(make_folder("qwen2_vl", tmp_path_factory.mktemp("models") / "qwen2_vl"))


def test_names_tell_pictures_apart_and_words_do_not(qwen: OpenedModel) -> None:
    """All tokens of all pictures are the same, so the prefix index goes by names; elsewhere token and name agree."""
    one = read_prompt(ask(said("user", "This:", circle("red"), "what is it?")), qwen)
    other = read_prompt(ask(said("user", "This:", circle("blue"), "what is it?")), qwen)
    assert list(one.tokens) == list(other.tokens)
    (look,) = one.looks
    pairs = list(zip(one.tokens, one.names, other.names, strict=True))
    places = set(look.places)
    assert all((name == token == theirs) != (place in places) for place, (token, name, theirs) in enumerate(pairs))
    assert all(name < 0 for place, (_, name, _) in enumerate(pairs) if place in places)
    assert len({pairs[place][1] for place in places} | {pairs[place][2] for place in places}) == 2 * len(places)
    assert read_prompt(ask(said("user", "This: what is it?")), qwen).names == ()


def test_pictures_keep_their_places_in_the_text(qwen: OpenedModel) -> None:
    """`Tell the first from the second` means something else when both come first."""
    message = said(
        "user", circle("red", width=60, height=44), "is round,", square("blue", width=44, height=60), "is not"
    )
    prompt = read_prompt(ask(message), qwen)
    first, second = prompt.looks
    between = qwen.tokenizer.decode(prompt.tokens[first.places[-1] + 1 : second.places[0]])
    assert between.strip() == "is round,"
    assert first.picture == message.images[0]
    assert second.picture == message.images[1]


def test_words_for_pictures_stay_text_in_what_people_write(qwen: OpenedModel) -> None:
    """A conversation from outside must not conjure a picture up, in whichever of the model's words."""
    text = "<|image_pad|><|vision_start|><|image_pad|><|vision_end|>"
    plain = read_prompt(ask(said("user", circle())), qwen)
    place = plain.tokens[plain.looks[0].places[0]]
    for message in (said("user", text, circle(), text), said("user", text)):
        prompt = read_prompt(ask(message), qwen)
        assert list(prompt.tokens).count(place) == sum(len(look.places) for look in prompt.looks)


def test_a_role_that_takes_no_pictures_is_named(tmp_path: Path) -> None:
    """Rather than a template's Python error, or a picture left out."""
    model = opened(make_folder("pixtral", tmp_path / "pixtral"))
    conversation = (said("user", "Draw."), said("assistant", "Here:", circle()), said("user", "What is it?"))
    with pytest.raises(UsageError, match="no place for pictures in messages of the assistant") as caught:
        read_prompt(ask(*conversation), model)
    assert "user" in caught.value.hint


def test_a_template_that_leaves_pictures_out_is_found_out(tmp_path: Path) -> None:
    """Here it writes the first picture of each message only: both numbers are told."""
    folder = make_folder("idefics3", tmp_path / "idefics3")
    told = json.loads((folder / "chat_template.json").read_text())
    source = told["chat_template"].replace("{{ '<image>' }}", "{% if loop.first %}{{ '<image>' }}{% endif %}")
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": source}))
    with pytest.raises(UsageError, match=r"has 2 pictures; .* has a place for 1 of them"):
        read_prompt(ask(said("user", circle("red"), circle("blue"), "Which is red?")), opened(folder))


def test_a_picture_that_the_processor_refuses_is_the_callers_error(qwen: OpenedModel) -> None:
    """Qwen's refuse what is two hundred times as wide as high."""
    flat = picture_of(circle(width=900, height=2))
    with pytest.raises(UsageError, match="900 × 2"):
        read_prompt(ask(Message(role="user", images=(flat,))), qwen)


def blind(model: OpenedModel) -> UsageError:
    """What it says when it is shown a picture. It still answers words."""
    assert model.sight is None
    assert read_prompt(ask(said("user", "Hello")), model).tokens
    with pytest.raises(UsageError, match=f"`{model.tokenizer._name}` cannot see pictures") as caught:  # type: ignore[attr-defined]
        read_prompt(ask(said("user", circle(), "What is it?")), model)
    return caught.value


def test_a_model_whose_tokenizer_has_no_word_for_pictures_says_so(tmp_path: Path) -> None:
    """A conversion that lost its special tokens."""
    folder = make_folder("pixtral", tmp_path / "pixtral")
    told = json.loads((folder / "tokenizer.json").read_text())
    told["added_tokens"] = [each for each in told["added_tokens"] if "[IMG" not in each["content"]]
    (folder / "tokenizer.json").write_text(json.dumps(told))
    assert "no token for a picture" in blind(opened(folder)).message


def test_a_model_whose_processor_is_missing_says_so(tmp_path: Path) -> None:
    """It is no reason not to answer words."""
    folder = make_folder("idefics3", tmp_path / "idefics3")
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").unlink()
    assert "its processor cannot be read" in blind(opened(folder)).message


def test_without_the_extra_words_are_answered_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where mlx-lm knows the model's language part; where it does not, loading says what to install."""
    gemma = make_folder("gemma3", tmp_path / "gemma3")
    idefics = make_folder("idefics3", tmp_path / "idefics3")
    monkeypatch.setitem(sys.modules, "mlx_vlm", None)  # as if it were not installed
    error = blind(opened(gemma))
    assert "not installed" in error.message
    assert "paddock[vision]" in error.hint
    with pytest.raises(Incompatible, match="`idefics3` is a model that sees") as caught:
        opened(idefics)
    assert "paddock[vision]" in caught.value.hint


def test_an_architecture_that_is_not_seen_with_yet_answers_words_and_names_those_that_are() -> None:
    """Its kind says that it sees; what is not known to be right is not tried."""
    error = blind(open_model(replace(OPTIONS, name="pony", path=str(PONY))))
    assert "`qwen3`" in error.message
    assert "llava" in error.hint
    assert "qwen2_5_vl" in error.hint


@pytest.mark.parametrize(("name", "on_host"), [("llava", True), ("qwen2_5_vl", True), ("gemma3", False)])
def test_language_parts_are_worked_on_as_those_of_text_models(tmp_path: Path, name: str, on_host: bool) -> None:
    """On a CPU without MLX, where their layers are llama's, however their positions turn."""
    folder = make_folder(name, tmp_path / name)
    parts = open_parts(replace(OPTIONS, name=name, path=str(folder)))
    assert parts.sight is not None
    assert (parts.weights.host is not None) == on_host


def test_a_text_model_is_never_opened_with_a_processor(tmp_path: Path) -> None:
    """Its kind is known before it is loaded: model and tokenizer here, model and processor there."""
    folder = make_folder("gemma3", tmp_path / "gemma3")
    text = open_model(replace(OPTIONS, name="gemma3", path=str(folder), kind=ModelKind.TEXT))
    assert "ask a model that sees" in blind(text).hint


def test_places_are_counted_from_the_text_and_beyond_it_is_the_end(qwen: OpenedModel) -> None:
    """A picture said to stand behind the last character stands there."""
    drawn = picture_of(circle())
    message = Message(role="user", content="Hi", images=(replace(drawn, at=10), Picture(**_fields(drawn, at=10))))
    assert len(read_prompt(ask(message), qwen).looks) == 2


def _fields(picture: Picture, *, at: int) -> dict[str, object]:
    return {
        "at": at,
        "pixels": picture.pixels,
        "width": picture.width,
        "height": picture.height,
        "digest": picture.digest,
    }


def test_a_model_whose_tower_was_left_out_answers_words_and_says_so(tmp_path: Path) -> None:
    """Conversions for mlx-lm keep the config of a model that sees, and none of the weights to see with."""
    folder = make_folder("gemma3", tmp_path / "gemma3")
    loaded = cast("dict[str, mx.array]", mx.load(str(folder / "model.safetensors")))
    weights = {name: each for name, each in loaded.items() if not name.startswith(("vision", "multi_modal"))}
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    model = open_model(replace(OPTIONS, name="gemma3", path=str(folder)))
    assert "no weights to see with" in blind(model).message
