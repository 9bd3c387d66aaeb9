"""What benchmarks stand on: models that can be loaded anywhere, the same questions for everybody, honest results."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

import gguf
import psutil
import pytest
from benchmarks.asking import Answer, Ask, Incomplete, asks, checked, tokens_per_second
from benchmarks.engine import main
from benchmarks.gguf_model import as_gguf
from benchmarks.measure import Result
from benchmarks.models import qwen3
from benchmarks.report import markdown, svg
from benchmarks.rows.row import Compared, Finding, Numbers, Options, Played, Turns, answers_of
from benchmarks.serving.arena import Arena
from benchmarks.serving.contenders import ENGINE, MLX_LM_SAME_BLAS, PADDOCK
from benchmarks.serving.serving import Contender, Serving


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3("tiny", cache=tmp_path_factory.mktemp("models"))


# The tests' own environment has this peer: none is made for it.
MLX_LM_HERE = replace(MLX_LM_SAME_BLAS, python=lambda: Path(sys.executable))


@pytest.mark.parametrize("contender", [PADDOCK, ENGINE, MLX_LM_HERE], ids=lambda contender: contender.name)
async def test_whoever_is_asked_answers_to_the_last_token(tiny: Path, contender: Contender) -> None:
    """An answer that ends early would do less work than the others that it is compared with."""
    asked = asks(1, 5, prompt_tokens=30, answers=(3, 9))
    arena = Arena()
    try:
        answers = await answers_of(await arena.alone(contender, tiny), asked)
    finally:
        await arena.clear()
    assert [each.completion_tokens for each in answers] == [ask.tokens for ask in asked]
    assert all(20 <= each.prompt_tokens <= 40 for each in answers)
    assert all(each.asked_at < each.times[0] <= each.times[-1] for each in answers)


def test_an_answer_of_another_length_does_not_count() -> None:
    answer = Answer(asked_at=0, times=(1.0,), prompt_tokens=3, completion_tokens=4, text="four words of text")
    assert checked(Ask("Hello", 4), answer) is answer
    with pytest.raises(Incomplete, match="5 tokens were asked for, 4 came"):
        checked(Ask("Hello", 5), answer)


def test_rounds_ask_the_same_of_everybody_and_never_twice() -> None:
    """The same, to be fair; never twice, because a prefix that is found again is not what is measured."""
    assert asks(7, 4) == asks(7, 4)
    assert not set(asks(7, 4)) & set(asks(8, 4))


def test_speed_and_pauses_are_taken_from_when_pieces_came() -> None:
    early = Answer(asked_at=10, times=(11.0, 12.0), prompt_tokens=1, completion_tokens=2, text="")
    late = Answer(asked_at=10.5, times=(11.0, 14.0), prompt_tokens=1, completion_tokens=6, text="")
    assert tokens_per_second([early, late]) == 2
    assert late.first_token_s == 0.5
    assert late.longest_gap_s(12.0, 13.0) == 3.0, "a gap that had begun before counts whole"
    assert late.longest_gap_s(14.5, 15.0) == 0.0, "one that has ended before does not"


@dataclass
class Stranger:
    """A peer that cannot be had here: one that hangs, or one that keeps count of its turns."""

    name: str
    turns: list[str]
    hangs: bool = False
    may_pause: bool = False
    process: psutil.Process = field(default_factory=psutil.Process)

    @asynccontextmanager
    async def serving(self, model: Path) -> AsyncGenerator[Serving]:
        yield self

    async def answer(self, ask: Ask) -> Answer:
        if self.hangs and len(self.turns) > 1:
            await asyncio.Event().wait()
        self.turns.append(self.name)
        return Answer(asked_at=0, times=(1.0,), prompt_tokens=1, completion_tokens=ask.tokens, text="")


async def _ask_once(serving: Serving, number: int, options: Options) -> Numbers:
    answer = await serving.answer(Ask(f"round {number}", 2))
    return {"speed": answer.completion_tokens * (number + 1)}


def _row(*contenders: Contender, turn_limit_s: float = 60.0) -> Turns:
    def conclude(played: Played) -> list[Finding]:
        first, second = contenders
        return [played.compare("speed", "tokens/s", "speed", first, second, goal=1, at_least=True)]

    return Turns(
        name="row",
        title="a row",
        contenders=contenders,
        play=_ask_once,
        conclude=conclude,
        shape="tiny",
        turn_limit_s=turn_limit_s,
    )


async def test_contenders_take_turns(tmp_path: Path) -> None:
    """A B A B: what else the machine does meanwhile hits both alike. Each is warmed up when it is started."""
    turns: list[str] = []
    row = _row(Stranger("a", turns), Stranger("b", turns))
    (finding,) = await row.measure(Arena(), Options(rounds=3, cache=tmp_path))
    assert turns == ["a", "a", "b", "b", "a", "b", "a", "b"]
    assert list(finding.ours) == list(finding.theirs) == [2, 4, 6]
    assert finding.value == 1


async def test_a_contender_that_hangs_stops_nobody_else(tmp_path: Path) -> None:
    """One peer that waits forever must not cost the figures of the rest."""
    turns: list[str] = []
    row = _row(Stranger("a", turns), Stranger("b", turns, hangs=True), turn_limit_s=1)
    (finding,) = await row.measure(Arena(), Options(rounds=2, cache=tmp_path))
    assert turns == ["a", "a", "a"]
    assert finding.failure == "b: did not finish within 1 s"
    assert finding.result is not None
    assert not finding.result.kept


def test_findings_are_ratios_of_medians_with_their_spread() -> None:
    finding = Finding(
        what="speed",
        unit="tokens/s",
        ours=[10, 30, 20],
        theirs=[10, 10, 5],
        compared=Compared.RATIO,
        goal=1.5,
        at_least=True,
    )
    assert finding.value == 2
    assert finding.spread == (1, 4)
    assert "| speed | ≥ 1.5 × | 2 ×, kept | 3 | 1 to 4 | 20, 10 tokens/s |" in markdown([finding])
    assert ElementTree.fromstring(svg([finding], "a <machine>")).tag.endswith("svg")


def test_a_promise_that_is_missed_or_was_not_measured_says_so() -> None:
    assert str(Result("speed", 1.5, "×", 2, at_least=True)).startswith("MISSED")
    assert str(Result("speed", float("nan"), "×", 2)).startswith("MISSED")


def test_a_row_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="there is no row 17; there are 16, "):
        list(main(["17"]))


def test_the_gguf_file_has_the_same_words_and_weights(tiny: Path) -> None:
    """llama.cpp is compared on the same work only when both read the same tokens."""
    reader = gguf.GGUFReader(as_gguf(tiny))
    assert len(reader.tensors) == 2 + 2 * 11
    assert len(reader.fields["tokenizer.ggml.tokens"].data) == 4096
