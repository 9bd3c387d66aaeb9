"""Names of models as Ollama's clients write them: with a tag, and with a host where it is not Ollama's own registry."""

from typing import Final

from paddock.errors import InvalidReference

LATEST: Final = ":latest"
_SCHEME: Final = "ollama://"  # with which the library tells names of people from those of Hugging Face
_HUGGING_FACE: Final = ("hf.co/", "huggingface.co/", "www.huggingface.co/")


def tagged(name: str) -> str:
    """`name` as it is listed: `:latest` stands where there is no tag, since clients compare with it."""
    name = name.removeprefix(_SCHEME)
    return name if ":" in name.rpartition("/")[2] else name + LATEST


def plain(name: str) -> str:
    """`name` without what only Ollama's clients write."""
    for host in _HUGGING_FACE:
        name = name.removeprefix(host)
    return name.removesuffix(LATEST)


def meant_by(name: str) -> tuple[str, ...]:
    """What a model may be called here when a client says `name`, likeliest first."""
    return tuple(dict.fromkeys((name, plain(name), f"{_SCHEME}{name}", f"{_SCHEME}{tagged(name)}")))


def pull_reference(name: str) -> str:
    """What to pull when a client says `name`. Raises InvalidReference for a registry that only the request names.

    Whoever may send requests could otherwise have this machine ask any address in reach of it.
    """
    for host in _HUGGING_FACE:
        if name.startswith(host):
            return f"hf://{plain(name)}"
    first, slash, rest = name.removeprefix(_SCHEME).partition("/")
    own = first in ("registry.ollama.ai", "ollama.com")
    if "://" in name.removeprefix(_SCHEME) or (slash and not own and (set(".:") & set(first) or first == "localhost")):
        raise InvalidReference(
            f"`{name[:80]}` names a place of its own to fetch from.",
            hint="Give a model of Ollama's registry, such as `llama3.2:3b`, or `hf.co/org/name`; for others, `paddock pull`.",
        )
    return f"{_SCHEME}{rest if own else name.removeprefix(_SCHEME)}"
