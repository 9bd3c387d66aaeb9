"""What came of a run: a table, and whatever differs from what is expected."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from tests.conformance.cases import Case, Expected, How

SHARE_MIN: Final = 0.95  # of the cases that concern what is served here
OURS: Final = (How.AS_IT_IS, How.WITHOUT, How.FAILED)


def share(cases: Sequence[Case], expected: Expected) -> float:
    """How many of the cases that concern endpoints of the server pass. What fails with any server is not counted."""
    ours = [
        case for case in cases if case.how in OURS and not (case.how is How.FAILED and expected.is_the_client_s(case))
    ]
    return sum(case.how is not How.FAILED for case in ours) / len(ours)


def table(cases: Sequence[Case]) -> str:
    """Counts by file."""
    files = sorted({(case.suite, case.file) for case in cases})
    width = max(len(file) for _, file in files) + 12
    lines = [f"{'':{width}}  as it is  without  failed  elsewhere  client"]
    for suite, file in [*files, ("", "together")]:
        counts = Counter(case.how for case in cases if not suite or (case.suite, case.file) == (suite, file))
        numbers = [counts[how] for how in (How.AS_IT_IS, How.WITHOUT, How.FAILED, How.ELSEWHERE, How.CLIENT)]
        lines.append(
            f"{suite + ' ' + file:{width}}  {numbers[0]:8}  {numbers[1]:7}  {numbers[2]:6}  {numbers[3]:9}  {numbers[4]:6}"
        )
    return "\n".join(lines)


def differences(cases: Sequence[Case], expected: Expected) -> Iterator[str]:
    """What is not as it is expected, a line each."""
    known = set[str]()
    for case in cases:
        reason = expected.reason(case)
        if case.how is How.FAILED and reason is None:
            yield f"{case.suite}: {case.name} failed: {case.said}"
        elif case.how is How.FAILED and reason is not None:
            known.add(reason)
        elif reason is not None and case.how in (How.AS_IT_IS, How.WITHOUT):
            yield f"{case.suite}: {case.name} passes; it is expected to fail: {reason}"
    yield from (
        f"Nothing fails any more because: {each['reason']}" for each in expected.fails if each["reason"] not in known
    )
    needed = {pair for case in cases for pair in case.left_out}
    for refusal in expected.refused:
        if (refusal["endpoint"], refusal["field"]) not in needed:
            yield f"No case needs `{refusal['field']}` to be left out at {refusal['endpoint']} any more."
    if share(cases, expected) < SHARE_MIN:
        yield f"{share(cases, expected):.1%} of the cases pass; {SHARE_MIN:.0%} is the least."


def reasons(cases: Sequence[Case], expected: Expected) -> str:
    """Why the rest does not pass as it is, with how many cases it concerns."""
    counts = Counter(pair for case in cases for pair in set(case.left_out))
    lines = [
        f"{counts[each['endpoint'], each['field']]:4}  {each['endpoint']} `{each['field']}`: {each['reason']}"
        for each in expected.refused
    ]
    for each in expected.fails:
        count = sum(case.how is How.FAILED and expected.reason(case) == each["reason"] for case in cases)
        lines.append(f"{count:4}  {each['suite']} {each['cases']}: {each['reason']}")
    return "\n".join(lines)
