"""How the token of one row is to be chosen, and what was chosen: the words of every sampler.

Chance is one number per row, a function of its seed and the token's position: who else is in the batch, whether the sequence
was preempted and whether the token was guessed before change nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from paddock.vocabulary import Sampling, TokenLogprob

_ALMOST_ONE: Final = 1.0 - 2.0**-24  # the largest float32 below one


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the token of one row is to be chosen."""

    sampling: Sampling
    seed: int
    position: int  # of the token that is chosen
    seen: Mapping[int, int] = field(
        default_factory=dict[int, int]
    )  # every token so far, and how often: prompt and output
    written: Mapping[int, int] = field(default_factory=dict[int, int])  # output only


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    token: int
    logprobs: tuple[TokenLogprob, ...] = ()
    broken: bool = False  # the model produced something that is no number; `token` means nothing


def needs_history(sampling: Sampling) -> bool:
    return sampling.repetition_penalty != 1.0 or sampling.presence_penalty != 0.0 or sampling.frequency_penalty != 0.0


def chance(seed: int, position: int) -> float:
    """A number in [0, 1) that is the same wherever and whenever it is asked for."""
    digest = blake2b(f"{seed}:{position}".encode(), digest_size=8).digest()
    return min((int.from_bytes(digest, "little") >> 11) * 2.0**-53, _ALMOST_ONE)
