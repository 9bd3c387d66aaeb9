"""Pony, and what holds its answers, without a process between."""

import json
import queue
import random
from collections.abc import Sequence
from typing import Any

from paddock.app import BUILTIN_MODELS
from paddock.runner.guidance import Guidance
from paddock.runner.guide import Guide
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.loading import load_weights
from paddock.runner.mlx.making import make_executor
from paddock.runner.mlx.tokenizer import MlxTokenizer, load_tokenizer
from paddock.vocabulary import FormatKind, GenerateRequest, Message, OutputFormat, Sampling


class Pony:
    def __init__(self, *, paged: bool = True, blocks: int | None = None) -> None:
        folder = BUILTIN_MODELS / "pony"
        self.tokenizer: MlxTokenizer = load_tokenizer(folder, "pony", [])
        self.executor: MlxExecutor = make_executor(
            load_weights(folder, "pony"), end_token_ids=self.tokenizer.end_token_ids, paged=paged, blocks=blocks
        )
        self.guidance = Guidance(self.tokenizer, self.executor.model)

    def prompt(self, text: str) -> Sequence[int]:
        return self.tokenizer.render((Message(role="user", content=text),), {})

    def guide(self, form: OutputFormat) -> Guide:
        """What an answer is held to. Raises what the request would be refused with."""
        request = GenerateRequest(
            id="x", sampling=Sampling(), messages=(Message(role="user", content="x"),), format=form
        )
        wanted = self.guidance.wanted(request, self.prompt("x"))
        assert wanted is not None
        prepared = queue.Queue[Guide | Exception]()
        guide = self.guidance.prepare(wanted, prepared.put) or prepared.get(timeout=60)
        if isinstance(guide, Exception):
            raise guide
        return guide

    def text(self, tokens: Sequence[int]) -> str:
        ends = self.executor.model.end_token_ids
        return self.tokenizer.decode([token for token in tokens if token not in ends])


def schema_form(schema: dict[str, Any]) -> OutputFormat:
    return OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=schema)


class Schemas:
    """Random schemas of what is held to, each with an answer of few tokens."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def make(self, depth: int = 2) -> dict[str, Any]:
        draw = self._random
        kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "pattern", "format"]
        if depth:
            kinds += ["object", "array", "anyOf", "tuple", "object"]
        match draw.choice(kinds):
            case "string":
                low = draw.randrange(3)
                return {"type": "string", "minLength": low, "maxLength": low + draw.randrange(8)}
            case "integer":
                low = draw.randrange(-50, 50)
                return {"type": "integer", "minimum": low, "maximum": low + draw.randrange(200)}
            case "number":
                return {"type": "integer", "exclusiveMinimum": -5, "exclusiveMaximum": draw.randrange(5, 500)}
            case "boolean":
                return {"type": "boolean"}
            case "null":
                return {"type": ["null", "boolean"]}
            case "enum":
                return {"enum": draw.sample(["red", 'say "hi"', "é ü 漢", 7, -1.5, None, True, "a\\b\nc"], 3)}
            case "const":
                return {"const": draw.choice(["fixed", 0, [1, "two"], {"a": None}])}
            case "pattern":
                return {"type": "string", "pattern": draw.choice(["^[a-c]{2,4}$", "^(yes|no)!?$", r"^\d{3}-\d{2}$"])}
            case "format":
                return {"type": "string", "format": draw.choice(["date", "ipv4", "uuid"])}
            case "array":
                low = draw.randrange(2)
                return {"type": "array", "items": self.make(depth - 1), "minItems": low, "maxItems": low + 2}
            case "tuple":
                items = [self.make(depth - 1) for _ in range(2)]
                return {"type": "array", "prefixItems": items, "items": False, "minItems": 2}
            case "anyOf":
                return {"anyOf": [self.make(depth - 1) for _ in range(2)]}
            case _:
                return self._object(depth)

    def _object(self, depth: int) -> dict[str, Any]:
        names = self._random.sample(["name", "age", "x-y", "größe", 'q"t', "a b"], self._random.randrange(1, 4))
        required = [name for name in names if self._random.random() < 0.7]
        properties = {name: self.make(depth - 1) for name in names}
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def is_valid(schema: dict[str, Any], text: str) -> bool:
    import jsonschema_rs

    return jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(json.loads(text))
