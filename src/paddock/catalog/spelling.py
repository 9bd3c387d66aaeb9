"""The spellings under which one model may stand in the database.

Hubs write `meta-llama/Llama-3.1-8B-Instruct`, runners write `llama3.1:8b-instruct`. The database is written the second
way, so the first is turned into it:

    meta-llama/ | Llama-3.1 | - | 8B-Instruct
    dropped       llama3.1    :   8b-instruct      version glued to the word, size and what follows become the tag
"""

import re

# `8b`, `0.5b`, `270m`, `8x7b`, `e4b`: the first of them opens the tag.
_SIZE = re.compile(r"(?<![a-z0-9.])(?:e?\d+(?:\.\d+)?|\d+x\d+(?:\.\d+)?)[bm](?![a-z0-9])")
# Words that stand for a size where the maker gives no number (`phi-3-mini`).
_SIZE_WORD = re.compile(r"-(?=(?:nano|tiny|mini|small|medium|large|big|lite)(?:-|$))")
# `llama-3.1` is `llama3.1` and `gemma-3n` is `gemma3n`, but `small-2407` and `mini-4k` keep their hyphens.
_VERSION = re.compile(r"(?<=[a-z])-(?=[1-9]\d?(?:\.\d+)*n?(?:-|$))")
_MAKERS = ("meta-", "mlx-", "unsloth-")


def spellings(name: str) -> tuple[str, ...]:
    """`name` as it stands, its last part, and every normalised form; lower case, without repeats, best known first."""
    lower = name.strip().lower()
    short = lower.rsplit("/", 1)[-1]
    forms = [] if ":" in short else _tagged(_without_maker(short).replace("_", "-"))
    return tuple(dict.fromkeys([lower, short, *forms]))


def normalised(name: str) -> str:
    """The runner's spelling of a hub's name: `Qwen/Qwen3-8B-MLX-4bit` → `qwen3:8b-mlx-4bit`."""
    return spellings(name)[-1]


def _without_maker(short: str) -> str:
    for maker in _MAKERS:
        if short.startswith(maker) and len(short) > len(maker):
            return short[len(maker) :]
    return short


def _tagged(short: str) -> list[str]:
    if size := _SIZE.search(short):
        base, tag = short[: size.start()].rstrip("-"), short[size.start() :]
        if base:
            return [f"{_glue(base)}:{tag}"]
    glued = _glue(short)
    forms = [f"{glued}:latest"]
    if word := _SIZE_WORD.search(glued):
        forms.append(f"{glued[: word.start()]}:{glued[word.end() :]}")
    return forms


def _glue(base: str) -> str:
    return _VERSION.sub("", base)
