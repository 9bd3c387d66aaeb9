"""Tokens a second: sixteen streams, one stream; against peers, and the server against its own engine."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from typing import Any, Final

from benchmarks.asking import asks, tokens_per_second
from benchmarks.rows.row import Compared, Finding, Numbers, Options, Played, Row, Turns, answers_of
from benchmarks.serving.contenders import (
    ENGINE,
    LLAMA,
    MLX_LM_INSTALLED,
    MLX_LM_SAME_BLAS,
    PADDOCK,
    VLLM,
    OfGguf,
)
from benchmarks.serving.serving import Contender, Serving

STREAMS: Final = 16
_SPEED: Final = "tokens/s"
_FIRST: Final = "first token, ms"
_SHORT: Final = 24  # short prompts in one turn; the median of all but the first is what the turn came to
_COLD: Final = 4
_SETTLE_S: Final = 2.0


def rows() -> list[Row]:
    def sixteen(played: Played) -> list[Finding]:
        goals = ((MLX_LM_SAME_BLAS, 2.0), (VLLM, 2.5))
        return [_faster(played, f"{STREAMS} streams", PADDOCK, peer, goal) for peer, goal in goals]

    return [
        Turns(
            name="16",
            title=f"{STREAMS} streams, about 200 tokens in, 32 to 128 out",
            contenders=(PADDOCK, MLX_LM_SAME_BLAS, VLLM),
            play=_streams(STREAMS, seed=2000),
            conclude=sixteen,
            row_limit_s=100,
        ),
        Turns(
            name="installed",
            title=f"{STREAMS} streams, the peer with the BLAS that comes with it",
            contenders=(PADDOCK, MLX_LM_INSTALLED),
            play=_streams(STREAMS, seed=2500),
            conclude=lambda played: [_faster(played, f"{STREAMS} streams", PADDOCK, MLX_LM_INSTALLED, 30.0)],
            rounds_max=1,
            turn_limit_s=260,
        ),
        Turns(
            name="1",
            title="one stream, about 200 tokens in, 32 to 128 out",
            contenders=(PADDOCK, MLX_LM_SAME_BLAS),
            play=_streams(1, seed=1000),
            conclude=lambda played: [_faster(played, "one stream", PADDOCK, MLX_LM_SAME_BLAS, 1.0)],
        ),
        *(_gguf(streams) for streams in (STREAMS, 8, 1)),
        Turns(
            name="server",
            title=f"Paddock's server against its engine alone, {STREAMS} streams",
            contenders=(PADDOCK, ENGINE),
            play=_streams(STREAMS, seed=4000),
            conclude=_server_over_engine,
        ),
        *(_first(shape) for shape in ("pony", "37m")),
    ]


def _gguf(streams: int) -> Turns:
    """The peer is started for as many streams in every row; the seeds keep the rows from sharing prompts."""
    told = "one stream" if streams == 1 else f"{streams} streams"
    return Turns(
        name="gguf" if streams == STREAMS else f"gguf-{streams}",
        title=f"the same weights as GGUF (Q8_0), {told}",
        contenders=(OfGguf(PADDOCK), LLAMA),
        play=_streams(streams, seed=3000 + 100 * streams),
        conclude=lambda played: [_faster(played, f"GGUF, {told}", OfGguf(PADDOCK), LLAMA, 0.97)],
    )


def _first(shape: str) -> Turns:
    """Weights that are larger than the caches of all cores leave the server none of them: its code is then read from memory
    for each request. So it is measured with a model that does this and with one that does not."""
    return Turns(
        name="first" if shape == "pony" else f"first-{shape}",
        title=f"Paddock's server against its engine alone, short prompts one after the other, {shape}",
        contenders=(PADDOCK, ENGINE),
        play=_first_tokens,
        conclude=lambda played: [_first_over_engine(played, shape)],
        shape=shape,
        afresh=True,
    )


def _streams(streams: int, *, seed: int) -> Callable[[Serving, int, Options], Awaitable[Numbers]]:
    async def play(serving: Serving, number: int, options: Options) -> Numbers:
        asked = asks(seed + number, streams, **_sizes(options))
        return {_SPEED: tokens_per_second(await answers_of(serving, asked))}

    return play


async def _first_tokens(serving: Serving, number: int, options: Options) -> Numbers:
    await asyncio.sleep(_SETTLE_S)  # a server that has just started still reads and writes down things of its own
    waits: list[float] = []
    for at in range(_SHORT):
        # Prompts of one block, each its own: nothing is found again, and reading them takes as little time as can be.
        (ask,) = asks(5000 + _SHORT * number + at, 1, prompt_tokens=8, answers=(1, 1))
        waits.append((await serving.answer(ask)).first_token_s * 1000)
    return {_FIRST: statistics.median(waits[_COLD:])}


def _server_over_engine(played: Played) -> list[Finding]:
    what = "server over the engine alone, tokens/s"
    return [played.compare(what, "tokens/s", _SPEED, PADDOCK, ENGINE, goal=0.95, at_least=True)]


def _first_over_engine(played: Played, shape: str) -> Finding:
    what, apart = f"server over the engine alone, first token, {shape}", Compared.DIFFERENCE
    return played.compare(what, "ms", _FIRST, PADDOCK, ENGINE, goal=2.0, compared=apart)


def _faster(played: Played, what: str, mine: Contender, peer: Contender, goal: float) -> Finding:
    return played.compare(f"{what} over {peer.name}", "tokens/s", _SPEED, mine, peer, goal=goal, at_least=True)


def _sizes(options: Options) -> dict[str, Any]:
    return {"prompt_tokens": 30, "answers": (4, 8)} if options.quick else {}
