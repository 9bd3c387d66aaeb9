"""What was found, as a Markdown table and as a picture."""

from collections.abc import Sequence
from html import escape
from statistics import median
from typing import Final

from benchmarks.rows.row import Compared, Finding

_WIDTH: Final = 860
_LABELS: Final = 430  # the left part, for words
_LINE: Final = 30
_TOP: Final = 44
_KEPT, _MISSED, _GOAL, _INK = "#2f8f5b", "#c4472f", "#555555", "#222222"


def markdown(findings: Sequence[Finding]) -> str:
    """A row a finding: the median and how far rounds lay apart."""
    lines = ["| work | goal | measured | rounds | between | medians: ours, theirs |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(_cells(finding))} |" for finding in findings]
    return "\n".join(lines)


def svg(findings: Sequence[Finding], caption: str) -> str:
    """A bar a ratio that was promised: how far it is of its goal. A bar that reaches the line is a promise kept."""
    shown = [each for each in findings if each.compared is Compared.RATIO and each.goal and not each.failure]
    height = _TOP + _LINE * len(shown) + 34
    most = max([1.5, *(min(_share(each), 3.0) for each in shown)])
    scale = (_WIDTH - _LABELS - 90) / most
    goal_at = _LABELS + scale
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(goal_at, 26, "promised", _GOAL, "middle"),
    ]
    for number, finding in enumerate(shown):
        y = _TOP + _LINE * number
        length = scale * min(_share(finding), most)
        colour = _KEPT if finding.result and finding.result.kept else _MISSED
        low, high = (_LABELS + scale * min(_share_of(finding, each), most) for each in sorted(finding.spread))
        parts += [
            _text(_LABELS - 10, y + 15, finding.what, _INK, "end"),
            f'<rect x="{_LABELS}" y="{y}" width="{length:.1f}" height="20" fill="{colour}"/>',
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 10}" y2="{y + 10}" stroke="{_INK}"/>',
            _text(max(_LABELS + length, low, high) + 6, y + 15, f"{finding.value:.3g} ×", _INK, "start"),
        ]
    bottom = _TOP + _LINE * len(shown)
    parts += [
        f'<path d="M{goal_at:.1f} {_TOP - 10}V{bottom}" stroke="{_GOAL}" stroke-dasharray="4 3"/>',
        _text(10, height - 10, caption, _GOAL, "start"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _cells(finding: Finding) -> list[str]:
    goal = "" if finding.goal is None else f"{'≥' if finding.at_least else '≤'} {finding.goal:g} {finding.value_unit}"
    if finding.failure:
        return [finding.what, goal, f"no figure: {finding.failure.splitlines()[-1][:120]}", "", "", ""]
    result = finding.result
    word = "" if result is None else ", kept" if result.kept else ", missed"
    low, high = finding.spread
    medians = f"{median(finding.ours):.4g}"
    if finding.theirs:
        medians += f", {median(finding.theirs):.4g}"
    between = f"{low:.3g} to {high:.3g}" if len(finding.ours) > 1 else ""
    measured = f"{finding.value:.3g} {finding.value_unit}{word}"
    return [finding.what, goal, measured, str(len(finding.ours)), between, f"{medians} {finding.unit}"]


def _share(finding: Finding) -> float:
    return _share_of(finding, finding.value)


def _share_of(finding: Finding, value: float) -> float:
    """How far `value` is on the way to what was promised: 1 is there, whichever way is better."""
    assert finding.goal, "only promises are drawn"
    return value / finding.goal if finding.at_least else finding.goal / max(value, 1e-9)


def _text(x: float, y: float, words: str, colour: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'
