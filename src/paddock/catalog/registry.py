"""The ready-to-use models that Paddock knows by a short name. The library adds the user's own."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from paddock.vocabulary import ModelFormat


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A name, and the reference to pull. `format` is what the pull will bring."""

    name: str
    reference: str
    description: str
    format: ModelFormat


@cache
def registered_models() -> tuple[RegisteredModel, ...]:
    rows: list[dict[str, Any]] = json.loads(files("paddock.catalog").joinpath("data/registry.json").read_text("utf-8"))[
        "models"
    ]
    return tuple(
        RegisteredModel(row["name"], row["reference"], row["description"], ModelFormat(row["format"])) for row in rows
    )
