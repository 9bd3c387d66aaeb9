"""Findings that are compared with nobody."""

from collections.abc import Sequence

from benchmarks.rows.row import Compared, Finding

NO_SERVER = "this tree has no `paddock serve`"
_WHY_MAX = 300


def figure(what: str, unit: str, values: Sequence[float], goal: float | None = None) -> Finding:
    return Finding(what=what, unit=unit, ours=values, compared=Compared.ALONE, goal=goal)


def no_figure(what: str, unit: str, why: str, goal: float | None = None) -> Finding:
    return Finding(what=what, unit=unit, ours=(), compared=Compared.ALONE, goal=goal, failure=why[-_WHY_MAX:])
