"""Findings that are compared with nobody."""

from collections.abc import Sequence
from typing import Final

from benchmarks.rows.row import Compared, Finding

_WHY_MAX: Final = 300


def figure(what: str, unit: str, values: Sequence[float], goal: float | None = None) -> Finding:
    return Finding(what=what, unit=unit, ours=values, compared=Compared.ALONE, goal=goal)


def no_figure(what: str, unit: str, why: str, goal: float | None = None) -> Finding:
    return Finding(what=what, unit=unit, ours=(), compared=Compared.ALONE, goal=goal, failure=why[-_WHY_MAX:])
