"""What a model is, from everything that is known of it.

Strongest first: what was measured here, what its files say, the hub's metadata, the database of known models, its name,
defaults. A weaker source fills gaps and never overrides; every fact remembers which one decided it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from paddock.catalog.clues import Clues, weigh
from paddock.catalog.evidence.config import clues_of_config
from paddock.catalog.evidence.gguf import clues_of_gguf, is_projector
from paddock.catalog.evidence.hub import HubFacts, clues_of_hub
from paddock.catalog.evidence.name import clues_of_name, quantization_in
from paddock.catalog.evidence.template import clues_of_template, template_in
from paddock.catalog.evidence.weights import clues_of_safetensors
from paddock.catalog.facts import Facts
from paddock.catalog.families import UNKNOWN, family_of, family_of_name
from paddock.catalog.formats import format_of_files
from paddock.catalog.headers import GgufHeader, SafetensorsSummary, gguf_split_files
from paddock.catalog.known import KnownModels
from paddock.catalog.values import as_positive

__all__ = ["Clues", "HubFacts", "detect"]

_CONTEXT_WINDOW_MAX = 1 << 24  # tokenizers write 10^30 where they mean "no limit"


def detect(
    *,
    name: str,
    config: Mapping[str, Any] | None,
    hub: HubFacts | None,
    files: Sequence[str],
    gguf: GgufHeader | None,
    safetensors: SafetensorsSummary | None,
    tokenizer_config: Mapping[str, Any] | None = None,
    chat_template: str | None = None,
    known: KnownModels,
    measured: Clues | None = None,
) -> Facts:
    """Weigh all evidence. Never raises for what a stranger wrote: what cannot be read is not evidence.

    `files` are the paths of the model that will be loaded (a repository of many quantizations: the chosen ones).
    """
    template = chat_template or template_in(tokenizer_config)
    from_files = _clues_of_files(config or {}, files, gguf, safetensors, template, hub)
    if from_files.context_window is None and config:
        from_files = from_files.over(Clues(context_window=_tokenizer_limit(tokenizer_config)))
    from_hub = clues_of_hub(hub) if hub else Clues()
    evidence = {
        "measured": measured or Clues(),
        "files": from_files,
        "hub": from_hub,
        "database": _clues_of_database(name, known),
        "name": clues_of_name(name).over(Clues(family=_named(family_of_name(name)))),
    }
    return weigh(_with_family(evidence, name))


def _clues_of_files(
    config: Mapping[str, Any],
    files: Sequence[str],
    gguf: GgufHeader | None,
    safetensors: SafetensorsSummary | None,
    template: str | None,
    hub: HubFacts | None,
) -> Clues:
    """Weights over header over config; a template beside the model over the one in its header."""
    clues = clues_of_template(template) if template else Clues()
    if gguf is not None:
        clues = clues.over(clues_of_gguf(gguf, files))
    if safetensors is not None:
        clues = clues.over(clues_of_safetensors(safetensors, config))
    clues = clues.over(_pooling(files)).over(clues_of_config(config))
    return clues.over(Clues(format=format_of_files(files, hub), quantization=_quantization_of_files(files)))


def _pooling(files: Sequence[str]) -> Clues:
    """Sentence Transformers describe the pooling beside the weights, also where the model is a decoder."""
    bare = {path.rsplit("/", 1)[-1] for path in files}
    embeds = "config_sentence_transformers.json" in bare or any(path.endswith("_Pooling/config.json") for path in files)
    return Clues(embeddings=True) if embeds else Clues()


def _quantization_of_files(files: Sequence[str]) -> str | None:
    """The quantization in the name of the one GGUF there is; several say nothing."""
    weights = {gguf_split_files(path)[0] for path in files if path.lower().endswith(".gguf") and not is_projector(path)}
    return quantization_in(weights.pop()) if len(weights) == 1 else None


def _tokenizer_limit(tokenizer_config: Mapping[str, Any] | None) -> int | None:
    limit = as_positive((tokenizer_config or {}).get("model_max_length"))
    return limit if limit and limit <= _CONTEXT_WINDOW_MAX else None


def _clues_of_database(name: str, known: KnownModels) -> Clues:
    entry = known.lookup(name)
    if entry is None:
        return Clues()
    flags = dict(entry.capabilities or {})
    # Rerankers are written as models that neither generate nor embed.
    reranker = True if flags.get("text") is False and not flags.get("embeddings") else None
    return Clues(
        family=entry.family,
        context_window=entry.context_window,
        max_output_tokens=entry.max_output_tokens,
        reranker=reranker,
        text=flags.get("text"),
        vision=flags.get("vision"),
        embeddings=flags.get("embeddings"),
        tools=flags.get("tools"),
        streaming=flags.get("streaming"),
        thinking=flags.get("thinking"),
    )


def _with_family(evidence: dict[str, Clues], name: str) -> dict[str, Clues]:
    """A family is decided by name and architecture together: files correct a name that they contradict."""
    for origin in ("measured", "files", "hub"):
        architecture = evidence[origin].architecture
        if architecture is not None:
            family = _named(family_of(name, architecture))
            evidence[origin] = Clues(family=family).over(evidence[origin])
            break
    return evidence


def _named(family: str) -> str | None:
    return None if family == UNKNOWN else family
