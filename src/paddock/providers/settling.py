"""How an answer of somebody else is to be generated: what was asked, and what its owner has set."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from paddock.config.schema import Config, model_options
from paddock.vocabulary import ChatRequest

_OPTIONS: Final[Mapping[str, str]] = {  # settings, and what Sampling calls them
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "top_p": "top_p",
    "top_k": "top_k",
    "repeat_penalty": "repetition_penalty",
}


def settled(request: ChatRequest, config: Config) -> ChatRequest:
    """What was asked for; where nothing was, what its owner has set for all models or this one; else it stays open.

    Paddock's own defaults are for models here: the newest models elsewhere refuse a temperature at all.
    """
    options = model_options(config, request.model)
    own = config.models.get(request.model)
    found: dict[str, Any] = {}
    for option, name in _OPTIONS.items():
        value = getattr(options, option)
        for_model = own is not None and getattr(own.options, option) is not None
        if value is not None and (for_model or config.source_of(f"options.{option}") != "default"):
            found[name] = value
    named = {name: value for name, value in found.items() if name in request.left_open}
    return replace(request, sampling=replace(request.sampling, **named), left_open=request.left_open - named.keys())
