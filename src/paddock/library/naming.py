"""What the library calls a model, and which model a person means by a short name. Pure functions."""

from collections.abc import Iterable, Mapping

from rapidfuzz import process

from paddock.errors import ModelNotFound, UsageError
from paddock.hub.reference import ModelReference
from paddock.vocabulary import SourceKind

NEAR_NAMES_MAX = 3
_NEAR_ENOUGH = 60  # of 100: below that a "did you mean" only confuses


def library_name(reference: ModelReference, listed_name: str, selector: str | None) -> str:
    """The library's one name for what `reference` names. `selector` is the quantization or file that was chosen."""
    match reference.source:
        case SourceKind.HUGGINGFACE:
            return f"{listed_name}:{selector}" if selector else listed_name
        case SourceKind.OLLAMA:
            # `user/model:tag` alone would read as a Hugging Face name.
            return f"ollama://{reference.name}" if "/" in reference.name else reference.name
        case SourceKind.KAGGLE:
            return f"kaggle://{reference.name}"
        case _:
            return listed_name


def resolve_name(text: str, names: Iterable[str], aliases: Mapping[str, str]) -> str | None:
    """The one known model that `text` means: exact, alias, then a unique short name; None when there is none.

    Raises UsageError when the short name fits several.
    """
    known = list(names)
    if text in known:
        return text
    if text in aliases:
        return aliases[text]
    lowered = text.lower()
    same = [name for name in known if name.lower() == lowered]
    if len(same) == 1:
        return same[0]
    candidates = [name for name in known if lowered in _short_forms(name)]
    if len(candidates) > 1:
        raise UsageError(
            f"`{text}` could be {' or '.join(f'`{name}`' for name in sorted(candidates))}.",
            hint="Give the whole name.",
        )
    return candidates[0] if candidates else None


def refuse_taken_name(name: str, there: ModelReference, wanted: ModelReference) -> None:
    """Raises UsageError when `name` is that of a model from elsewhere: two addresses may both end in `model.gguf`."""
    if (there.source, there.name.lower()) != (wanted.source, wanted.name.lower()):
        raise UsageError(
            f"There is a model called `{name}` already, from {there}.",
            hint="Give this one another name with `--name`, or remove the other with `paddock rm`.",
        )


def _short_forms(name: str) -> set[str]:
    """`org/Name:Q4_K_M` answers to `name:q4_k_m` and `name`; `llama3.2:latest` to `llama3.2`."""
    tail = name.rsplit("/", 1)[-1].lower()
    return {tail, tail.partition(":")[0]}


def near_names(text: str, names: Iterable[str]) -> list[str]:
    """Known names that look like what was typed, best first."""
    by_tail = {name: name.rsplit("/", 1)[-1].lower() for name in names}
    hits = process.extract(text.rsplit("/", 1)[-1].lower(), by_tail, limit=NEAR_NAMES_MAX, score_cutoff=_NEAR_ENOUGH)
    return [name for _, _, name in hits]


def model_not_found(text: str, names: Iterable[str]) -> ModelNotFound:
    """The error for a name that is neither here nor anywhere asked, with near names where there are some."""
    near = near_names(text, names)
    if near:
        hint = f"Did you mean {' or '.join(f'`{name}`' for name in near)}?"
    elif "/" in text:
        hint = f"Check the spelling, or look for it: `paddock search {text.rsplit('/', 1)[-1]}`."
    else:
        hint = (
            f"`paddock list` shows what is here and `paddock search {text}` what there is. "
            f"To fetch, give the whole name: `org/{text}` or `ollama://{text}`."
        )
    return ModelNotFound(f"There is no model `{text}`.", hint=hint)
