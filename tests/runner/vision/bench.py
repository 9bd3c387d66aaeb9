"""One architecture on the table: opened as the runner opens it, and mlx-vlm's own instance beside it."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mlx.core as mx

from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.opening import open_model
from paddock.runner.opening import LoadOptions, OpenedModel
from paddock.runner.prompts import Prompt
from paddock.vocabulary import Message, ModelFormat, ModelKind
from tests.exactness.driving import GREEDY, Driver
from tests.runner.vision.architectures import make_folder
from tests.runner.vision.drawings import circle, said, square
from tests.runner.vision.reference import Reference, Takes

ANSWER = 16
SAMPLING = replace(GREEDY, max_tokens=ANSWER)
_TAKES = {"llava": Takes.TEXT, "idefics3": Takes.PARTS, "smolvlm": Takes.PARTS}

Conversation = Sequence[Message]
ONE = (said("user", circle("red", width=60, height=44), "What colour is the circle, and where is it?"),)
OTHER = (said("user", circle("green", width=60, height=44), "What colour is the circle, and where is it?"),)
BEHIND = (said("user", "Look at this:", square("blue", width=40, height=72), "and tell me what it is."),)
TURNS = (
    said("user", circle("red", width=60, height=44), "What is it?"),
    said("assistant", "It is a circle."),
    said("user", "And this:", square("blue", width=60, height=44), "or this:", circle("yellow", width=60, height=44)),
    said("assistant", "A square and a circle."),
    said("user", "Which of them is red?"),
)
WORDS = tuple(
    (said("user", f"Say {number} and tell me about the weather in {place}."),)
    for number, place in enumerate(("Rome", "Oslo", "a very small village at the end of the road", "Lima"))
)


@dataclass
class Bench:
    """One architecture on the table."""

    name: str
    opened: OpenedModel
    reference: Reference

    @property
    def executor(self) -> MlxExecutor:
        assert isinstance(self.opened.executor, MlxExecutor)
        return self.opened.executor

    def prompt(self, conversation: Conversation) -> Prompt:
        if any(message.images for message in conversation):
            assert self.opened.sight is not None
            return self.opened.sight.read(conversation, {})
        return Prompt(self.opened.tokenizer.render(conversation, {}))

    def driver(self, *, blocks: int | None = None, batch_max: int = 64, prefill: int = 512) -> Driver:
        return Driver(self.executor, blocks=blocks, batch_max=batch_max, prefill=prefill, sight=self.opened.sight)

    def check(self, conversation: Conversation, answer: Sequence[int]) -> None:
        assert len(answer) == ANSWER
        self.reference.check(conversation, answer, self.name)


def benches(name: str, folder: Path) -> Iterator[Bench]:
    """One, for as long as it is wanted."""
    made = make_folder(name, folder / name)
    options = LoadOptions(name=name, path=str(made), format=ModelFormat.MLX, kind=ModelKind.VISION)
    opened = open_model(replace(options, memory_bytes_max=512 * 1024 * 1024))
    reference = Reference(made, _TAKES.get(name, Takes.BOTH))
    yield Bench(name, opened, reference)
    opened.executor.close()
    print(f"\nties {name}: {reference.ties.tied} of {reference.ties.compared} tokens")
    gc.collect()
    mx.clear_cache()
