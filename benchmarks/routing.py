"""What routing takes of a request, in time of its thread: a rule among a thousand, a model among a hundred."""

import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.measure import Result
from paddock.gateway.candidates import Candidate, Models
from paddock.gateway.profiles import Profiles
from paddock.gateway.routing import RoutingSettings, Traits, route
from paddock.gateway.rules import Match, Rule, RuleSet, RuleTarget
from paddock.vocabulary import Capabilities

RULES = 1000
MODELS = 100
_FAMILIES = ("llama", "mistral", "qwen", "phi", "gemma", "codellama", "unknown")
_PATTERNS = {
    Match.EXACT: lambda number: f"exact-{number}",
    Match.PREFIX: lambda number: f"prefix-{'x' * (number % 30)}{number}-",
    Match.REGEX: lambda number: f"(?:gpt|claude)-{number}.*-(\\d+)[a-z]?{number % 7}.*",
}


def main() -> Iterator[Result]:
    for kind in Match:
        rules = RuleSet(_rule(number, kind) for number in range(RULES))
        asked = [f"claude-{number}-x-125{number}" for number in range(500)] + [f"exact-{n}" for n in range(500)]
        yield Result(f"match {RULES} {kind} rules, 99 % of names", _p99(rules.match, asked), "ms", 1.0)
    mixed = RuleSet(_rule(number, list(Match)[number % 3]) for number in range(RULES))
    models = Models([_model(number) for number in range(MODELS)])
    names = [f"auto:{profile}" for profile in ("fast", "general", "code", "creative")] * 100

    def choose(name: str) -> object:
        return route(
            Traits(model=name, needs=("tools",)),
            rules=mixed,
            profiles=Profiles(),
            models=models,
            settings=RoutingSettings(),
        )

    yield Result(f"choose among {MODELS} models and {RULES} rules, 99 % of requests", _p99(choose, names), "ms", 5.0)


def _p99(work: Callable[[str], object], names: list[str]) -> float:
    times: list[float] = []
    for name in names:
        start = time.thread_time()
        work(name)
        times.append(time.thread_time() - start)
    return statistics.quantiles(times, n=100)[98] * 1000


def _rule(number: int, kind: Match) -> Rule:
    return Rule(name=f"r{number}", match=kind, pattern=_PATTERNS[kind](number), targets=(RuleTarget(model="m1"),))


def _model(number: int) -> Candidate:
    return Candidate(
        name=f"model-{number}",
        family=_FAMILIES[number % len(_FAMILIES)],
        context_window=4096 << number % 6,
        capabilities=Capabilities(tools=number % 2 == 0),
    )
