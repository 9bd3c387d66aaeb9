"""How often the built-in model picks the right route for sixty questions, and what a decision takes; chance is a third."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from benchmarks.measure import Result
from benchmarks.router_questions import QUESTIONS
from paddock.app import open_server
from paddock.config.sources import load_config
from paddock.gateway.routing import Traits

RIGHT_MIN: Final = 54  # of 60
ROUTER: Final[
    Mapping[str, tuple[str, str]]
] = {  # route, by the word that pony knows: where it leads, what belongs there
    "general": ("pony", "Questions about Paddock, its commands, settings and models."),
    "fast": ("role:worker", "Arithmetic: sums, numbers and counting."),
    "creative": ("pony", "Stories and tales to be made up."),
}


def main() -> Iterator[Result]:
    right, seconds, again = asyncio.run(_measured())
    total = sum(map(len, QUESTIONS.values()))
    yield Result(f"right of {total} questions, by pony", right, "", RIGHT_MIN, at_least=True)
    yield Result("a decision, median", statistics.median(seconds) * 1000, "ms", 500)
    yield Result("a decision that is remembered, median", statistics.median(again) * 1000, "ms", 5)


async def _measured() -> tuple[int, list[float], list[float]]:
    flags: dict[str, object] = {"model.routing.routers.topics.timeout_s": 120}
    for name, (to, description) in ROUTER.items():
        flags[f"model.routing.routers.topics.routes.{name}.to"] = to
        flags[f"model.routing.routers.topics.routes.{name}.description"] = description
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(environment={"PADDOCK_HOME": folder, "HOME": folder}, workspace=Path(folder), flags=flags)
        async with open_server(config, token="token") as rooms:
            right, seconds, again = 0, list[float](), list[float]()
            await rooms.routing.directory.route(Traits(model="router:topics", text="Hello"))  # loads the model
            for taken in (seconds, again):
                for wanted, questions in QUESTIONS.items():
                    for text in questions:
                        begin = time.perf_counter()
                        found = await rooms.routing.directory.route(Traits(model="router:topics", text=text))
                        taken.append(time.perf_counter() - begin)
                        right += taken is seconds and found.targets[0].route == f"router:topics/{wanted}"
    return right, seconds, again
