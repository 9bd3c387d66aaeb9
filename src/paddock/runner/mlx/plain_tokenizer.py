"""A tokenizer that its `tokenizer.json` says all of, read without transformers.

Importing transformers takes longer than everything else that a runner does until a small model is loaded, and its memory
stays. Many models need nothing of it. Those that do (a class that builds its tokenizer anew, words that only other files
know, Python of its own) are left to mlx-lm's loader; `tests/runner/mlx/test_plain_tokenizer.py` compares the two.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from tokenizers import AddedToken, Tokenizer

# The classes that take `tokenizer.json` as it is, and architectures of which transformers takes their word for it.
_AS_IT_IS: Final = frozenset({"PreTrainedTokenizerFast", "TokenizersBackend"})
ARCHITECTURES: Final = frozenset({"llama", "qwen3", "qwen3_moe", "olmo2", "smollm3", "granite"})
NAMES: Final = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# What these ask for is done in Python, or changes what `tokenizer.json` says. False and null ask for nothing.
_MORE: Final = (
    "add_prefix_space",
    "auto_map",
    "chat_template_type",
    "clean_up_tokenization_spaces",
    "legacy",
    "response_template",
    "split_special_tokens",
)
_VOCABULARY_MAX: Final = 100_000  # of larger ones transformers mends some known mistakes
_TEMPLATE: Final = "chat_template.jinja"


class PlainTokenizer:
    """Answers as mlx-lm's TokenizerWrapper around a TokenizersBackend does, as far as a runner asks."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        named: Mapping[str, str],
        special: Sequence[str],
        chat_template: str | dict[str, str] | None,
        end_token_ids: Sequence[int],
    ) -> None:
        """`named`: the special tokens that have a name, `special`: all of them."""
        self.backend_tokenizer = tokenizer
        self.chat_template = chat_template
        self.all_special_tokens = list(special)
        self.added_tokens_decoder: Mapping[int, AddedToken] = tokenizer.get_added_tokens_decoder()
        self.bos_token = named.get("bos_token")
        self.eos_token = named.get("eos_token")
        self.unk_token = named.get("unk_token")
        self.sep_token = named.get("sep_token")
        self.pad_token = named.get("pad_token")
        self.cls_token = named.get("cls_token")
        self.mask_token = named.get("mask_token")
        end = None if self.eos_token is None else tokenizer.token_to_id(self.eos_token)
        self.eos_token_ids = {*end_token_ids, *([] if end is None else [end])}

    def get_vocab(self) -> dict[str, int]:
        return self.backend_tokenizer.get_vocab(with_added_tokens=True)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        return self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        return self.backend_tokenizer.decode(tokens, skip_special_tokens=skip_special_tokens)

    def convert_tokens_to_ids(self, text: str) -> int | None:
        found = self.backend_tokenizer.token_to_id(text)
        return self.backend_tokenizer.token_to_id(self.unk_token) if found is None and self.unk_token else found

    def convert_ids_to_tokens(self, token: int) -> str | None:
        return self.backend_tokenizer.id_to_token(token)


def read_plain(folder: Path, end_token_ids: Sequence[int]) -> PlainTokenizer | None:
    """The tokenizer of the model in `folder`; None when its `tokenizer.json` does not say all of it.

    Raises what is wrong with its files.
    """
    config, also = _read(folder / "tokenizer_config.json"), _read(folder / "special_tokens_map.json")
    if not _is_plain(folder, config, also):
        return None
    named = {name: text for name in NAMES if (text := _text({**config, **also}.get(name))) is not None}
    extra: list[Any] = config.get("extra_special_tokens") or config.get("additional_special_tokens") or []
    special = list(dict.fromkeys([*named.values(), *(_text(token) or "" for token in extra)]))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    known = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    if not known.issuperset(special) or tokenizer.get_vocab_size() > _VOCABULARY_MAX:
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return PlainTokenizer(
        tokenizer,
        named=named,
        special=special,
        chat_template=_chat_template(folder, config),
        end_token_ids=end_token_ids,
    )


def _is_plain(folder: Path, config: Mapping[str, Any], also: Mapping[str, Any]) -> bool:
    elsewhere = ("added_tokens.json", "additional_chat_templates", "tokenizer.model", "tekken.json")
    return (
        config.get("tokenizer_class") in _AS_IT_IS
        and _read(folder / "config.json").get("model_type") in ARCHITECTURES
        and (folder / "tokenizer.json").is_file()
        and not any((folder / name).exists() for name in elsewhere)
        and "added_tokens_decoder" not in config
        and not any(config.get(name) for name in _MORE)
        # A special token under a name of the model's own.
        and not any(name.endswith("_token") and name not in NAMES and not name.startswith("add_") for name in config)
        and not any(isinstance(config.get(name), dict) for name in (*NAMES, "extra_special_tokens"))
        and {"additional_special_tokens", *NAMES}.issuperset(also)
    )


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; an empty one when there is no such file. Raises ValueError."""
    if not file.is_file():
        return {}
    found = json.loads(file.read_bytes())
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _text(token: Any) -> str | None:
    """A token is written as its text, or as an object with it."""
    found = cast("dict[str, Any]", token).get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def _chat_template(folder: Path, config: Mapping[str, Any]) -> str | dict[str, str] | None:
    if (folder / _TEMPLATE).is_file():
        return (folder / _TEMPLATE).read_text(encoding="utf-8")
    found: Any = config.get("chat_template")
    if isinstance(found, list):  # several, each with its name
        return {str(each["name"]): str(each["template"]) for each in cast("list[dict[str, Any]]", found)}
    return found if isinstance(found, str) else None
