"""First tokens of eight at once: without anything in common, behind a new common beginning, behind a known one."""

import random
from typing import Final

from benchmarks.asking import after, asks, mean_first_token_s, text
from benchmarks.rows.row import Finding, Numbers, Options, Played, Row, Turns, answers_of
from benchmarks.serving.contenders import PADDOCK
from benchmarks.serving.serving import Serving

_STREAMS: Final = 8
_COLD: Final = "cold, s"
_SHARED: Final = "shared, s"
_WARM: Final = "warm, s"
_SUFFIX: Final = "suffix alone, s"


def rows() -> list[Row]:
    def conclude(played: Played) -> list[Finding]:
        return [
            played.compare(
                "first token, 8 at once, 2k shared + 64 own, over 8 × 2k cold",
                "s",
                _SHARED,
                PADDOCK,
                other_name=_COLD,
                goal=0.35,
            ),
            played.compare(
                "the same with the 2k known, over the 64 alone", "s", _WARM, PADDOCK, other_name=_SUFFIX, goal=1.2
            ),
        ]

    return [
        Turns(
            name="prefix",
            title="first token of eight at once, 2k shared and 64 own tokens each",
            contenders=(PADDOCK,),
            play=_play,
            conclude=conclude,
            turn_limit_s=90,
            row_limit_s=70,
        )
    ]


async def _play(serving: Serving, number: int, options: Options) -> Numbers:
    """Four bursts, the costliest first: later ones find what earlier ones left, and only what they may find."""
    shared, own = (200, 16) if options.quick else (2000, 64)

    async def burst(seed: int, beginnings: list[str]) -> float:
        asked = asks(seed + number, _STREAMS, prompt_tokens=own, answers=(1, 1))
        behind = [after(beginning, [ask])[0] for beginning, ask in zip(beginnings, asked, strict=True)]
        return mean_first_token_s(await answers_of(serving, behind if beginnings[0] else asked))

    chance = random.Random(8000 + number)
    common = text(chance, shared)
    return {
        _COLD: await burst(8100, [text(chance, shared) for _ in range(_STREAMS)]),
        _SHARED: await burst(8200, [common] * _STREAMS),
        _WARM: await burst(8300, [common] * _STREAMS),
        _SUFFIX: await burst(8400, [""] * _STREAMS),
    }
