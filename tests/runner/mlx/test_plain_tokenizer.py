"""The tokenizer that is read without transformers is the one that transformers reads."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlx_lm.tokenizer_utils import load as load_wrapper

from paddock.app import BUILTIN_MODELS
from paddock.runner.mlx.plain_tokenizer import ARCHITECTURES, NAMES, PlainTokenizer, read_plain

PONY = BUILTIN_MODELS / "pony"
TEXTS = (
    "",
    " ",
    "Hello, world!",
    "  What is 3 plus 4?\n\n",
    "Grüße 🐴 \u4f60\u597d e\u0301",
    "<|im_start|>user\nHi<|im_end|>\n<think>hm</think><tool_call>{}</tool_call> <image>",
    "don't , stop .\t?",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """pony's tokenizer, without its weights."""
    for file in PONY.iterdir():
        if file.suffix in (".json", ".jinja"):
            shutil.copy(file, tmp_path / file.name)
    return tmp_path


def change(folder: Path, name: str, **values: Any) -> None:
    """Set keys in one of its JSON files."""
    file = folder / name
    file.write_text(json.dumps({**(json.loads(file.read_text()) if file.exists() else {}), **values}))


def plain(folder: Path) -> PlainTokenizer:
    found = read_plain(folder, [7])
    assert found is not None, "it was left to transformers"
    return found


def assert_same(folder: Path) -> None:
    ours = plain(folder)
    theirs: Any = load_wrapper(folder, tokenizer_config_extra={"local_files_only": True}, eos_token_ids=[7])
    for text in TEXTS:
        for special in (True, False):
            tokens = theirs.encode(text, add_special_tokens=special)
            assert ours.encode(text, add_special_tokens=special) == tokens
            assert ours.decode(tokens, skip_special_tokens=special) == theirs.decode(
                tokens, skip_special_tokens=special
            )
    for name in NAMES:
        assert getattr(ours, name) == (None if getattr(theirs, name) is None else str(getattr(theirs, name))), name
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.eos_token_ids == set(theirs.eos_token_ids)
    assert set(ours.all_special_tokens) == set(theirs.all_special_tokens)
    assert ours.chat_template == theirs.chat_template
    assert str(ours.added_tokens_decoder) == str(theirs.added_tokens_decoder)
    for token in (0, 5, 300, 4088, 10**6):
        assert ours.convert_ids_to_tokens(token) == theirs.convert_ids_to_tokens(token)
    for word in ("<|im_end|>", "the", "no such token"):
        assert ours.convert_tokens_to_ids(word) == theirs.convert_tokens_to_ids(word)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_it_says_what_transformers_says(folder: Path, architecture: str) -> None:
    """For each of these architectures transformers takes the class's word; were that to change, the two would differ."""
    (folder / "config.json").write_text(json.dumps({"model_type": architecture}))
    assert_same(folder)


CHANGES: dict[str, Callable[[Path], None]] = {
    "a start token that is written in front": lambda folder: change(
        folder,
        "tokenizer.json",
        post_processor={
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
        },
    ),
    "texts that are cut and padded": lambda folder: change(
        folder,
        "tokenizer.json",
        truncation={"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        padding={
            "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
            "pad_token": "<|endoftext|>",
        },
    ),
    "special tokens that two files name": lambda folder: change(folder, "special_tokens_map.json", eos_token="<image>"),
    "special tokens as objects": lambda folder: change(
        folder, "special_tokens_map.json", unk_token={"content": "<|endoftext|>", "lstrip": False}
    ),
    "a template among the settings": lambda folder: (
        (folder / "chat_template.jinja").unlink(),
        change(folder, "tokenizer_config.json", chat_template="{{ messages }}"),
    )[1],
    "several templates": lambda folder: (
        (folder / "chat_template.jinja").unlink(),
        change(
            folder,
            "tokenizer_config.json",
            chat_template=[{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}],
        ),
    )[1],
    "settings that earlier versions wrote": lambda folder: change(
        folder, "tokenizer_config.json", add_bos_token=True, add_eos_token=True, clean_up_tokenization_spaces=None
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_it_also_says_the_same_of_files_that_say_more(folder: Path, name: str) -> None:
    """Whatever is not left to transformers is read as it would be there."""
    CHANGES[name](folder)
    assert_same(folder)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("config.json", {"model_type": "qwen2"}),
        ("tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer"}),
        ("tokenizer_config.json", {"tokenizer_class": None}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a.B", None]}}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"4096": {"content": "<new>", "special": True}}}),
        ("tokenizer_config.json", {"additional_special_tokens": ["<new>"]}),
        ("tokenizer_config.json", {"extra_special_tokens": {"image_token": "<image>"}}),
        ("tokenizer_config.json", {"image_token": "<image>"}),
        ("tokenizer_config.json", {"bos_token": "the"}),
        ("tokenizer_config.json", {"bos_token": {"content": "<image>"}}),
        ("tokenizer_config.json", {"clean_up_tokenization_spaces": True}),
        ("tokenizer_config.json", {"add_prefix_space": True}),
        ("tokenizer_config.json", {"split_special_tokens": True}),
        ("tokenizer_config.json", {"chat_template_type": "plain"}),
        ("special_tokens_map.json", {"extra_special_tokens": ["<image>"]}),
        ("added_tokens.json", {"<new>": 4096}),
    ],
)
def test_what_takes_more_than_tokenizer_json_is_left_to_transformers(
    folder: Path, file: str, values: dict[str, Any]
) -> None:
    """A guess here would be a model that reads other words than it was taught."""
    change(folder, file, **values)
    assert read_plain(folder, []) is None


LOAD = """
import sys
from paddock.runner.mlx.opening import open_model
from paddock.runner.opening import LoadOptions
from paddock.vocabulary import ModelFormat
opened = open_model(LoadOptions(name="pony", path=sys.argv[1], format=ModelFormat.MLX))
print(*(name for name in ("transformers", "huggingface_hub", "asyncio", "mlx_lm.generate") if name in sys.modules))
print(opened.tokenizer.encode("Hello"))
import mlx_lm
print(mlx_lm.__version__, mlx_lm.generate.__module__)
"""


def test_a_runner_imports_what_its_model_needs_and_no_more(folder: Path) -> None:
    """A model is there in a third of the time; whoever asks for more of mlx-lm still gets all of it."""
    shutil.copy(PONY / "model.safetensors", folder)

    def load() -> list[str]:
        done = subprocess.run([sys.executable, "-c", LOAD, folder], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    imported, tokens, rest = load()
    assert imported == ""
    assert rest.endswith(" mlx_lm.generate")
    change(folder, "tokenizer_config.json", tokenizer_class="Qwen2Tokenizer")
    assert load()[0].startswith("transformers")
    assert load()[1] == tokens
