"""What is asked and what came back, the same for everybody who is measured."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

TOKENS_A_WORD: Final = 1.46  # of these words, with pony's vocabulary
_COMMON: Final = """
time year people way day man thing woman life child world school state family student group country problem
hand part place case week company system program question work night point home water room mother area money
story fact month
"""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: its text, and how many tokens the answer has."""

    prompt: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete answer. Times are of this process's `perf_counter`."""

    asked_at: float
    times: tuple[float, ...]  # when each piece of text arrived
    prompt_tokens: int
    completion_tokens: int
    text: str

    @property
    def first_token_s(self) -> float:
        return self.times[0] - self.asked_at

    @property
    def ended_at(self) -> float:
        return self.times[-1]

    def longest_gap_s(self, since: float, until: float) -> float:
        """The longest that one waited for the next piece while `since` to `until` passed; a gap counts whole."""
        gaps = [after - before for before, after in pairwise(self.times) if after > since and before < until]
        return max(gaps, default=0.0)


class Incomplete(RuntimeError):
    """An answer ended early, or without saying what it took: its speed means nothing."""


def checked(ask: Ask, answer: Answer) -> Answer:
    """Raises Incomplete unless the answer has as many tokens as were asked for."""
    if answer.completion_tokens != ask.tokens or not answer.times:
        raise Incomplete(f"{ask.tokens} tokens were asked for, {answer.completion_tokens} came")
    return answer


def text(chance: random.Random, tokens: int) -> str:
    """Random words of about so many tokens."""
    words = _COMMON.split()
    return " ".join(chance.choice(words) for _ in range(max(1, round(tokens / TOKENS_A_WORD))))


def asks(seed: int, streams: int, *, prompt_tokens: int = 205, answers: tuple[int, int] = (32, 128)) -> list[Ask]:
    """What is asked in one round; no two rounds ask the same: a prefix that is found again is another row's matter."""
    chance = random.Random(seed)
    return [Ask(text(chance, prompt_tokens), chance.randint(*answers)) for _ in range(streams)]


def after(beginning: str, asked: Sequence[Ask]) -> list[Ask]:
    """The same, behind one beginning."""
    return [replace(ask, prompt=f"{beginning} {ask.prompt}") for ask in asked]


def tokens_per_second(answers: Sequence[Answer]) -> float:
    """Of all together, from the first request to the last piece."""
    began, ended = min(each.asked_at for each in answers), max(each.ended_at for each in answers)
    return sum(each.completion_tokens for each in answers) / (ended - began)


def mean_first_token_s(answers: Sequence[Answer]) -> float:
    return statistics.fmean(each.first_token_s for each in answers)
